"""The choice of post-processing: what helps is kept, what does not is not, for each class."""

import json

import numpy as np
import pytest
from monai.metrics import compute_dice
from torch import from_numpy

from lit_medseg.errors import ConfigError, DataError
from lit_medseg.inference.post_process.apply import post_processed
from lit_medseg.inference.post_process.choose import PredictedCase, choose_post_processing
from lit_medseg.inference.post_process.closing import Closing
from lit_medseg.inference.post_process.fill_holes import FillHoles
from lit_medseg.inference.post_process.largest_component import LargestComponent
from lit_medseg.inference.post_process.plain import post_process_from_plain
from lit_medseg.target import MultiClass, MultiLabel

TARGET = MultiClass(("background", "organ", "lesions"))
GRID = (10, 24, 24)


def _cases(count=4, patients=4):
    """One organ with specks far from it and a hole; lesions that are many."""
    cases = []
    for index in range(count):
        rng = np.random.default_rng(index)
        reference = np.zeros(GRID, dtype=np.uint8)
        reference[2:8, 3:12, 3:12] = 1
        for _ in range(5):
            at = rng.integers(1, [8, 22, 9])
            reference[at[0] : at[0] + 2, at[1] : at[1] + 2, 14 + at[2] : 16 + at[2]] = 2
        prediction = reference.copy()
        prediction[4:6, 6:8, 6:8] = 0
        prediction[0, 20, :3] = prediction[9, 22, 4:7] = 1
        cases.append(PredictedCase(f"p{index % patients}", prediction, reference, (2.0, 1.0, 1.0)))
    return cases


def _dice(cases, steps, code):
    values = []
    for case in cases:
        found = post_processed(case.prediction, TARGET, case.spacing_mm, steps)
        pair = [from_numpy(one == code)[None, None].float() for one in (found, case.reference)]
        values.append(compute_dice(*pair).item())
    return np.mean(values)


def test_each_class_keeps_what_helps_it():
    cases = _cases()
    chosen = choose_post_processing(cases, TARGET)
    assert chosen.steps == (LargestComponent(classes=("organ",)), FillHoles(classes=("organ",)))
    assert _dice(cases, chosen.steps, 1) == 1.0
    assert (chosen.cases, chosen.patients) == (4, 4)
    decisions = [(one["candidate"], one["class"], one["kept"]) for one in chosen.decisions]
    assert decisions == [
        ("LargestComponent(keep=1)", "foreground", False),
        ("LargestComponent(keep=1)", "organ", True),
        ("LargestComponent(keep=1)", "lesions", False),
        ("FillHoles(slicewise=False)", "organ", True),
        ("FillHoles(slicewise=False)", "lesions", False),
    ]
    # each candidate is judged on what those kept before it left
    assert chosen.decisions[3]["dice_before"] == chosen.decisions[1]["dice_after"]
    for number, steps in [(1, []), (3, chosen.steps[:1])]:
        assert chosen.decisions[number]["dice_before"] == pytest.approx(_dice(cases, steps, 1), abs=1e-6)


def test_together_only_where_no_class_falls():
    target = MultiClass(("background", "left", "right"))
    reference = np.zeros((20, 20), dtype=np.uint8)
    reference[5:15, 5:10], reference[5:15, 10:15] = 1, 2
    prediction = reference.copy()
    prediction[0, :6] = 1
    candidate = LargestComponent(together=True)
    chosen = choose_post_processing([PredictedCase("p", prediction, reference)], target, [candidate])
    assert chosen.steps == (LargestComponent(classes=("left", "right"), together=True),)
    reference[19, 19] = prediction[19, 19] = 2  # a part that is real
    assert choose_post_processing([PredictedCase("p", prediction, reference)], target, [candidate]).steps == ()


def test_the_margin_has_to_be_passed():
    cases = _cases()
    rise = choose_post_processing(cases, TARGET, [FillHoles()]).decisions[0]
    gain = rise["dice_after"] - rise["dice_before"]
    assert choose_post_processing(cases, TARGET, [FillHoles()], margin=gain * 1.01).steps == ()
    assert choose_post_processing(cases, TARGET, [FillHoles()], margin=gain * 0.99).steps != ()
    perfect = [PredictedCase("p", case.reference, case.reference, None) for case in cases]
    assert choose_post_processing(perfect, TARGET, margin=0.0).steps == ()


def test_patients_count_alike():
    helped, harmed = np.zeros((2, 12, 12), dtype=np.uint8)
    helped[2:10, 2:10] = harmed[2:10, 2:10] = 1
    broken = helped.copy()
    broken[4:6, 4:6] = 0
    hollow = helped.copy()
    hollow[3:9, 3:9] = 0
    target = MultiClass(("background", "organ"))
    many = [PredictedCase("a", broken, helped)] * 9
    one = [PredictedCase("b", hollow, hollow)]
    assert choose_post_processing(many, target, [FillHoles()]).steps
    assert choose_post_processing(many + one, target, [FillHoles()]).steps == ()


def test_overlapping_classes_and_plain_data():
    target = MultiLabel(("organ", "lesions"))
    cases = [
        PredictedCase(case.patient_id, *(np.stack([one == 1, one == 2]).astype(np.uint8) for one in pair), None)
        for case in _cases(2)
        for pair in [(case.prediction, case.reference)]
    ]
    chosen = choose_post_processing(cases, target, [LargestComponent(), Closing(1.0)])
    plain = json.loads(json.dumps(chosen.plain()))
    assert [post_process_from_plain(one) for one in plain["steps"]] == list(chosen.steps)
    assert plain["steps"][0]["init_args"]["classes"] == ["organ"]
    assert (plain["margin"], plain["cases"], plain["patients"]) == (0.001, 2, 2)
    assert {type(value) for one in plain["decisions"] for value in one.values()} == {str, float, bool}


def test_a_candidate_of_some_classes_is_tried_on_those_alone():
    chosen = choose_post_processing(_cases(2), TARGET, [LargestComponent(classes=("lesions",))])
    assert [one["class"] for one in chosen.decisions] == ["lesions"]


def test_without_cases_or_with_unknown_classes():
    with pytest.raises(DataError, match="post-processing: nothing to choose on, expected validation cases, got none"):
        choose_post_processing([], TARGET)
    with pytest.raises(ConfigError, match="unknown class"):
        choose_post_processing(_cases(1), TARGET, [FillHoles(classes=("spleen",))])
    case = PredictedCase("p", np.zeros((3, 3), np.uint8), np.zeros((3, 4), np.uint8))
    with pytest.raises(DataError, match="not on the reference's grid"):
        choose_post_processing([case], TARGET)
