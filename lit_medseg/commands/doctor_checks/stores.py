"""The MLflow store and the folder of the data sets."""

import contextlib
import os
import sqlite3
from pathlib import Path

from lit_medseg.commands.doctor_checks.check import Check, fault, ok, warning
from lit_medseg.errors import TrackingError
from lit_medseg.tracking.reachable import check_reachable
from lit_medseg.tracking.store import resolve_uri, shown_uri

NAME = "MLflow store"


def check_mlflow_store() -> Check:
    """Look at the store that a run would be recorded in; nothing is made or changed."""
    uri = resolve_uri(None)
    if uri.startswith("sqlite:///"):
        return _check_sqlite(Path(uri.removeprefix("sqlite:///")))
    try:
        check_reachable(uri, shown_uri(uri))
    except TrackingError as error:
        return fault(NAME, str(error), "start the server, correct MLFLOW_TRACKING_URI, or unset it for a local file")
    return ok(NAME, f"{shown_uri(uri)} answers")


def check_data_root() -> Check:
    """Look at the folder that relative data set roots start from."""
    value = os.environ.get("LIT_MEDSEG_DATA")
    if not value:
        return ok("LIT_MEDSEG_DATA", f"unset: relative roots start from {Path.cwd()}")
    folder = Path(value).expanduser().resolve()
    if not folder.is_dir():
        mend = "export LIT_MEDSEG_DATA=<the folder of your data sets>"
        return fault("LIT_MEDSEG_DATA", f"{folder} is not a folder", mend)
    if not os.access(folder, os.R_OK | os.X_OK):
        return fault("LIT_MEDSEG_DATA", f"{folder} cannot be read", f"chmod a+rX {folder}")
    return ok("LIT_MEDSEG_DATA", str(folder))


def _check_sqlite(file: Path) -> Check:
    if not file.is_file():
        if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
            return fault(NAME, f"{file} cannot be made", "start from a folder that you may write to")
        return ok(NAME, f"{file}: none yet, the first run makes it")
    try:
        # Not by check_reachable, which makes a missing folder: a doctor changes nothing.
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as store:
            runs = store.execute("select count(*) from runs").fetchone()[0]
    except sqlite3.Error as error:
        mend = f"move {file} away: the next run makes a new one"
        return fault(NAME, f"{file} is not an MLflow store: {error}", mend)
    if not os.access(file, os.W_OK):
        return warning(NAME, f"{file}: {runs} runs, read-only", f"chmod u+w {file}")
    return ok(NAME, f"{file}: {runs} runs")
