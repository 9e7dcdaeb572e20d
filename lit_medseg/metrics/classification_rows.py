"""The result of one classified case."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.metrics.row import Row
from lit_medseg.target import Binary, MultiLabel, Target

if TYPE_CHECKING:  # what only reads tables starts without torch
    from torch import Tensor

JOINT = "|"
"""Stands between the names of overlapping classes."""


def classification_row(
    case_id: str, patient_id: str, probabilities: "Tensor", prediction: "Tensor", label: "Tensor", target: Target
) -> Row:
    """Write one case as a row.

    Args:
        case_id: The case.
        patient_id: Its patient, or the case itself where no patient is known.
        probabilities: `(channels,)` float in [0, 1].
        prediction: Code, int64 `()`; overlapping classes `(K,)` of 0 and 1.
        label: The truth, like `prediction`.
        target: How the codes are meant.

    Returns:
        case_id, patient_id, label, prediction (names; overlapping classes `a|b`, none: an empty text), `p_<class>` as
        unrounded float (binary: both classes), and for overlapping classes `y_<class>`, the truth as 0 or 1.

    Raises:
        ConfigError: The name of an overlapping class contains `|`.
    """
    chances = probabilities.double().cpu().tolist()
    if isinstance(target, Binary):
        chances = [1.0 - chances[0], *chances]
    row: Row = {
        "case_id": case_id,
        "patient_id": patient_id,
        "label": _named(label, target),
        "prediction": _named(prediction, target),
    }
    row |= {f"p_{name}": chance for name, chance in zip(target.names, chances, strict=True)}
    if isinstance(target, MultiLabel):
        row |= {f"y_{name}": int(bit) for name, bit in zip(target.names, label.tolist(), strict=True)}
    return row


def _named(codes: "Tensor", target: Target) -> str:
    if not isinstance(target, MultiLabel):
        return target.names[int(codes)]
    _refuse_joint(target.names)
    return JOINT.join(name for name, bit in zip(target.names, codes.tolist(), strict=True) if bit)


def _refuse_joint(names: Sequence[str]) -> None:
    for name in names:
        if JOINT in name:
            raise ConfigError(expected_got(f"class {name}", "unusable name", f"no {JOINT!r}", name, "Rename the class"))
