from dataclasses import replace

import h5py
import numpy as np
import pytest

from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.case import Ref
from lit_medseg.catalogue.classes import LabelClasses, MaskClasses
from lit_medseg.catalogue.hdf5_archive import Hdf5Archive
from lit_medseg.errors import ConfigError, DataError
from lit_medseg.preprocess.load_sample import load_sample
from tests.catalogue.fake_volumes import AFFINE, hdf5_archive, image, mask

CLASSES = MaskClasses({"a": 1, "b": 2})


def files(root, count=2):
    for number in range(count):
        with h5py.File(root / f"case{number}.h5", "w") as file:
            file["image"], file["mask"] = image(number), mask(number)
            file.attrs["label"] = np.int64(number)
            file["patient"] = f"p{number}"


def test_one_group_per_case(tmp_path):
    manifest = build_manifest(hdf5_archive(tmp_path), CLASSES, None)
    entry = manifest.entries[1]
    assert (entry.case.case_id, entry.case.patient_id, entry.case.channels) == ("train/01", "p1", ("t1",))
    assert entry.case.images == (Ref("all.h5", "train/01/t1"),)
    assert entry.case.metadata == {"patient": "p1", "site": "A", "age": "41"}
    sample = load_sample(tmp_path, entry.case, CLASSES)
    np.testing.assert_array_equal(sample.images[0].array[0], image(1).transpose(2, 1, 0))
    np.testing.assert_allclose(sample.images[0].affine[:, :3], AFFINE[:, 2::-1])


def test_one_file_per_case(tmp_path):
    files(tmp_path)
    source = Hdf5Archive(str(tmp_path), mask="mask", label="label", patient="patient")
    labelled = build_manifest(source, LabelClasses({"no": "0", "yes": "1"}), None)
    assert [(entry.case.case_id, entry.case.patient_id, entry.label) for entry in labelled.entries] == [
        ("case0", "p0", 0),
        ("case1", "p1", 1),
    ]
    assert build_manifest(source, CLASSES, None).entries[0].pixels["a"] == int((mask(0) == 1).sum())


def test_groups_of_several_files_are_named_by_both(tmp_path):
    hdf5_archive(tmp_path)
    (tmp_path / "more.h5").write_bytes((tmp_path / "all.h5").read_bytes())
    ids = [case.case_id for case in Hdf5Archive(str(tmp_path), groups="train/*", image="t1").list().cases]
    assert ids == ["all/train/00", "all/train/01", "more/train/00", "more/train/01"]


def test_every_fault_is_named(tmp_path):
    files(tmp_path, 3)
    with h5py.File(tmp_path / "case1.h5", "a") as file:
        del file["mask"]
    with h5py.File(tmp_path / "case2.h5", "a") as file:
        del file["patient"]
    (tmp_path / "case3.h5").write_bytes((tmp_path / "case0.h5").read_bytes()[:500])
    found = Hdf5Archive(str(tmp_path), mask="mask", patient="patient").list()
    assert [case.case_id for case in found.cases] == ["case0"]
    assert "case1.h5: datasets are missing, expected ['image', 'mask']" in found.faults[0]
    assert "case2.h5: 'patient' is missing or no single value" in found.faults[1]
    assert "case3.h5: the HDF5 file is truncated or corrupt" in found.faults[2]
    assert str(tmp_path) not in "".join(found.faults)


def test_unusable_keys(tmp_path):
    files(tmp_path)
    with pytest.raises(ConfigError, match="image: it is empty"):
        Hdf5Archive(str(tmp_path), image=[])
    with pytest.raises(DataError, match="no file matches"):
        Hdf5Archive(str(tmp_path), files="*.hdf5").list()
    assert "no group matches 'x/*'" in replace(hdf5_archive(tmp_path), groups="x/*", files="all.h5").list().faults[0]
