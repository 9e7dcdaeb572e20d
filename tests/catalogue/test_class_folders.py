"""The first folder is the class."""

import pytest

from lit_medseg.catalogue.class_folders import ClassFolders
from lit_medseg.errors import ConfigError, DataError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_classes_with_folders_below(tmp_path):
    touch(tmp_path, "normal/1.png", "ill/1.png", "ill/site/2.JPG", "ill/notes.txt", ".cache/x.png", "ill/.x/3.png")
    listing = ClassFolders(str(tmp_path)).list()
    assert [(case.case_id, case.labels) for case in listing.cases] == [
        ("ill/1.png", ("ill",)),
        ("ill/site/2.JPG", ("ill",)),
        ("normal/1.png", ("normal",)),
    ]
    assert listing.cases[1].images[0].path == "ill/site/2.JPG"
    assert listing.faults == ()


def test_faults(tmp_path):
    touch(tmp_path, "normal/p1_a.png", "normal/x.png", "loose.png")
    (tmp_path / "empty").mkdir()
    listing = ClassFolders(str(tmp_path), patient_pattern="^(p[0-9])_").list()
    assert [case.patient_id for case in listing.cases] == ["p1"]
    texts = ("loose.png: image outside", "empty: the class folder is empty", "normal/x.png: no patient id")
    assert len(listing.faults) == 3
    assert all(fault.startswith(text) for fault, text in zip(listing.faults, texts, strict=True))


def test_refused(tmp_path):
    with pytest.raises(DataError, match="no class folder"):
        ClassFolders(str(tmp_path)).list()
    with pytest.raises(DataError, match="the data set's folder is missing"):
        ClassFolders(str(tmp_path / "nowhere")).list()
    with pytest.raises(ConfigError, match="patient_pattern"):
        ClassFolders("x", patient_pattern="x")
