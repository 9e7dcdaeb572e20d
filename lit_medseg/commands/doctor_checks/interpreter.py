"""Python and the platform."""

import os
import platform
import sys

from lit_medseg.commands.doctor_checks.check import Check, fault, ok, warning

OLDEST = (3, 11)


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Check:
    """Look at the interpreter: old enough to lack what is used, or outside of an environment of its own."""
    text = f"{'.'.join(map(str, version))} at {sys.executable}"
    if version < OLDEST:
        return fault("Python", text, "rm -rf .venv && make install PYTHON=python3.11 (or a newer one)")
    if sys.prefix == sys.base_prefix and "CONDA_PREFIX" not in os.environ:
        return warning(
            "Python", f"{text}, outside of an environment", "make install, then .venv/bin/python -m lit_medseg"
        )
    return ok("Python", text)


def check_platform(system: str = platform.system(), machine: str = platform.machine()) -> Check:
    """Look at system and processor: the lock is tested on Linux with x86-64."""
    text = f"{platform.platform()} ({machine})"
    if system != "Linux":
        return warning("platform", text, "tested on Linux only; several GPUs need Linux")
    return ok("platform", text)
