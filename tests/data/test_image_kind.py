"""Pictures or volumes: seen from the first image that can be read."""

import numpy as np
import pytest

from lit_medseg.catalogue.class_folders import ClassFolders
from lit_medseg.catalogue.folder_pairs import FolderPairs
from lit_medseg.catalogue.phantom import Phantom
from lit_medseg.data.image_kind import ImageKind, image_kind
from lit_medseg.errors import DataError
from lit_medseg.imaging.volume import Volume, placed_volume
from lit_medseg.imaging.write_nifti import write_nifti
from lit_medseg.imaging.write_png import write_png
from lit_medseg.imaging.write_volume import write_volume

ARRAY = np.zeros((1, 4, 6, 5), np.int16)


def pairs(root):
    return FolderPairs(str(root), masks=None)


def test_pictures(tmp_path):
    write_png(tmp_path / "images" / "a.png", np.zeros((1, 5, 5), np.uint8))
    assert image_kind(pairs(tmp_path)) == ImageKind(2)


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "nrrd", "mha"])
def test_volumes_with_a_place(tmp_path, ending):
    (tmp_path / "images").mkdir()
    write_volume(tmp_path / "images" / f"a.{ending}", placed_volume(ARRAY, np.diag([2.0, 1, 1, 1])))
    kind = image_kind(pairs(tmp_path))
    assert (kind.axes, kind.placed) == (3, True)


def test_arrays_have_no_place(tmp_path):
    (tmp_path / "images").mkdir()
    np.save(tmp_path / "images" / "a.npy", ARRAY[0])
    assert image_kind(pairs(tmp_path)) == ImageKind(3, placed=False, signed=True)
    np.save(tmp_path / "images" / "a.npy", ARRAY[0, 0].astype(np.float32))
    assert image_kind(pairs(tmp_path)) == ImageKind(2, signed=True)


def test_a_damaged_first_case_is_passed_over(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.npy").write_bytes(b"nothing")
    np.save(tmp_path / "images" / "b.npy", ARRAY[0])
    assert image_kind(pairs(tmp_path)).axes == 3


def test_nothing_readable_is_left_to_the_manifest(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.npy").write_bytes(b"nothing")
    assert image_kind(pairs(tmp_path)) == ImageKind(2)


def test_phantoms_are_made_first(tmp_path):
    assert image_kind(Phantom(str(tmp_path / "phantoms"), patients=4, slices=2, size=48)).axes == 2


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(DataError, match="folder"):
        image_kind(ClassFolders(str(tmp_path / "none")))


def test_niftis_are_not_decompressed(tmp_path):
    write_nifti(tmp_path / "images" / "a.nii.gz", Volume(ARRAY, (1.0, 1.0, 1.0)))
    (tmp_path / "images" / "a.nii.gz").write_bytes(b"not even a file")
    assert image_kind(pairs(tmp_path)) == ImageKind(3, placed=True)
