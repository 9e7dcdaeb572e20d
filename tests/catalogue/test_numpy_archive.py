"""Rows of arrays are cases."""

import os

import numpy as np
import pytest

from lit_medseg.catalogue.case import Ref
from lit_medseg.catalogue.numpy_archive import NumpyArchive
from lit_medseg.errors import ConfigError, DataError
from lit_medseg.imaging.read_array import read_image


def archive(root, images=("a", "b"), labels=("al", "bl"), **arrays):
    rng = np.random.default_rng(0)
    whole = {
        "a": rng.integers(0, 255, (12, 6, 5), np.uint8),
        "b": rng.integers(0, 255, (3, 6, 5, 3), np.uint8),
        "al": np.arange(12, dtype=np.uint8)[:, None] % 2,
        "bl": np.array([1.0, 0.0, 1.0]),
    } | arrays
    np.savez_compressed(root / "x.npz", **whole)
    return NumpyArchive(str(root), "x.npz", list(images), labels and list(labels))


def test_rows(tmp_path):
    listing = archive(tmp_path).list()
    assert listing.faults == ()
    assert len(listing.cases) == 15
    assert [case.case_id for case in listing.cases[:2]] == ["a-00", "a-01"]
    last = listing.cases[-1]
    assert (last.case_id, last.labels, last.patient_id) == ("b-2", ("1",), None)
    assert (last.images, last.metadata) == ((Ref("x.npz", "b", 2),), {"array": "b"})
    assert read_image(tmp_path / "x.npz", "b", 2).shape == (3, 6, 5)
    assert [case.labels for case in listing.cases[:3]] == [("0",), ("1",), ("0",)]


def test_masks_patients_and_overlapping_labels(tmp_path):
    flags = np.array([[0, 1, 1]] * 12)
    archive(tmp_path, m=np.zeros((12, 6, 5), np.uint8), who=np.array(["p1"] * 12), flags=flags)
    source = NumpyArchive(str(tmp_path), "x.npz", ["a"], labels=["flags"], masks=["m"], patients=["who"])
    case = source.list().cases[7]
    assert (case.masks, case.patient_id, case.labels) == ((Ref("x.npz", "m", 7),), "p1", ("1", "2"))
    assert NumpyArchive(str(tmp_path), "x.npz", ["a"]).list().cases[0].labels is None


def test_missing_arrays_name_those_that_are_there(tmp_path):
    archive(tmp_path)
    with pytest.raises(DataError, match=r"\['a', 'b', 'al', 'bl'\], got 'c' \(images\), 'cl' \(labels\)"):
        NumpyArchive(str(tmp_path), "x.npz", ["a", "c"], ["al", "cl"]).list()


def test_faults(tmp_path):
    listing = archive(tmp_path, bl=np.zeros(4)).list()
    assert len(listing.cases) == 12
    assert "x.npz:bl: the number of rows differs, expected 3, got 4" in listing.faults[0]
    assert "holds no images" in archive(tmp_path, b=np.zeros((3, 4))).list().faults[0]
    for bad in (np.array([0.5, 0, 0]), np.array([np.nan, 0, 0]), np.array([[0, 2]] * 3)):
        assert "the labels are no codes" in archive(tmp_path, bl=bad).list().faults[0]
    archive(tmp_path, who=np.array(["p"] * 11 + [""]))
    assert "patient id is empty" in NumpyArchive(str(tmp_path), "x.npz", ["a"], patients=["who"]).list().faults[0]


def test_refused(tmp_path):
    with pytest.raises(DataError, match=r"x\.npz: the archive is missing"):
        NumpyArchive(str(tmp_path), "x.npz", ["a"]).list()
    source = archive(tmp_path)
    content = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "x.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="truncated or corrupt"):
        source.list()
    with pytest.raises(ConfigError, match="labels: the list does not fit images"):
        NumpyArchive("r", "x", ["a", "b"], ["al"])
    for images in ([], ["a", "a"]):
        with pytest.raises(ConfigError, match="images"):
            NumpyArchive("r", "x", images)


@pytest.mark.realdata
@pytest.mark.skipif("LIT_MEDSEG_DATA" not in os.environ, reason="LIT_MEDSEG_DATA is not set")
def test_real_set():
    sets = ("train", "val", "test")
    images, labels = [f"{name}_images" for name in sets], [f"{name}_labels" for name in sets]
    listing = NumpyArchive("xray_pneumoniamnist", "pneumoniamnist.npz", images, labels).list()
    assert listing.faults == ()
    counts = {name: sum(case.metadata["array"] == name for case in listing.cases) for name in images}
    assert counts == {"train_images": 3882, "val_images": 524, "test_images": 624}
    assert sum(case.labels == ("1",) for case in listing.cases) == 3494 + 389 + 390
