"""Volumes through the existing chain: source, manifest, sample."""

import gzip
import os

import nibabel
import numpy as np
import pytest

from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.classes import MaskClasses
from lit_medseg.catalogue.folder_pairs import FolderPairs
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.scan_case import scan_case
from lit_medseg.errors import DataError
from lit_medseg.preprocess.load_sample import load_sample
from tests.catalogue.fake_volumes import AFFINE, flipped, image, mask, moved, write_nifti

CLASSES = MaskClasses({"a": 1, "b": 2})
CASE = Case("x", "p", (Ref("i.nii.gz"),), (Ref("m.nii.gz"),))
TWO = Case("x", "p", (Ref("t2.nii.gz"), Ref("adc.nii.gz")), (Ref("m.nii.gz"),), channels=("t2", "adc"))


def fault(folder, case=CASE, classes=CLASSES):
    entry, faults = scan_case(folder, case, classes)
    assert entry is None
    assert len(faults) == 1
    return faults[0]


def two_channels(folder):
    write_nifti(folder / "t2.nii.gz", image(1))
    write_nifti(folder / "adc.nii.gz", image(2, (4, 4, 5)), np.diag([3, 3, 3, 1.0]))


def test_folder_pairs_of_nifti(tmp_path):
    for name in ("p1_a", "p2_b"):
        write_nifti(tmp_path / f"images/{name}.nii.gz", image(len(name)))
        write_nifti(tmp_path / f"masks/{name}_seg.nii", mask(len(name)))
    source = FolderPairs(str(tmp_path), mask_suffix="_seg", patient_pattern="^(p[0-9])_")
    manifest = build_manifest(source, CLASSES, tmp_path / "cache")
    assert [entry.case.case_id for entry in manifest.entries] == ["p1_a", "p2_b"]
    assert [entry.case.patient_id for entry in manifest.entries] == ["p1", "p2"]
    entry = manifest.entries[0]
    assert (entry.grid, entry.channels, entry.dtype) == ((5, 6, 7), 1, "int16")
    spacing = nibabel.affines.voxel_sizes(AFFINE)[::-1]
    np.testing.assert_allclose(entry.spacing_mm, spacing)
    count = int((mask(4) == 2).sum())
    assert entry.pixels["b"] == count
    assert entry.volume_ml["b"] == pytest.approx(count * np.prod(spacing) / 1000)
    assert Manifest.from_plain(manifest.plain()) == manifest


def test_the_sample_is_what_nibabel_reads(tmp_path):
    write_nifti(tmp_path / "i.nii.gz", image())
    write_nifti(tmp_path / "m.nii.gz", mask())
    sample = load_sample(tmp_path, CASE, CLASSES)
    np.testing.assert_array_equal(sample.images[0].array[0], image().transpose(2, 1, 0))
    np.testing.assert_array_equal(sample.mask.array[0], mask().transpose(2, 1, 0))
    np.testing.assert_allclose(sample.mask.affine @ [4, 3, 2, 1], AFFINE @ [2, 3, 4, 1], atol=1e-6)


def test_a_mask_in_another_orientation_is_turned_exactly(tmp_path):
    write_nifti(tmp_path / "i.nii.gz", image())
    write_nifti(tmp_path / "m.nii.gz", *flipped(mask()))
    sample = load_sample(tmp_path, CASE, CLASSES)
    np.testing.assert_array_equal(sample.mask.array[0], mask().transpose(2, 1, 0))
    np.testing.assert_array_equal(sample.mask.affine, sample.images[0].affine)
    assert scan_case(tmp_path, CASE, CLASSES)[1] == []


def test_a_mask_elsewhere_is_refused_with_the_distance(tmp_path):
    write_nifti(tmp_path / "i.nii.gz", image())
    write_nifti(tmp_path / "m.nii.gz", mask(), moved(2.5))
    assert fault(tmp_path).startswith("case x, mask m.nii.gz: the mask lies on another grid than its image")
    assert "2.5 mm" in fault(tmp_path)
    with pytest.raises(DataError, match=r"2\.5 mm"):
        load_sample(tmp_path, CASE, CLASSES)
    write_nifti(tmp_path / "m.nii.gz", mask(), moved(0.05))
    assert scan_case(tmp_path, CASE, CLASSES)[1] == []


def test_the_mask_lies_on_any_channel(tmp_path):
    two_channels(tmp_path)
    write_nifti(tmp_path / "m.nii.gz", mask(0, (4, 4, 5)), np.diag([3, 3, 3, 1.0]))
    entry, faults = scan_case(tmp_path, TWO, CLASSES)
    assert faults == []
    assert (entry.grid, entry.channels, entry.spacing_mm) == ((5, 4, 4), 2, (3.0, 3.0, 3.0))
    sample = load_sample(tmp_path, TWO, CLASSES)
    assert sample.channels == ("t2", "adc")
    np.testing.assert_array_equal(sample.mask.affine, sample.images[1].affine)
    assert sample.native.grid == (5, 4, 4)


def test_the_nearest_channel_is_named_in_the_distance(tmp_path):
    two_channels(tmp_path)
    write_nifti(tmp_path / "m.nii.gz", mask(), moved(4))
    assert "4 mm" in fault(tmp_path, TWO)


def test_channels_without_a_place_must_be_of_one_size(tmp_path):
    write_nifti(tmp_path / "a.nii.gz", image())
    np.save(tmp_path / "b.npy", np.zeros((5, 6, 4)))
    case = Case("x", "p", (Ref("a.nii.gz"), Ref("b.npy")))
    assert "channels differ in size" in fault(tmp_path, case, None)


@pytest.mark.parametrize(("value", "text"), [(np.nan, "1 NaN or infinite"), (np.inf, "1 NaN or infinite")])
def test_voxels_that_are_no_numbers(tmp_path, value, text):
    array = image().astype(np.float32)
    array[1, 2, 3] = value
    write_nifti(tmp_path / "i.nii.gz", array)
    assert text in fault(tmp_path, classes=None)


def test_an_empty_volume(tmp_path):
    write_nifti(tmp_path / "i.nii.gz", np.full((7, 6, 5), -1024, np.int16))
    assert "the volume is empty, expected different values, got -1024" in fault(tmp_path, classes=None)


def test_undeclared_labels_and_corrupt_files(tmp_path):
    write_nifti(tmp_path / "i.nii.gz", image())
    write_nifti(tmp_path / "m.nii.gz", mask(values=(0, 1, 7)))
    assert "undeclared mask values, expected [0, 1, 2], got [7]" in fault(tmp_path)
    whole = (tmp_path / "i.nii.gz").read_bytes()
    (tmp_path / "i.nii.gz").write_bytes(whole[: len(whole) // 2])
    entry, faults = scan_case(tmp_path, CASE, CLASSES)
    assert entry is None
    assert "i.nii.gz: the NIfTI file is truncated or corrupt" in faults[0]
    assert "got [7]" in faults[1]
    assert str(tmp_path) not in "".join(faults)
    (tmp_path / "i.nii.gz").write_bytes(gzip.compress(b"no header"))
    assert "corrupt" in scan_case(tmp_path, CASE, None)[1][0]


def test_geometry_and_names_count_in_the_hash(tmp_path):
    write_nifti(tmp_path / "t2.nii.gz", image())
    case = Case("x", "p", (Ref("t2.nii.gz"),))
    first, _ = scan_case(tmp_path, case, None)
    named, _ = scan_case(tmp_path, Case("x", "p", case.images, channels=("t2",)), None)
    write_nifti(tmp_path / "t2.nii.gz", image(), moved(1))
    placed, _ = scan_case(tmp_path, case, None)
    assert first.pixel_hash == named.pixel_hash == placed.pixel_hash
    assert len({first.content_hash, named.content_hash, placed.content_hash}) == 3


def test_overlapping_masks_of_a_volume(tmp_path):
    write_nifti(tmp_path / "i.nii.gz", image())
    for number, name in enumerate("ab"):
        write_nifti(tmp_path / f"{name}.nii.gz", *flipped(mask(number, values=(0, 1))))
    case = Case("x", "p", (Ref("i.nii.gz"),), (Ref("a.nii.gz"), Ref("b.nii.gz")))
    classes = MaskClasses({"a": 1, "b": 1}, overlapping=True)
    sample = load_sample(tmp_path, case, classes)
    assert sample.mask.array.shape == (2, 5, 6, 7)
    np.testing.assert_array_equal(sample.mask.array[1], mask(1, values=(0, 1)).transpose(2, 1, 0))
    assert scan_case(tmp_path, case, classes)[0].pixels["a"] == int(mask(0, values=(0, 1)).sum())


def test_a_change_in_the_voxels_beside_a_header_is_seen(tmp_path):
    raw, header = tmp_path / "d/images/a.raw", tmp_path / "d/images/a.mhd"
    header.parent.mkdir(parents=True)
    text = "ObjectType = Image\nNDims = 3\nDimSize = 7 6 5\nElementType = MET_SHORT\nElementDataFile = a.raw\n"
    header.write_text(text)
    source = FolderPairs(str(tmp_path / "d"), masks=None, patient_pattern="(.)")
    hashes = set()
    for seed in range(2):
        raw.write_bytes(image(seed).tobytes())
        os.utime(raw, ns=(seed, seed))
        hashes.add(build_manifest(source, None, tmp_path / "cache").data_hash)
    assert len(hashes) == 2
