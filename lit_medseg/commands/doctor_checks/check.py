"""What one look at the machine found."""

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How bad it is: a warning costs speed or comfort, with a fault something will not run."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Check:
    """One line of the doctor's table.

    Attributes:
        name: What was looked at.
        state: How bad it is.
        found: What is there.
        mend: What to do about it, a command where there is one; empty where all is well.
    """

    name: str
    state: State
    found: str
    mend: str = ""


def ok(name: str, found: str) -> Check:
    """All is well."""
    return Check(name, State.OK, found)


def warning(name: str, found: str, mend: str) -> Check:
    """It runs, but slower or less than it could."""
    return Check(name, State.WARNING, found, mend)


def fault(name: str, found: str, mend: str) -> Check:
    """Something will not run."""
    return Check(name, State.FAULT, found, mend)
