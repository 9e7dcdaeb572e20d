"""The one place that reads `LIT_MEDSEG_DATA`, the folder that relative dataset roots start from."""

import os
from pathlib import Path


def resolve_root(root: str) -> Path:
    """Find the folder (or file) that a YAML names.

    Args:
        root: As in the YAML; `~` is the home folder, and an absolute path is taken as it is.

    Returns:
        The path; a relative root starts from `$LIT_MEDSEG_DATA`, or from the working folder where that is unset or
        empty. `..` is resolved. Whether anything is there is not checked.
    """
    return Path(os.environ.get("LIT_MEDSEG_DATA", "")).expanduser().joinpath(Path(root).expanduser()).resolve()
