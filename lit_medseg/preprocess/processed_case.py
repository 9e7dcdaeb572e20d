"""A case as it lies in the cache."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.preprocess.one_grid import check_one_grid
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.trace import CaseTrace

_VOLUME_DTYPES = (np.uint8, np.int16, np.uint16, np.float16, np.float32)


@dataclass(frozen=True)
class ProcessedCase:
    """Everything that training and evaluation need of a case, but its label.

    Attributes:
        case_id: Unique within the data set.
        image: `(C, *S)`: a picture is uint8, or float32 within [0, 1]; a volume is uint8, int16, uint16, float16 or
            float32, finite.
        mask: uint8 codes `(1, *S)` or planes `(K, *S)` on the image's grid; None without truth.
        reference: The same on the native grid, as the files hold it.
        trace: The way back to the native grid.
    """

    case_id: str
    image: NDArray[Any]
    mask: NDArray[np.uint8] | None
    reference: NDArray[np.uint8] | None
    trace: CaseTrace


def process_case(case_id: str, sample: Sample, pipeline: Pipeline) -> ProcessedCase:
    """Send a case through the pipeline and check what comes out.

    Raises:
        DataError: Channels on different grids, a mask on another grid, intensities of a picture that are neither uint8
            nor within [0, 1], or of a volume that are not finite.
    """
    processed, trace = pipeline.apply(sample)
    where = f"case {case_id}"
    check_one_grid([*processed.images, *([] if processed.mask is None else [processed.mask])], where)
    stacked = np.concatenate([image.array for image in processed.images])
    image = _unit_range(stacked, where) if stacked.ndim == 3 else _finite(stacked, where)
    mask = None if processed.mask is None else processed.mask.array.astype(np.uint8, copy=False)
    reference = None if sample.mask is None else pipeline.truth(sample.mask).array.astype(np.uint8, copy=False)
    return ProcessedCase(case_id, image, mask, reference, trace)


def _unit_range(image: NDArray[Any], where: str) -> NDArray[Any]:
    """Keep uint8; take floats within [0, 1] as float32; refuse the rest: augmentation would clip it."""
    if image.dtype == np.uint8:
        return image
    todo = "Add PercentileRescale or EightBit to data.preparation.steps"
    expected = "uint8, or floats from 0 to 1"
    if image.dtype.kind != "f":
        raise DataError(expected_got(where, "unusable intensities after preprocessing", expected, image.dtype, todo))
    low, high = float(image.min()), float(image.max())
    if not 0 <= low <= high <= 1:
        raise DataError(
            expected_got(where, "unusable intensities after preprocessing", expected, f"{low} to {high}", todo)
        )
    return image.astype(np.float32, copy=False)


def _finite(image: NDArray[Any], where: str) -> NDArray[Any]:
    """Keep what the cache stores of a volume as it is, take the rest as float32; refuse what is not finite."""
    kept = image if image.dtype in _VOLUME_DTYPES else image.astype(np.float32)
    if kept.dtype.kind == "f" and not np.isfinite(kept).all():
        todo = "Mend the file, or look for a step that divides by zero"
        got = f"{int((~np.isfinite(kept)).sum())} NaN or infinite voxels"
        raise DataError(expected_got(where, "unusable intensities after preprocessing", "finite ones", got, todo))
    return kept
