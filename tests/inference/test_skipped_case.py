"""One line for whatever a case fails by."""

import pytest
import torch

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.errors import DataError
from lit_medseg.inference.skipped_case import nameless, skipped_case, skipped_in_reading


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DataError("case p1: wrong, expected a, got b. Do c."), "case p1: wrong, expected a, got b. Do c."),
        (DataError("steps: wrong, expected a,\n got b. Do c."), "case p1, steps: wrong, expected a, got b. Do c."),
        (
            RuntimeError("shape '[2]' is invalid.\nmore"),
            "case p1: its preprocessing failed, expected no error, got RuntimeError: shape '[2]' is invalid. more. "
            "Compare the study with those of the training: kind, size, spacing.",
        ),
    ],
)
def test_errors_become_one_line(error, reason):
    skipped = skipped_case("p1", "preprocessing", error)
    assert skipped.plain() == {"case_id": "p1", "stage": "preprocessing", "reason": reason}


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried ...")])
def test_too_little_memory_is_told_as_such(error):
    reason = skipped_case("p1", "prediction", error).reason
    assert reason.startswith("case p1: out of memory in its prediction, expected room for the whole study, got none")


def test_the_names_of_folders_stay_out():
    case = Case("0123456789ab/t2", None, (Ref("PAT-77/t2"),))
    skipped = skipped_case("0123456789ab/t2", "writing", DataError("PAT-77/t2: torn, expected x, got y. Z."))
    assert nameless(skipped, case).reason == "case 0123456789ab/t2, 0123456789ab/t2: torn, expected x, got y. Z."
    other = skipped_case("a/t2", "writing", DataError("b/t2: torn, expected x, got y. Z."))
    assert nameless(other, Case("a/t2", None, (Ref("b/t2"),))) == other
    assert nameless(other, None) == other


@pytest.mark.parametrize(
    ("fault", "case_id"),
    [
        ("case a, image a.png: torn, expected x, got y. Z.", "a"),
        ("case a, b: torn, expected x, got y. Z.", "a, b"),
        ("case c/d: other channels, expected x, got y. Z.", "c/d"),
        ("folder e: not one case, expected x, got y. Z.", ""),
    ],
)
def test_whose_fault_it_is(fault, case_id):
    skipped = skipped_in_reading(fault, ["a", "a, b"])
    assert (skipped.case_id, skipped.stage, skipped.reason) == (case_id, "reading", fault)
