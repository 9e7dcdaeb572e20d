from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from lit_medseg.catalogue.classes import MaskClasses
from lit_medseg.catalogue.hold_out import HoldOut
from lit_medseg.catalogue.prepared import catalogue
from lit_medseg.errors import DataError, SplitError
from tests.catalogue.fake_cases import FakeSource, source_of_pairs, write_png

CLASSES = MaskClasses({"organ": 7, "lesion": 9})


@dataclass(frozen=True)
class Phantom(FakeSource):
    """Makes its files when it is told to."""

    def prepare(self):
        source_of_pairs(Path(self.root), 8)


def test_files_are_made_read_and_split(tmp_path):
    ready = source_of_pairs(tmp_path / "ready", 8)
    source = Phantom(str(tmp_path / "made"), ready.cases)
    manifest, split = catalogue(source, CLASSES, HoldOut(seed=1), cache_folder=tmp_path / "cache")
    assert {name: len(ids) for name, ids in split.sets.items()} == {"train": 4, "val": 2, "test": 2}
    assert catalogue(source, CLASSES, HoldOut(seed=1)) == (manifest, split)


def test_leaking_copies_are_refused_allowed_or_dropped(tmp_path):
    source = source_of_pairs(tmp_path, 8)
    split = catalogue(source, CLASSES, HoldOut())[1]
    first, last = split.train[0], split.test[0]
    for kind in ("images", "masks"):
        (tmp_path / kind / f"{first}.png").write_bytes((tmp_path / kind / f"{last}.png").read_bytes())
    with pytest.raises(DataError, match="identical images in several sets") as caught:
        catalogue(source, CLASSES, HoldOut())
    assert f"case {first} (train)" in str(caught.value)
    assert f"case {last} (test)" in str(caught.value)
    assert catalogue(source, CLASSES, HoldOut(), identical="allow")[1] == split
    manifest, dropped = catalogue(source, CLASSES, HoldOut(), identical="drop")
    assert set(split.train) - set(dropped.train) == {first}
    assert first not in manifest.by_id


def test_the_split_is_checked_after_dropping(tmp_path):
    """All images are one image with two truths: nothing is left to train on."""
    source = source_of_pairs(tmp_path, 8)
    for case in source.cases:
        write_png(tmp_path / case.images[0].path, np.zeros((12, 10), np.uint8))
    with pytest.raises(SplitError, match="train: the set is empty"):
        catalogue(source, CLASSES, HoldOut(), identical="drop")


def test_a_class_without_cases_is_refused(tmp_path):
    with pytest.raises(SplitError, match="train: class vessel has no cases"):
        catalogue(source_of_pairs(tmp_path, 8), MaskClasses({"organ": 7, "lesion": 9, "vessel": 11}), HoldOut())


def test_patients_and_cases_are_reported_together(tmp_path):
    source = source_of_pairs(tmp_path, 4)
    source = replace(source, cases=tuple(replace(case, patient_id=None) for case in source.cases))
    (tmp_path / "images/c01.png").unlink()
    with pytest.raises(DataError, match="2 faults in 4 cases"):
        catalogue(source, CLASSES, HoldOut())
