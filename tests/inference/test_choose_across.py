"""A fold's post-processing is chosen on the other folds: what its own cases look like does not count."""

import numpy as np
import pytest

from lit_medseg.inference.post_process.choose import choose_post_processing
from lit_medseg.inference.post_process.choose_across import choose_across_folds
from lit_medseg.inference.post_process.predicted_case import PredictedCase
from lit_medseg.inference.post_process.stored_masks import StoredMasks, store_case
from lit_medseg.target import Binary, MultiClass

TARGET = Binary(("background", "organ"))


def case(number, specks=0, holes=0, shape=(32, 32)):
    rng = np.random.default_rng(number)
    reference = np.zeros(shape, np.uint8)
    reference[8:22, 8:22] = 1
    prediction = reference.copy()
    prediction[20:22] = 0
    for _ in range(specks):
        prediction[rng.integers(26, 32), rng.integers(0, 32)] = 1
    for _ in range(holes):
        prediction[rng.integers(10, 18), rng.integers(10, 20)] = 0
    return PredictedCase(f"p{number}", prediction, reference)


def folds(*kinds):
    return {number: [case(10 * number + one, **kind) for one in range(3)] for number, kind in enumerate(kinds)}


def names(chosen):
    return [type(step).__name__ for step in chosen.steps]


def test_each_fold_gets_what_the_others_choose():
    """Only fold 0 has specks, only fold 2 has holes."""
    by_fold, every = choose_across_folds(folds({"specks": 6}, {}, {"holes": 6}), TARGET)
    assert names(by_fold[0]) == ["FillHoles"]
    assert names(by_fold[1]) == ["LargestComponent", "FillHoles"]
    assert names(by_fold[2]) == ["LargestComponent"]
    assert names(every) == ["LargestComponent", "FillHoles"]
    assert by_fold[1].cases == by_fold[1].patients == 6
    assert every.cases == 9


@pytest.mark.parametrize("target", [TARGET, MultiClass(("background", "organ", "lesion"))])
def test_the_choice_equals_the_one_on_the_other_folds_alone(target):
    parts = folds({"specks": 6}, {"specks": 2, "holes": 3}, {"holes": 6}, {})
    by_fold, every = choose_across_folds(parts, target)
    for number, chosen in by_fold.items():
        others = [one for other, cases in parts.items() if other != number for one in cases]
        assert chosen == choose_post_processing(others, target)
    assert every == choose_post_processing([one for cases in parts.values() for one in cases], target)


def test_a_planted_leak_changes_all_choices_but_the_fold_s_own():
    parts = folds({}, {}, {})
    before, _ = choose_across_folds(parts, TARGET)
    parts[1] = [case(100 + number, specks=9, holes=9) for number in range(3)]
    after, every = choose_across_folds(parts, TARGET)
    assert after[1] == before[1]
    assert names(after[1]) == []
    assert names(after[0]) == names(after[2]) == names(every) == ["LargestComponent", "FillHoles"]


def test_masks_that_were_stored_choose_alike(tmp_path):
    parts = folds({"specks": 6}, {"holes": 6})
    for number, cases in parts.items():
        (tmp_path / str(number)).mkdir()
        for place, one in enumerate(cases):
            ids = (f"case{place}", one.patient_id)
            store_case(tmp_path / str(number) / f"0-{place:06d}.npz", ids, one.prediction, one.reference, (1.0, 2.0))
    stored = {number: StoredMasks(tmp_path / str(number)) for number in parts}
    assert next(iter(stored[0])).spacing_mm == (1.0, 2.0)
    again, parts_again = choose_across_folds(stored, TARGET), choose_across_folds(parts, TARGET)
    assert [names(one) for one in again[0].values()] == [names(one) for one in parts_again[0].values()]
