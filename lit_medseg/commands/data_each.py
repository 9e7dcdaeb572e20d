"""Work on many cases in threads, a few at a time, with a bar."""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(items: Sequence[Item], work: Callable[[Item], Result], threads: int, title: str) -> Iterator[Result]:
    """Give the results in the order of the items, with no more than `threads` of them in memory or in work.

    Args:
        items: What to work on.
        work: What is done with one; it lets other threads run while it reads.
        threads: How many at a time.
        title: What the bar says; it is shown on a terminal only.
    """
    waiting: deque[Future[Result]] = deque()
    bar = Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with ThreadPoolExecutor(threads) as pool, bar:
        task = bar.add_task(title, total=len(items))
        for item in items:
            if len(waiting) == threads:
                yield waiting.popleft().result()
                bar.advance(task)
            waiting.append(pool.submit(work, item))
        while waiting:
            yield waiting.popleft().result()
            bar.advance(task)
