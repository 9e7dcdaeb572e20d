"""Bring the rows of all ranks together."""

from collections.abc import Sequence
from typing import TypeVar

from torch import distributed

PlainT = TypeVar("PlainT")


def gather_rows(rows: Sequence[PlainT]) -> list[PlainT]:
    """Give every rank the rows of all ranks.

    One call per evaluation, also of a rank that has no rows: a collective per batch would hang where the ranks have
    unequal numbers of batches. Values pass as Python objects, so nothing is rounded or averaged.

    Args:
        rows: What this rank has, possibly nothing; plain data.

    Returns:
        The rows in the order of the ranks; the same rows where no process group is running.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return list(rows)
    parts: list[list[PlainT]] = [[] for _ in range(distributed.get_world_size())]
    distributed.all_gather_object(parts, list(rows))
    return [row for part in parts for row in part]
