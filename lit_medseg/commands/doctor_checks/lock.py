"""The pinned packages, and commands that install them."""

import importlib.util
import re
import sys
from pathlib import Path

LOCK = Path(__file__).parents[3] / "requirements.lock"


def read_lock(file: Path = LOCK) -> dict[str, tuple[str, bool]]:
    """Read the pins of `requirements.lock`.

    Returns:
        By normalised name: the version, and whether it is for every platform (no environment marker). Empty where there
        is no such file: the package runs from elsewhere.
    """
    if not file.is_file():
        return {}
    pins = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        requirement, _, marker = line.partition(";")
        name, _, version = requirement.strip().partition("==")
        if version:
            pins[normalised(name)] = (version.strip(), not marker)
    return pins


def normalised(name: str) -> str:
    """Write a distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def reinstall(*names: str) -> str:
    """Write the command that installs the pinned versions of packages again."""
    pins = read_lock()
    wanted = " ".join(f"{name}=={pins[name][0]}" if name in pins else name for name in names)
    if importlib.util.find_spec("uv"):
        return f"{sys.executable} -m uv pip install --reinstall {wanted}"
    if importlib.util.find_spec("pip"):
        return f"{sys.executable} -m pip install --force-reinstall {wanted}"
    return "rm -rf .venv && make install"
