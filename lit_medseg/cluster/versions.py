"""What this process runs on: versions that have to be the same on all nodes."""

import hashlib
import platform
from importlib import metadata
from pathlib import Path

_PACKAGES = ("torch", "lightning", "numpy", "monai")


def versions() -> dict[str, str]:
    """Give the versions of Python, of the libraries that compute, and of this program's own code.

    Returns:
        By name. The code's is a hash of its files, whatever git says of them: the data modules' too.
    """
    found = {"the version of python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[f"the version of {package}"] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[f"the version of {package}"] = "not installed"
    return {**found, "the code of lit_medseg": code_hash(Path(__file__).parents[1])}


def code_hash(package: Path) -> str:
    """Hash all Python files of a package, and of `data_modules` beside it.

    Args:
        package: Its folder.

    Returns:
        Hexadecimal.
    """
    digest = hashlib.sha256()
    for folder in (package, package.parent / "data_modules"):
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.relative_to(package.parent).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
