"""Where the post-processing that was chosen for the folds is kept."""

import json
from pathlib import Path

CHOSEN = "post_processing.json"
"""In the folder of a cross-validation: what all folds together choose, for their ensemble. Written last."""


def chosen_file(folder: Path, number: int) -> Path:
    """Name the file of what the other folds choose for a fold.

    Args:
        folder: The run folder of the cross-validation.
        number: The fold.
    """
    return folder / "folds" / f"fold{number}-{CHOSEN}"


def chosen_steps(folder: Path, number: int) -> int:
    """Count the steps that were chosen for a fold; see `chosen_file`."""
    return len(json.loads(chosen_file(folder, number).read_text(encoding="utf-8"))["steps"])
