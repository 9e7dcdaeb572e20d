"""Installed versions against the pinned ones."""

from collections.abc import Mapping
from importlib import metadata

from lit_medseg.commands.doctor_checks.check import Check, fault, ok, warning
from lit_medseg.commands.doctor_checks.lock import normalised, read_lock

SHOWN = 5
MEND = "make install, or: python -m pip install -r requirements.lock"


def check_packages(pins: Mapping[str, tuple[str, bool]] | None = None) -> Check:
    """Compare what is installed with `requirements.lock`.

    Args:
        pins: As `read_lock` gives them; None reads the project's lock.

    Returns:
        A fault where a package is missing, a warning where versions differ.
    """
    wanted = read_lock() if pins is None else pins
    if not wanted:
        return warning("packages", "no requirements.lock beside the package", "run from a clone of the project")
    installed = installed_versions()
    missing = [name for name, (_, everywhere) in wanted.items() if everywhere and name not in installed]
    # A local label says how a wheel was built (2.15.0+cpu), not which version it is.
    other = [
        f"{name} {installed[name]} (pinned {version})"
        for name, (version, _) in wanted.items()
        if name in installed and installed[name].partition("+")[0] != version
    ]
    if missing:
        return fault("packages", f"{len(missing)} missing: {_few(missing)}", MEND)
    if other:
        return warning("packages", f"{len(other)} differ: {_few(other)}", MEND)
    return ok("packages", f"{len(wanted)} pins of requirements.lock hold")


def installed_versions() -> dict[str, str]:
    """List what is installed, version by normalised name; of a doubled one the one that is imported."""
    versions: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            versions.setdefault(normalised(name), distribution.version)
    return versions


def _few(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
