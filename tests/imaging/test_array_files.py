"""HDF5, NumPy and TIFF stacks as volumes."""

import h5py
import numpy as np
import pytest
import tifffile

from lit_medseg.errors import DataError
from lit_medseg.imaging.read_hdf5 import hdf5_datasets
from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.read_volume import read_volume

AFFINE = np.array([[0, 0, -0.5, 10], [0, -0.7, 0, -20], [3.0, 0, 0, 30], [0, 0, 0, 1]])
ARRAY = np.random.default_rng(0).integers(-100, 100, (4, 7, 6)).astype(np.int16)


def test_hdf5_places_come_from_attributes_of_the_dataset_or_its_groups(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for case in ("p1", "p2"):
            group = file.create_group(case)
            group.create_dataset("image", data=ARRAY)
            group.attrs["affine" if case == "p1" else "spacing"] = AFFINE if case == "p1" else [3.0, 0.7, 0.5]
        file.create_dataset("plain", data=ARRAY.astype(np.float32))
    for key, placed in (("p1/image", True), ("p2/image", False)):
        volume = read_volume(tmp_path / "a.h5", key)
        np.testing.assert_array_equal(volume.array[0], ARRAY)
        np.testing.assert_allclose(volume.spacing_mm, (3, 0.7, 0.5))
        assert (volume.affine is not None) == placed
    assert read_volume(tmp_path / "a.h5", "plain").spacing_mm == (1.0, 1.0, 1.0)
    assert hdf5_datasets(tmp_path / "a.h5") == {"p1/image": (4, 7, 6), "p2/image": (4, 7, 6), "plain": (4, 7, 6)}


def test_hdf5_rows_and_faults(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("cases", data=np.stack([ARRAY, ARRAY + 1]))
        file.create_dataset("bad", data=ARRAY).attrs["spacing"] = [1.0, -1.0, 1.0]
        file.create_dataset("words", data=[b"a"])
    np.testing.assert_array_equal(read_volume(tmp_path / "a.h5", "cases", 1).array[0], ARRAY + 1)
    for key, index, text in (
        ("", None, "several datasets or none, expected one, got"),
        ("other", None, r"a\.h5:other: no such dataset, expected one of \['bad', 'cases'"),
        ("cases", 2, "no such row, expected a row below 2, got 2"),
        ("cases", None, "no picture and no volume"),
        ("bad", None, "the spacing does not fit"),
        ("words", None, "dtype is unusable"),
    ):
        with pytest.raises(DataError, match=text):
            read_volume(tmp_path / "a.h5", key, index)
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="the HDF5 file is corrupt") as caught:
        read_volume(tmp_path / "a.h5", "cases")
    assert str(tmp_path) not in str(caught.value)
    for read in (read_volume, hdf5_datasets):
        with pytest.raises(DataError, match=r"b\.h5"):
            read(tmp_path / "b.h5")


def test_numpy_volumes_and_pictures(tmp_path):
    np.save(tmp_path / "a.npy", ARRAY)
    np.savez(
        tmp_path / "a.npz", many=np.stack([ARRAY, ARRAY + 1]), colour=np.zeros((9, 8, 3), np.uint8), flags=ARRAY > 0
    )
    np.testing.assert_array_equal(read_volume(tmp_path / "a.npy").array, ARRAY[None])
    for _ in range(2):
        row = read_volume(tmp_path / "a.npz", "many", 1)
        np.testing.assert_array_equal(row.array[0], ARRAY + 1)
        row.array[:] = 0  # a copy: neither the archive in memory nor the file changes
    read_volume(tmp_path / "a.npy").array[:] = 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), ARRAY)
    assert read_volume(tmp_path / "a.npz", "colour").array.shape == (3, 9, 8)
    mask = read_mask_volume(tmp_path / "a.npz", "flags")
    assert (mask.array.dtype, mask.affine, mask.spacing_mm) == (np.uint8, None, (1.0, 1.0, 1.0))
    with pytest.raises(DataError, match="no picture and no volume"):
        read_volume(tmp_path / "a.npz", "many")
    with pytest.raises(DataError, match="no such row"):
        read_volume(tmp_path / "a.npz", "many", 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_imagej_stacks_have_spacing(tmp_path, dtype):
    array = np.abs(ARRAY).astype(dtype)
    options = {"imagej": True, "resolution": (1 / 0.5, 1 / 0.7)}
    tifffile.imwrite(tmp_path / "a.tif", array, metadata={"axes": "ZYX", "spacing": 3.0, "unit": "mm"}, **options)
    volume = read_volume(tmp_path / "a.tif")
    assert volume.array.dtype == dtype
    np.testing.assert_array_equal(volume.array[0], array)
    np.testing.assert_allclose(volume.spacing_mm, (3, 0.7, 0.5), rtol=1e-5)
    tifffile.imwrite(tmp_path / "um.tif", array, metadata={"axes": "ZYX", "spacing": 3.0, "unit": "um"}, **options)
    np.testing.assert_allclose(read_volume(tmp_path / "um.tif").spacing_mm, (3e-3, 0.7e-3, 0.5e-3), rtol=1e-5)


def test_plain_and_ome_stacks(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", ARRAY, photometric="minisblack")
    np.testing.assert_array_equal(read_mask_volume(tmp_path / "a.tif").array[0], ARRAY)
    assert read_volume(tmp_path / "a.tif").spacing_mm == (1.0, 1.0, 1.0)
    channels = np.stack([ARRAY, ARRAY + 1], 1)
    data = {"axes": "ZCYX", "PhysicalSizeZ": 2.0, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25}
    tifffile.imwrite(tmp_path / "b.ome.tif", channels, ome=True, photometric="minisblack", metadata=data)
    with pytest.raises(DataError, match="the stack has several channels"):
        read_volume(tmp_path / "b.ome.tif")
    volume = read_volume(tmp_path / "b.ome.tif", index=1)
    np.testing.assert_array_equal(volume.array[0], ARRAY + 1)
    np.testing.assert_allclose(volume.spacing_mm, (2e-3, 0.25e-3, 0.5e-3))


def test_colour_stacks_and_faults(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (4, 20, 30, 3), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="rgb")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.tif").array, colours.transpose(3, 0, 1, 2))
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        file.write(colours[0])
        file.write(colours[0, :10])
    with pytest.raises(DataError, match="the pages differ"):
        read_volume(tmp_path / "b.tif")
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) - 1000])
    with pytest.raises(DataError, match=r"^a\.tif: .*truncated"):
        read_volume(tmp_path / "a.tif")
