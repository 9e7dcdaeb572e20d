import json

import pytest

from lit_medseg.catalogue.classes import LabelClasses
from lit_medseg.catalogue.split import Split
from lit_medseg.catalogue.summary import summarise
from tests.catalogue.fake_cases import entry, manifest_of


def test_it_counts_cases_patients_and_classes():
    cases = [
        entry("a", "p", ("x",)),
        entry("b", "p", ("x", "y")),
        entry("c", None, ()),
        entry("d", None),
        entry("e", "q"),
        entry("f", None, ()),
    ]
    manifest = manifest_of(cases, "some/where")
    split = Split(("a", "b", "c", "f"), (), ("d",), "by hand")
    summary = summarise(manifest, split, LabelClasses({"x": "0", "y": "1", "z": "2"}, overlapping=True))
    assert summary.name == "where"
    assert summary.cases == {"train": 4, "val": 0, "test": 1}
    assert summary.patients == {"train": 3, "val": 0, "test": 1}
    assert summary.classes["train"] == {"x": 2, "y": 1, "z": 0}
    assert summary.classes["test"] == {"x": 1, "y": 0, "z": 0}
    assert summary.unused == 1
    assert (summary.data_hash, summary.split_hash) == (manifest.data_hash, split.split_hash)
    assert json.loads(json.dumps(summary.plain()))["source"]["init_args"]["root"] == "some/where"


def test_it_is_frozen():
    summary = summarise(manifest_of([entry("a")]), Split(("a",), (), (), ""), LabelClasses({"x": "0", "y": "1"}))
    with pytest.raises(AttributeError):
        summary.name = "other"
