"""Other limits for a request to an MLflow server than the queue's small ones have."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SLOWEST_BYTES_PER_S = 2_000_000
_LONGEST_S = 900.0


@contextmanager
def request_limits(timeout_s: float) -> Iterator[None]:
    """Give the requests of a block more time, and no repetition by MLflow itself.

    A request that is repeated while the server still works on it is done twice: two runs, two uploads. MLflow reads the
    limits from the environment at each request and takes no argument for them.

    Args:
        timeout_s: The longest wait for an answer; a longer one that the user has set stays.
    """
    longest = max(timeout_s, float(os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT") or 0))
    limits = {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(int(longest)), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    before = {name: os.environ.get(name) for name in limits}
    os.environ.update(limits)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def upload_s(file: Path) -> float:
    """Say how long the upload of a file may take: a server passes it on to its own storage before it answers."""
    asked = float(os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT") or 10)
    return min(asked + file.stat().st_size / _SLOWEST_BYTES_PER_S, _LONGEST_S)
