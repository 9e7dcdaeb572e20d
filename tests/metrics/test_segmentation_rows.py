import pytest
import torch
from sklearn.metrics import f1_score

from lit_medseg.metrics.segmentation_rows import segmentation_rows
from lit_medseg.target import Binary, MultiClass, MultiLabel

COLUMNS = ["case_id", "patient_id", "class", "dice", "iou", "precision", "recall", "specificity", "accuracy"]
TARGETS = [
    (Binary(("background", "cell")), ["cell"]),
    (MultiClass(("background", "organ", "lesion")), ["organ", "lesion"]),
    (MultiLabel(("organ", "lesion")), ["organ", "lesion"]),
]


@pytest.mark.parametrize(("target", "classes"), TARGETS)
def test_one_row_a_class_of_plain_values(target, classes):
    generator = torch.Generator().manual_seed(0)
    reference, prediction = target.decide(torch.rand(2, target.channels, 13, 7, generator=generator))
    rows = segmentation_rows("case", "patient", prediction, reference, target)
    assert [row["class"] for row in rows] == classes
    for index, row in enumerate(rows):
        assert list(row) == [*COLUMNS, "tp", "fp", "fn", "tn"]
        assert {type(value) for value in row.values()} == {str, float, int}
        assert row["tp"] + row["fp"] + row["fn"] + row["tn"] == 13 * 7
        overlapping = isinstance(target, MultiLabel)
        truth = reference[index] == 1 if overlapping else reference == index + 1
        found = prediction[index] == 1 if overlapping else prediction == index + 1
        assert row["dice"] == pytest.approx(f1_score(truth.flatten(), found.flatten()), abs=1e-15)
        assert row["tp"] == int((truth & found).sum())


def test_a_class_that_is_absent_and_not_predicted_scores_one():
    empty = torch.zeros(5, 5, dtype=torch.long)
    (row,) = segmentation_rows("case", "patient", empty, empty, TARGETS[0][0])
    assert (row["dice"], row["iou"], row["recall"], row["tn"]) == (1.0, 1.0, 1.0, 25)
