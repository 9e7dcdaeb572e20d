"""Other limits for a request to an MLflow server than the queue's small ones have."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path

_TIMEOUT, _RETRIES = "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_SLOWEST_BYTES_PER_S = 2_000_000
_LONGEST_S = 900.0
_LIMITS: ContextVar[Mapping[str, str] | None] = ContextVar("limits", default=None)


@contextmanager
def request_limits(timeout_s: float) -> Iterator[None]:
    """Give the requests of a block more time, and no repetition by MLflow itself; those of other threads keep theirs.

    A request that is repeated while the server still works on it is done twice: two runs, two uploads. MLflow reads the
    limits from the environment at each request and takes no argument for them; the environment belongs to all threads,
    and to the processes that they start meanwhile. So the two variables of MLflow ask the block first.

    Args:
        timeout_s: The longest wait for an answer; a longer one that the user has set stays.
    """
    _ask_block_first()
    longest = max(timeout_s, float(os.environ.get(_TIMEOUT) or 0))
    before = _LIMITS.set({_TIMEOUT: str(int(longest)), _RETRIES: "0"})
    try:
        yield
    finally:
        _LIMITS.reset(before)


def _ask_block_first() -> None:
    """Have MLflow's variables ask `_LIMITS` before the environment."""
    from mlflow import environment_variables  # noqa: PLC0415 (after the environment is set)

    for name in (_TIMEOUT, _RETRIES):
        variable = getattr(environment_variables, name)
        variable.get_raw = partial(_limit, name)


def _limit(name: str) -> str | None:
    return (_LIMITS.get() or os.environ).get(name)


def upload_s(file: Path) -> float:
    """Say how long the upload of a file may take: a server passes it on to its own storage before it answers."""
    asked = float(os.environ.get(_TIMEOUT) or 10)
    return min(asked + file.stat().st_size / _SLOWEST_BYTES_PER_S, _LONGEST_S)
