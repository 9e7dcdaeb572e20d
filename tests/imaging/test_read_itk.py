"""NRRD and MetaImage as SimpleITK and nibabel place them."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from lit_medseg.errors import DataError
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.same_grid import grid_difference_mm

TURN = np.array([[0.96, 0.168, 0.224], [0.0, 0.8, -0.6], [-0.28, 0.576, 0.768]])


def image(array, vector=False):
    found = SimpleITK.GetImageFromArray(array, isVector=vector)
    if found.GetDimension() == 3:
        found.SetSpacing([0.5, 0.7, 3.0])
        found.SetOrigin([10.0, -20.0, 30.0])
        found.SetDirection(TURN.ravel().tolist())
    return found


@pytest.mark.parametrize("ending", ["nrrd", "nhdr", "mha", "mhd"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_voxels_and_places(tmp_path, ending, dtype):
    array = np.random.default_rng(0).integers(0, 100, (4, 5, 6)).astype(dtype)
    made = image(array)
    SimpleITK.WriteImage(made, str(tmp_path / f"a.{ending}"), useCompression=ending in ("nrrd", "mha"))
    volume = read_volume(tmp_path / f"a.{ending}")
    assert volume.array.dtype == dtype
    np.testing.assert_array_equal(volume.array[0], array)
    for d, h, w in ((0, 0, 0), (3, 0, 0), (0, 4, 0), (0, 0, 5)):
        place = np.array(made.TransformIndexToPhysicalPoint((w, h, d))) * [-1, -1, 1]
        np.testing.assert_allclose((volume.affine @ (d, h, w, 1))[:3], place, atol=1e-5)


def test_the_same_volume_as_nifti_lies_in_the_same_place(tmp_path):
    made = image(np.zeros((4, 5, 6), np.uint8))
    for name in ("a.nrrd", "a.nii.gz"):
        SimpleITK.WriteImage(made, str(tmp_path / name))
    volumes = [read_volume(tmp_path / name) for name in ("a.nrrd", "a.nii.gz")]
    assert grid_difference_mm(*volumes) < 1e-4
    np.testing.assert_allclose(
        nib.load(tmp_path / "a.nii.gz").affine @ (1, 2, 3, 1), volumes[0].affine @ (3, 2, 1, 1), atol=1e-4
    )


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_channels_need_an_index(tmp_path, ending):
    array = np.random.default_rng(0).random((4, 5, 6, 2), np.float32)
    SimpleITK.WriteImage(image(array, vector=True), str(tmp_path / f"v.{ending}"))
    SimpleITK.WriteImage(
        SimpleITK.GetImageFromArray(np.moveaxis(array, -1, 0), isVector=False), str(tmp_path / f"t.{ending}")
    )
    for name in ("v", "t"):
        with pytest.raises(DataError, match="four dimensions"):
            read_volume(tmp_path / f"{name}.{ending}")
        np.testing.assert_array_equal(read_volume(tmp_path / f"{name}.{ending}", index=1).array[0], array[..., 1])
        with pytest.raises(DataError, match="no such channel"):
            read_volume(tmp_path / f"{name}.{ending}", index=2)


def test_colours_and_flat_images(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (4, 5, 6, 3), np.uint8)
    SimpleITK.WriteImage(image(colours, vector=True), str(tmp_path / "a.mha"))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.mha").array, colours.transpose(3, 0, 1, 2))
    SimpleITK.WriteImage(image(colours[0, ..., 0]), str(tmp_path / "b.nrrd"))
    np.testing.assert_array_equal(read_volume(tmp_path / "b.nrrd").array, colours[None, :1, ..., 0])


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_damage_is_refused(tmp_path, ending):
    file = tmp_path / f"a.{ending}"
    SimpleITK.WriteImage(image(np.random.default_rng(0).random((8, 9, 10))), str(file), useCompression=True)
    content = file.read_bytes()
    for size in (0, 20, len(content) // 2):
        file.write_bytes(content[:size])
        with pytest.raises(DataError, match=rf"^a\.{ending}: ") as caught:
            read_volume(file)
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(DataError, match="the file is missing"):
        read_volume(tmp_path / f"b.{ending}")
