"""A case as it lies in the cache."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.trace import CaseTrace


@dataclass(frozen=True)
class ProcessedCase:
    """Everything that training and evaluation need of a case, but its label.

    Attributes:
        case_id: Unique within the data set.
        image: `(C, *S)`, uint8, or float32 within [0, 1].
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
        DataError: Channels on different grids, a mask on another grid, or intensities that are neither uint8 nor
            within [0, 1].
    """
    processed, trace = pipeline.apply(sample)
    where = f"case {case_id}"
    grids = {image.grid for image in processed.images}
    if processed.mask is not None:
        grids.add(processed.mask.grid)
    if len(grids) > 1:
        todo = "Add a step that brings channels and mask onto one grid"
        raise DataError(expected_got(where, "different grids after preprocessing", "one", sorted(grids), todo))
    image = _unit_range(np.concatenate([image.array for image in processed.images]), where)
    mask = None if processed.mask is None else processed.mask.array.astype(np.uint8, copy=False)
    reference = None if sample.mask is None else sample.mask.array.astype(np.uint8, copy=False)
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
