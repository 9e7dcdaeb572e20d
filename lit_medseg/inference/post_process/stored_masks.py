"""Predicted masks of an evaluation on the disk, and read back case by case."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lit_medseg.inference.post_process.predicted_case import PredictedCase


@dataclass(frozen=True)
class StoredMasks:
    """Reads one case after the other, each time it is gone through, in the order of the case ids.

    Attributes:
        folder: Of the `.npz` files.
    """

    folder: Path

    def __iter__(self) -> Iterator[PredictedCase]:
        """Give the cases."""
        order: dict[str, Path] = {}
        for file in sorted(self.folder.glob("*.npz")):
            with np.load(file) as found:
                order[str(found["case_id"])] = file
        for case_id in sorted(order):
            with np.load(order[case_id]) as found:
                spacing = tuple(float(step) for step in found["spacing_mm"]) or None
                yield PredictedCase(str(found["patient_id"]), found["prediction"], found["reference"], spacing)


def store_case(
    file: Path,
    ids: tuple[str, str],
    prediction: np.ndarray[Any, Any],
    reference: np.ndarray[Any, Any],
    spacing_mm: Sequence[float] | None,
) -> None:
    """Write one case.

    Args:
        file: Ends with `.npz`; `StoredMasks` reads all of a folder.
        ids: Its case and patient id.
        prediction: Codes `(*S)`, overlapping classes `(K, *S)` of 0 and 1, on the native grid.
        reference: Codes of the same shape.
        spacing_mm: Distance of voxel centres along each axis of S; None where it is unknown.
    """
    np.savez_compressed(
        file,
        case_id=ids[0],
        patient_id=ids[1],
        prediction=_small(prediction),
        reference=_small(reference),
        spacing_mm=() if spacing_mm is None else tuple(spacing_mm),
    )


def _small(codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return codes.astype(np.uint8 if codes.max() < 256 else np.uint16)
