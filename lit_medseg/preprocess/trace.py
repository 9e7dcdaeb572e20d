"""The way back from a processed case to its native grid, as plain data."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lit_medseg.imaging.volume import Volume

Trace = dict[str, Any]
"""What one step must remember of a case to undo itself: JSON-able; empty where there is nothing to undo."""


@dataclass(frozen=True)
class CaseTrace:
    """Where a case came from, and what each step did to it.

    Attributes:
        grid: Native spatial shape S.
        spacing_mm: Native spacing in the order of the axes.
        affine: Native 4x4 affine as rows; None where unknown.
        steps: One trace a step, in the order of the pipeline.
        processed_mm: Spacing of the processed grid, in the order of its axes.
    """

    grid: tuple[int, ...]
    spacing_mm: tuple[float, ...]
    affine: tuple[tuple[float, ...], ...] | None
    steps: tuple[Trace, ...]
    processed_mm: tuple[float, ...] = ()

    @property
    def known_mm(self) -> tuple[float, ...] | None:
        """Native spacing where files state it; None where it is 1 for want of anything better, as of a photograph."""
        stated = self.affine is not None or any(step != 1.0 for step in self.spacing_mm)
        return self.spacing_mm if stated else None

    @classmethod
    def start(cls, native: Volume, steps: tuple[Trace, ...], processed: Volume) -> "CaseTrace":
        """Note the native place of a volume, what the steps left, and the spacing of what came out."""
        rows = None if native.affine is None else tuple(tuple(float(x) for x in row) for row in native.affine)
        native_mm, processed_mm = (tuple(float(mm) for mm in volume.spacing_mm) for volume in (native, processed))
        return cls(native.grid, native_mm, rows, steps, processed_mm)

    def place(self, volume: Volume) -> Volume:
        """Give a volume on the native grid the native spacing and affine, free of rounding."""
        affine = None if self.affine is None else np.array(self.affine, dtype=np.float64)
        return Volume(volume.array, self.spacing_mm, affine)

    def plain(self) -> dict[str, Any]:
        """Give the trace as JSON-able data."""
        affine = None if self.affine is None else [list(row) for row in self.affine]
        steps = [dict(step) for step in self.steps]
        return {
            "grid": list(self.grid),
            "spacing_mm": list(self.spacing_mm),
            "affine": affine,
            "steps": steps,
            "processed_mm": list(self.processed_mm),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "CaseTrace":
        """Rebuild a trace from what `plain` gave."""
        affine = plain["affine"]
        rows = None if affine is None else tuple(tuple(row) for row in affine)
        steps, processed_mm = tuple(plain["steps"]), tuple(plain["processed_mm"])
        return cls(tuple(plain["grid"]), tuple(plain["spacing_mm"]), rows, steps, processed_mm)
