"""A line of the table of `resume.py`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """What was measured.

    Attributes:
        where: Under which conditions.
        what: Was measured.
        figure: With its unit.
        goal: In words; empty where there is none.
        met: Whether it is reached; None where there is no goal.
    """

    where: str
    what: str
    figure: str
    goal: str = ""
    met: bool | None = None
