"""The plan of a sweep as it is in work, kept beside its study: its YAML may change meanwhile."""

import json
from pathlib import Path
from typing import Any

from lit_medseg.errors import TrackingError, expected_got
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.read_plan import plan_of
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.without_password import without_secret

_FILE = "plan.json"


def keep_plan(place: Place, plan: Plan, bases: list[dict[str, Any]]) -> Path:
    """Write plan and experiments into the sweep's folder, and no password: the file goes to MLflow too.

    Returns:
        The file.
    """
    file = place.folder.path / _FILE
    source = dict(plan.source)
    if isinstance(plan.storage, str):
        source["storage"] = plan.storage  # that of the command line, where there is one
    source["storage"] = _masked(source.get("storage"))
    plain = {"name": plan.name, "sweep": source, "experiments": bases}
    write_atomically(file, json.dumps(plain, indent=1) + "\n")
    return file


def _masked(plain: Any) -> Any:
    """Leave out the passwords of all addresses, however deep they are among the arguments of a class."""
    if isinstance(plain, dict):
        return {key: _masked(value) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_masked(value) for value in plain]
    return without_secret(plain) if isinstance(plain, str) and "://" in plain else plain


def read_kept_plan(place: Place) -> tuple[Plan, list[dict[str, Any]]]:
    """Read them.

    Raises:
        TrackingError: They are missing or damaged.
    """
    try:
        plain: Any = json.loads((place.folder.path / _FILE).read_text(encoding="utf-8"))
        return plan_of(plain["sweep"], Path(), plain["name"]), list(plain["experiments"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        where = f"sweep {place.name}"
        text = expected_got(where, "its plan cannot be read", _FILE, error, "Start it with --resume once")
        raise TrackingError(text) from error
