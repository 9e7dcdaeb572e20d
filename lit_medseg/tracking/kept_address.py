"""The store's address in the run folder: whoever comes later knows where the records belong."""

import json
import logging
import os
from pathlib import Path

from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.store import resolve_uri
from lit_medseg.tracking.without_password import without_secret

_log = logging.getLogger(__name__)
_FILE = "store.json"
_SQLITE = "sqlite:///"


def keep_address(folder: Path, uri: str) -> None:
    """Write the address of a run's store into its folder, without the password.

    A SQLite file is written relative to the run folder: both may move together.

    Args:
        folder: The run folder.
        uri: The store's address.
    """
    kept = without_secret(uri)
    if uri.startswith(_SQLITE):
        kept = _SQLITE + os.path.relpath(Path(uri.removeprefix(_SQLITE)).absolute(), folder.absolute())
    if _read(folder) == kept:
        return
    try:
        write_atomically(folder / _FILE, json.dumps({"uri": kept}) + "\n")
    except OSError as error:
        _log.warning("run %s: its store's address cannot be kept: %s", folder.name, error.strerror)


def kept_address(folder: Path) -> str | None:
    """Read the address of a run's store.

    Args:
        folder: The run folder.

    Returns:
        The address; where `MLFLOW_TRACKING_URI` names the same store with a password, that one. None where none is
        kept.
    """
    kept = _read(folder)
    if kept is None:
        return None
    if kept.startswith(_SQLITE):
        return _SQLITE + os.path.normpath(folder.absolute() / kept.removeprefix(_SQLITE))
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    return given if without_secret(given) == kept else kept


def address_of_run(folder: Path, configured: str | None) -> str:
    """Choose the store's address for a run that has an MLflow run already.

    Args:
        folder: The run folder.
        configured: The command line's or the YAML's address; None or empty where they have none.

    Returns:
        The configured address; else the one that the run folder keeps, since the run is nowhere else; for a folder
        that keeps none as `resolve_uri` says.
    """
    return resolve_uri(configured) if configured else kept_address(folder) or resolve_uri(None)


def _read(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / _FILE).read_text(encoding="utf-8"))["uri"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
