"""The error family: every fault of the user's input is one of these, printed without a traceback, exit status 2."""

from collections.abc import Sequence

RECORDED = "The state of the run and its page in MLflow say this too."
"""Note on an exception that ended a run."""


class MedSegError(Exception):
    """A fault that the user can mend.

    The text has the house form: `<where>: <what is wrong>, expected <x>, got <y>. <What to do.>`
    """


class ConfigError(MedSegError, ValueError):
    """A key or value of the YAML or the command line that cannot be used."""


class DataError(MedSegError, ValueError):
    """Cases that cannot be used: missing, damaged, contradicting."""


class SplitError(DataError):
    """A split that leaks, misses cases or leaves a set without a class."""


class CheckpointError(MedSegError, ValueError):
    """A checkpoint that does not fit the task, the data or the YAML."""


class ClusterError(MedSegError, RuntimeError):
    """Processes that were meant to work together and cannot: no place to meet, other versions, other data."""


class TrackingError(MedSegError, RuntimeError):
    """The tracking store cannot be reached or does not hold what was asked for."""


def expected_got(where: object, what: str, expected: object, got: object, todo: str) -> str:
    """Write one fault in the house form.

    Args:
        where: Case, file or key.
        what: What is wrong, without a full stop.
        expected: The value that would be right.
        got: The value that was found.
        todo: What the user can do, a sentence without its full stop.

    Returns:
        `<where>: <what>, expected <expected>, got <got>. <todo>.`
    """
    return f"{where}: {what}, expected {expected}, got {got}. {todo}."


def first_ten(faults: Sequence[str]) -> str:
    """List the first ten faults, one a line, and count the rest.

    Args:
        faults: One line each, in the house form.

    Returns:
        The lines, with a last line `and N more` where there are more than ten; an empty text for no faults.
    """
    lines = [f"  - {fault}" for fault in faults[:10]]
    if len(faults) > 10:
        lines.append(f"  and {len(faults) - 10} more")
    return "\n".join(lines)
