import pytest
import torch

from lit_medseg.errors import ConfigError
from lit_medseg.metrics.classification_rows import classification_row
from lit_medseg.target import Binary, MultiClass, MultiLabel


def test_binary_has_both_probabilities_unrounded():
    target = Binary(("normal", "ill"))
    chance = torch.tensor([0.1])
    row = classification_row("c", "p", chance, torch.tensor(0), torch.tensor(1), target)
    assert row == {
        "case_id": "c",
        "patient_id": "p",
        "label": "ill",
        "prediction": "normal",
        "p_normal": 1 - 0.10000000149011612,
        "p_ill": 0.10000000149011612,
    }
    assert {type(value) for value in row.values()} == {str, float}


def test_multi_class():
    chances = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    row = classification_row("c", "p", chances, torch.tensor(1), torch.tensor(2), MultiClass(("a", "b", "c")))
    assert (row["label"], row["prediction"]) == ("c", "b")
    assert [row[f"p_{name}"] for name in "abc"] == [0.2, 0.5, 0.3]


def test_overlapping_names_are_joined_and_may_be_none():
    target = MultiLabel(("a", "b", "c"))
    row = classification_row(
        "c", "p", torch.tensor([0.75, 0.25, 1.0]), torch.tensor([1, 0, 1]), torch.tensor([0, 0, 0]), target
    )
    assert (row["label"], row["prediction"]) == ("", "a|c")
    assert [row[f"y_{name}"] for name in "abc"] == [0, 0, 0]
    assert list(row)[4:] == ["p_a", "p_b", "p_c", "y_a", "y_b", "y_c"]


def test_a_name_with_the_joint_is_refused():
    codes = torch.tensor([1, 0])
    with pytest.raises(ConfigError, match=r"class a\|b: unusable name"):
        classification_row("c", "p", torch.rand(2), codes, codes, MultiLabel(("a|b", "c")))
