"""The scores of one segmented case."""

from torch import Tensor

from lit_medseg.metrics import ratios
from lit_medseg.metrics.counts import confusion_counts
from lit_medseg.metrics.row import Row
from lit_medseg.target import Target

RATIOS = {
    "dice": ratios.dice,
    "iou": ratios.iou,
    "precision": ratios.precision,
    "recall": ratios.recall,
    "specificity": ratios.specificity,
    "accuracy": ratios.accuracy,
}
"""The scored columns, in their order."""


def segmentation_rows(
    case_id: str, patient_id: str, prediction: Tensor, reference: Tensor, target: Target
) -> list[Row]:
    """Score one case on its own grid, a row for each class but the background.

    Args:
        case_id: The case.
        patient_id: Its patient, or the case itself where no patient is known.
        prediction: Codes `(*S)` int64, overlapping classes `(K, *S)` of 0 and 1.
        reference: Codes of the same shape and device.
        target: How the codes are meant.

    Returns:
        In the order of the classes: case_id, patient_id, class, the ratios as float (0/0: see `ratios`), tp, fp, fn
        and tn as int.

    Raises:
        DataError: The shapes differ.
    """
    counts = confusion_counts(
        target.foreground_planes(prediction.unsqueeze(0))[0], target.foreground_planes(reference.unsqueeze(0))[0]
    )
    scores = {name: ratio(counts).tolist() for name, ratio in RATIOS.items()}
    rows: list[Row] = []
    for index, name in enumerate(target.foreground):
        row: Row = {"case_id": case_id, "patient_id": patient_id, "class": name}
        row |= {score: values[index] for score, values in scores.items()}
        row |= dict(zip(("tp", "fp", "fn", "tn"), counts[index].tolist(), strict=True))
        rows.append(row)
    return rows
