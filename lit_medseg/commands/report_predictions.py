"""What `predict` says at its end, and with which exit status it leaves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lit_medseg.inference.prediction_writer import FAILED, MEASUREMENTS, TABLE, Predicted
from lit_medseg.inference.skipped_case import SkippedCase

SOME_SKIPPED, NOTHING_DONE = 1, 2
_MOST_ROWS = 20


def predicted_status(found: Predicted) -> int:
    """Give the exit status: 0 where all cases were predicted, 1 where some were skipped, 2 where all were."""
    if not found.files:
        return NOTHING_DONE
    return SOME_SKIPPED if found.skipped else 0


def report_skipped(console: Console, skipped: Sequence[SkippedCase]) -> None:
    """Print one line for each case that could not be read."""
    for one in skipped:
        console.print(f"skipped: {one.reason}", markup=False, highlight=False, soft_wrap=True)


def report_predictions(console: Console, found: Predicted, folder: Path) -> None:
    """Print the predictions, where they are, and what comes next.

    Args:
        console: Where to print.
        found: What was predicted.
        folder: Of the predictions, as the user may type it.
    """
    masks = any(found.files.values())
    if masks:
        console.print(_table(found))
    total = len({*found.files, *(one.case_id or one.reason for one in found.skipped)})
    replaced = f", {found.replaced} earlier files replaced" if found.replaced else ""
    _line(console, f"predicted   {len(found.files)} of {total} cases{replaced}")
    _line(console, f"predictions {folder}")
    if found.files:
        _line(console, f"table       {folder / (MEASUREMENTS if masks else TABLE)}")
    if found.skipped:
        _line(console, f"skipped     {folder / FAILED}: what failed, and why; mend it and give the same command again")
    volumes = [file for file in found.files.values() if file.endswith(".nii.gz")]
    if volumes:
        example = folder / volumes[0]
        nrrd = example.with_name(example.name.replace(".nii.gz", ".nrrd"))
        _line(console, f"convert one python -m lit_medseg data convert {example} {nrrd}")


def _table(found: Predicted) -> Table:
    """Show the first cases with the size of each class."""
    by_case: dict[str, list[Mapping[str, Any]]] = {}
    for row in found.rows:
        by_case.setdefault(str(row["case_id"]), []).append(row)
    table = Table("case", "found", "file")
    for column in table.columns:
        column.overflow = "fold"
    for case_id in sorted(by_case)[:_MOST_ROWS]:
        cells = (case_id, ", ".join(map(_size, by_case[case_id])), found.files.get(case_id, ""))
        table.add_row(*map(Text, cells))  # nothing in a name is markup
    if len(by_case) > _MOST_ROWS:
        table.add_row(f"and {len(by_case) - _MOST_ROWS} more", "", "")
    return table


def _size(row: Mapping[str, Any]) -> str:
    """Write a class and its size: in millilitres, square millimetres, or what was counted."""
    for key, unit in (("volume_ml", "ml"), ("area_mm2", "mm2"), ("pixels", "pixels"), ("voxels", "voxels")):
        if key in row:
            return f"{row['class']} {row[key]:.4g} {unit}"
    return str(row["class"])


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
