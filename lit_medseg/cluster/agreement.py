"""Numbers that all ranks have alike, without a stop for a message at every step."""

from datetime import timedelta
from typing import Any

import torch
from torch import distributed

_EVERY_S = 0.25
"""How long a request may wait for the next message; steps take longer, or some go without one."""
_MOST_SKIPPED = 16


class Agreement:
    """Tells every rank the largest of the numbers that the ranks propose, at the same call on all of them.

    The message of one call is read at the next one, so that it travels while the step is computed: no rank waits for
    it, and no GPU is emptied for it. It goes over the CPU (gloo), beside the gradients' way. Where steps are short,
    some calls send nothing; how many is part of the message, so that the ranks agree on that too.
    """

    def __init__(self) -> None:
        self._group: Any = None
        self._sent: tuple[Any, torch.Tensor] | None = None
        self._silent = 0
        self._skipped = 0

    def start(self, timeout_s: float = 1800.0) -> None:
        """Open the way between the ranks; every rank calls this once, at the same point.

        Args:
            timeout_s: How long a rank waits for the others.
        """
        if self._group is None and distributed.is_available() and distributed.is_initialized():
            self._group = distributed.new_group(backend="gloo", timeout=timedelta(seconds=timeout_s))

    def largest(self, proposed: list[int], since_s: float) -> list[int]:
        """Propose numbers, and hear what was agreed.

        Args:
            proposed: This rank's numbers, 0 or more.
            since_s: Seconds since the last call: the length of a step.

        Returns:
            The largest of each number that any rank proposed at an earlier call (alone: at this one); zeros where there
            is no news. Equal on all ranks.
        """
        if self._group is None:
            return proposed
        if self._silent > 0:
            self._silent -= 1
            return [0] * len(proposed)
        news = self._read(len(proposed))
        values = torch.tensor([*proposed, int(since_s * 1e6)], dtype=torch.int64)
        work = distributed.all_reduce(values, op=distributed.ReduceOp.MAX, group=self._group, async_op=True)
        self._sent = (work, values)
        return news

    def end(self) -> None:
        """Take in the last message, that no rank hangs in it; the next call sends one, whatever was agreed before."""
        if self._sent is not None:
            self._sent[0].wait()
            self._sent = None
        self._silent = self._skipped = 0

    def gather(self, part: Any) -> list[Any]:
        """Give every rank what all ranks have, in their order; a message at once, for rare use.

        Args:
            part: Plain data and CPU tensors.
        """
        if self._group is None:
            return [part]
        parts: list[Any] = [None] * distributed.get_world_size()
        distributed.all_gather_object(parts, part, group=self._group)
        return parts

    def _read(self, count: int) -> list[int]:
        if self._sent is None:
            return [0] * count
        work, values = self._sent
        work.wait()
        *agreed, step_us = (int(value) for value in values)
        wanted = 0 if any(agreed) else min(_MOST_SKIPPED, int(_EVERY_S * 1e6) // max(1, step_us) - 1)
        # one short step is no promise of others: the first call of all comes right after the start, say
        self._skipped = max(0, min(wanted, 2 * self._skipped + 1))
        self._silent = self._skipped
        return agreed
