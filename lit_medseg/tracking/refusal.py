"""What MLflow will never take, told from what it does not take now."""

import json
import logging
from pathlib import Path

from lit_medseg.tracking.records import Record
from lit_medseg.tracking.without_password import without_password

_log = logging.getLogger(__name__)
_TOO_LARGE = 413


class FileGoneError(Exception):
    """A file that was recorded is no longer in the run folder."""


def final_reason(error: Exception) -> str:
    """Say why a request can never succeed; empty where it may succeed later.

    `BAD_REQUEST` is not final: MLflow says so of most faults of its own database, and proxies of what they do not like.

    Args:
        error: As a request raised it.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 (after the environment is set)

    if isinstance(error, FileGoneError):
        return "the file is gone"
    if getattr(getattr(error, "response", None), "status_code", None) == _TOO_LARGE:
        return "too large for the server or the proxy before it (status 413)"
    # A deleted run can be restored, so its records wait.
    final = isinstance(error, MlflowException) and error.error_code == "INVALID_PARAMETER_VALUE"
    if final and "must be in the 'active' state" not in str(error):
        return without_password(str(error)).splitlines()[0][:500]
    return ""


def note_refused(folder: Path, record: Record, reason: str) -> None:
    """Keep what MLflow will never take, with the reason, where a person finds it.

    Args:
        folder: The run folder; the line is added to its `refused.jsonl`.
        record: What was refused.
        reason: Why, one line.
    """
    _log.warning("MLflow refuses %s %r: %s", record.kind, record.key, reason)
    with (folder / "refused.jsonl").open("a") as file:
        file.write(json.dumps({"reason": reason, "record": json.loads(record.line())}) + "\n")
