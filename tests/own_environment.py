"""The environment of a command that a test starts: none of the person's who runs the tests."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
_THEIRS = ("LIT_MEDSEG_DATA", "MLFLOW_TRACKING_URI")


def own_environment(**more):
    """This process's environment: the package on the path, without their data and store, and with more variables."""
    kept = {name: value for name, value in os.environ.items() if name not in _THEIRS}
    return {**kept, "PYTHONPATH": str(ROOT), **more}
