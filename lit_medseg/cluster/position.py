"""Where in its work a rank is, so that ranks can be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ALONE = 4
"""How many times longer a rank may work by itself while the others wait: whole volumes, data that are prepared."""


@dataclass(frozen=True)
class Position:
    """A point in a rank's work.

    All ranks pass the same sections in the same order; within one, `part` grows. So the rank with the smallest
    (section, part) is the one that the others wait for.

    Attributes:
        section: Counts the sections: setup, an epoch's training, a validation, ...
        part: Counts within the section.
        text: For people: `in the forward pass of batch 5 of epoch 0`.
        alone: Whether a rank works by itself here for any length of time (a batch of evaluation, preparing data), so
            that silence of all ranks is no fault.
    """

    section: int = 0
    part: int = 0
    text: str = "starting"
    alone: bool = True

    @property
    def key(self) -> tuple[int, int]:
        """What is compared."""
        return (self.section, self.part)


@dataclass(frozen=True)
class Standing:
    """A rank at a position.

    Attributes:
        where: The rank and its machine.
        position: Where it is.
        since_s: When it came there, on the clock of who watches.
    """

    where: str
    position: Position
    since_s: float


def find_hang(standings: Mapping[int, Standing], now_s: float, limit_s: float) -> list[int]:
    """Find the ranks that the others wait for, once nothing has moved for long.

    Args:
        standings: Of all ranks, by their number.
        now_s: On the same clock as the standings.
        limit_s: How long nothing may move anywhere; four times that where a rank behind works by itself. Where all
            ranks are at one point, it is twice that, and no limit where they work there by themselves.

    Returns:
        Their numbers; empty while somebody moves, or there is no fault.
    """
    if not standings:
        return []
    silent_s = now_s - max(one.since_s for one in standings.values())
    furthest = max(one.position.key for one in standings.values())
    behind = [rank for rank, one in sorted(standings.items()) if one.position.key < furthest]
    together = not any(one.position.alone for one in standings.values())
    if behind:
        working = any(standings[rank].position.alone for rank in behind)
        return behind if silent_s >= (ALONE if working else 1) * limit_s else []
    return sorted(standings) if together and silent_s >= 2 * limit_s else []


def describe_hang(standings: Mapping[int, Standing], behind: Sequence[int], now_s: float) -> tuple[str, str]:
    """Say who did not come.

    Args:
        standings: Of all ranks.
        behind: As `find_hang` gave them, at least one.
        now_s: On the same clock.

    Returns:
        What the first rank behind did, in one line with two more of them and the first that waits; and a line for every
        rank.
    """
    first, *more = behind
    text = f"did not come: {standings[first].position.text} since {now_s - standings[first].since_s:.0f} s"
    nor = [f"{standings[rank].where}: {standings[rank].position.text}" for rank in more[:2]]
    nor += [f"{len(more) - 2} more"] * (len(more) > 2)
    waiting = [one for rank, one in sorted(standings.items()) if rank not in behind]
    if nor:
        text += f" (nor {'; nor '.join(nor)})"
    if waiting:
        others = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        text += f", while {waiting[0].where}{others} waited {waiting[0].position.text}"
    else:
        text += "; all ranks are at one point, in a message or a computation that does not end"
    table = [
        f"{one.where}: {one.position.text}, since {now_s - one.since_s:.0f} s" for _, one in sorted(standings.items())
    ]
    return text, "\n".join(table)
