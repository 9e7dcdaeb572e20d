"""How large each label is, and what preprocessing did to it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.trace import CaseTrace, Trace


def label_sizes(mask: Volume) -> dict[str, float]:
    """Measure every foreground label that is there.

    Args:
        mask: Codes `(1, *S)`, or planes `(K, *S)` that count from 1.

    Returns:
        Size by code (as text: it goes into JSON) in cubic millimetres, in square millimetres for two dimensions.
    """
    unit = float(np.prod(mask.spacing_mm))
    if len(mask.array) > 1:
        counts = np.array([0, *(np.count_nonzero(plane) for plane in mask.array)])
    else:
        counts = label_counts(mask.array[0], int(np.max(mask.array)) + 1)
        counts[0] = 0
    return {str(code): float(counts[code] * unit) for code in np.flatnonzero(counts)}


def label_counts(plane: NDArray[Any], codes: int) -> NDArray[np.intp]:
    """Count the voxels of the codes from 0 to below `codes`, slice by slice: NumPy counts in eight bytes a voxel."""
    counts = np.zeros(codes, np.intp)
    for part in plane:
        counts += np.bincount(part.reshape(-1), minlength=codes)
    return counts


def size_trace(before: Volume, after: Volume) -> Trace:
    """Note how large each label of a mask was, and how large it is after a step that resamples it."""
    sizes, sizes_after = label_sizes(before), label_sizes(after)
    return {"label_sizes_mm": {code: [size, sizes_after.get(code, 0.0)] for code, size in sizes.items()}}


def label_size_changes(trace: CaseTrace) -> dict[str, tuple[float, float]]:
    """Report how resampling changed the size of each label of a case.

    Args:
        trace: What preprocessing left of the case.

    Returns:
        Size before the first and after the last resampling by code, in cubic (2D: square) millimetres; empty where no
        mask was resampled.
    """
    changes = dict[str, tuple[float, float]]()
    for step in trace.steps:
        for code, (before, after) in step.get("label_sizes_mm", {}).items():
            changes[code] = (changes.get(code, (before, after))[0], after)
    return changes
