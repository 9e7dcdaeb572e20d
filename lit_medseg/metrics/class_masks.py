"""The two masks of one class, cut to the box that holds them: what surfaces and lesions are computed from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lit_medseg.target import MultiLabel, Target

Mask = NDArray[np.bool_]
Box = tuple[slice, ...]


@dataclass(frozen=True)
class ClassMasks:
    """One class of one case; the masks are cut out when they are asked for, so that few are in memory at once.

    Attributes:
        prediction: Codes `(*S)` or the plane of the class.
        reference: The same of the truth.
        code: The class's code in both.
        box: The smallest box that holds the class in either; None where the class is nowhere.
    """

    prediction: NDArray[np.integer]
    reference: NDArray[np.integer]
    code: int
    box: Box | None

    def cut(self) -> tuple[Mask, Mask]:
        """Cut out prediction and reference as booleans of one shape; empty arrays where the class is nowhere."""
        box = self.box or (slice(0, 0),) * self.prediction.ndim
        return self.prediction[box] == self.code, self.reference[box] == self.code


def class_masks(
    prediction: NDArray[np.integer], reference: NDArray[np.integer], target: Target
) -> tuple[ClassMasks, ...]:
    """Find the box of every class but the background, in one pass over each array.

    Args:
        prediction: Codes `(*S)`, overlapping classes `(K, *S)` of 0 and 1.
        reference: Codes of the same shape.
        target: How the codes are meant.

    Returns:
        One a scored class, in their order.
    """
    if isinstance(target, MultiLabel):
        planes = zip(prediction, reference, strict=True)
        return tuple(ClassMasks(*pair, 1, _joint(*(_boxes(plane, 1)[0] for plane in pair))) for pair in planes)
    first = len(target.names) - len(target.foreground)
    boxes = [_code_boxes(codes, first, len(target.names) - 1) for codes in (prediction, reference)]
    return tuple(
        ClassMasks(prediction, reference, code, _joint(*pair))
        for code, pair in enumerate(zip(*boxes, strict=True), start=first)
    )


def _code_boxes(codes: NDArray[np.integer], first: int, last: int) -> list[Box | None]:
    """The boxes of the codes from first, 0 or 1, to last; SciPy takes 0 for the background."""
    zero = [] if first else _boxes((codes == 0).view(np.uint8), 1)
    return zero + _boxes(codes, last)


def _boxes(codes: NDArray[np.integer], last: int) -> list[Box | None]:
    """The boxes of the codes 1 to last."""
    return list(ndimage.find_objects(codes, max_label=last)) if last else []


def _joint(one: Box | None, other: Box | None) -> Box | None:
    if one is None or other is None:
        return one or other
    return tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
