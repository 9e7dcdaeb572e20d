import pytest

from lit_medseg.crossval.plan import CrossvalPlan
from lit_medseg.errors import ConfigError


def test_a_fold_for_each_part():
    folds = CrossvalPlan(folds=3, val=0.2, seed=4, stratify="site").list_folds()
    assert [fold.name for fold in folds] == ["fold0", "fold1", "fold2"]
    assert folds[2].splitter_plain() == {
        "class_path": "lit_medseg.catalogue.folds.Folds",
        "init_args": {"folds": 3, "fold": 2, "val": 0.2, "seed": 4, "stratify": "site"},
    }
    assert folds[2].tags == {"fold": "2"}


def test_inner_folds_come_after_the_outer_ones():
    folds = CrossvalPlan(folds=2, nested=2, seed=4).list_folds()
    inner = ["fold0-inner0", "fold0-inner1", "fold1-inner0", "fold1-inner1"]
    assert [fold.name for fold in folds] == ["fold0", "fold1", *inner]
    assert folds[-1].title == "fold 1, inner 1"
    assert folds[-1].tags == {"fold": "1", "inner_fold": "1"}
    arguments = {"folds": 2, "fold": 1, "inner_folds": 2, "inner_fold": 1, "val": 0.15, "seed": 4, "stratify": None}
    assert folds[-1].splitter_plain()["init_args"] == arguments


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"folds": 1}, r"--folds: no cross-validation, expected 2 or more, got 1"),
        ({"nested": 1}, r"--nested: no cross-validation"),
        ({"val": 1.2}, r"--val: no share of the cases"),
    ],
)
def test_numbers_that_are_none(arguments, text):
    with pytest.raises(ConfigError, match=text):
        CrossvalPlan(**arguments)
