"""What is written is read: numbers, dtypes, places; and other software agrees."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from lit_medseg.errors import DataError
from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.same_grid import grid_difference_mm
from lit_medseg.imaging.volume import flat_volume, placed_volume
from lit_medseg.imaging.write_volume import WRITABLE_ENDINGS, write_volume
from tests.imaging.fake_dicom import enhanced, numbers, save, slices

TURN = np.array([[0.224, 0.168, 0.96], [-0.6, 0.8, 0.0], [0.768, 0.576, -0.28]])  # d, h, w
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3], OBLIQUE[:3, 3] = TURN * [3.1, 0.71, 0.53], (-101.123456789, 20.5, 33.25)
SHEARED = OBLIQUE.copy()
SHEARED[:3, 0] += 0.4 * SHEARED[:3, 1]
DTYPES = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64]
PLACED = (".nii", ".nii.gz", ".nrrd", ".mha", ".h5")


def volume(dtype=np.int16, shape=(1, 5, 7, 9), affine=OBLIQUE):
    return placed_volume(np.random.default_rng(0).integers(0, 120, shape).astype(dtype), affine)


@pytest.mark.parametrize("ending", [*PLACED, ".npy", ".tif"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_back(tmp_path, ending, dtype):
    made = volume(dtype)
    write_volume(tmp_path / "new" / f"a{ending}", made)
    found = read_volume(tmp_path / "new" / f"a{ending}")
    assert found.array.dtype == dtype
    np.testing.assert_array_equal(found.array, made.array)
    if ending in PLACED:
        assert grid_difference_mm(found, made) < 1e-4
    elif ending == ".tif":
        np.testing.assert_allclose(found.spacing_mm, made.spacing_mm)
    assert [file.name for file in (tmp_path / "new").iterdir()] == [f"a{ending}"]


@pytest.mark.parametrize("ending", PLACED)
@pytest.mark.parametrize("affine", [OBLIQUE, SHEARED, np.eye(4)])
@pytest.mark.parametrize("shape", [(1, 1, 1, 5), (1, 1, 6, 1), (1, 31, 2, 3)])
def test_odd_shapes_and_places_come_back(tmp_path, ending, affine, shape):
    made = volume(np.float32, shape, affine)
    write_volume(tmp_path / f"a{ending}", made)
    found = read_volume(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(found.array, made.array)
    assert grid_difference_mm(found, made) < 1e-4
    np.testing.assert_allclose(found.spacing_mm, made.spacing_mm, rtol=1e-5)


@pytest.mark.parametrize("ending", PLACED)
@pytest.mark.parametrize(("dtype", "stored"), [(bool, np.uint8), (np.float16, np.float32), (">i2", np.int16)])
def test_dtypes_that_formats_lack_keep_their_numbers(tmp_path, ending, dtype, stored):
    if ending == ".h5" and dtype == np.float16:
        stored = np.float16
    made = volume().with_array((volume().array % 2).astype(dtype))
    write_volume(tmp_path / f"a{ending}", made)
    found = read_volume(tmp_path / f"a{ending}")
    assert found.array.dtype == stored
    np.testing.assert_array_equal(found.array, made.array)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".tif"])
@pytest.mark.parametrize(("top", "stored"), [(200, np.int16), (70000, np.int32)])
def test_long_integers_shrink_to_what_holds_them(tmp_path, ending, top, stored):
    made = volume(np.int64)
    made.array[0, 0, 0, 0] = top
    write_volume(tmp_path / f"a{ending}", made)
    found = read_mask_volume(tmp_path / f"a{ending}")
    assert found.array.dtype == stored
    np.testing.assert_array_equal(found.array, made.array)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".h5", ".npy"])
def test_channels_are_read_one_by_one(tmp_path, ending):
    made = volume(np.float32, (3, 5, 7, 9))
    write_volume(tmp_path / f"a{ending}", made)
    with pytest.raises(DataError):
        read_volume(tmp_path / f"a{ending}")
    for channel in range(3):
        found = read_volume(tmp_path / f"a{ending}", index=channel)
        np.testing.assert_array_equal(found.array[0], made.array[channel])
        assert ending == ".npy" or grid_difference_mm(found, made) < 1e-4


def test_nibabel_and_simple_itk_agree_on_the_place(tmp_path):
    made = volume()
    for ending in (".nii.gz", ".nrrd", ".mha"):
        write_volume(tmp_path / f"a{ending}", made)
        image = SimpleITK.ReadImage(str(tmp_path / f"a{ending}"))
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), made.array[0])
        for d, h, w in ((0, 0, 0), (4, 0, 0), (0, 6, 0), (0, 0, 8)):
            place = np.array(image.TransformIndexToPhysicalPoint((w, h, d))) * [-1, -1, 1]
            np.testing.assert_allclose(place, (made.affine @ (d, h, w, 1))[:3], atol=1e-4)
    image = nib.load(tmp_path / "a.nii.gz")
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 1)
    np.testing.assert_allclose(image.get_qform() @ (1, 2, 3, 1), made.affine @ (3, 2, 1, 1), atol=1e-4)
    assert image.header.get_xyzt_units()[0] == "mm"


def test_a_shear_has_no_quaternion(tmp_path):
    write_volume(tmp_path / "a.nii", volume(affine=SHEARED))
    assert nib.load(tmp_path / "a.nii").header["qform_code"] == 0


def test_the_same_volume_gives_the_same_nifti(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, volume())
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


@pytest.mark.parametrize("ending", [".png", ".tif", ".npy", ".h5", ".nrrd", ".nii.gz"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures(tmp_path, ending, channels):
    picture = flat_volume(np.random.default_rng(0).integers(0, 255, (channels, 20, 30), np.uint8))
    write_volume(tmp_path / f"a{ending}", picture)
    if ending == ".nii.gz" and channels == 3:
        found = np.concatenate([read_volume(tmp_path / "a.nii.gz", index=i).array for i in range(3)])
    else:
        found = read_volume(tmp_path / f"a{ending}").array
    np.testing.assert_array_equal(found.reshape(picture.array.shape), picture.array)


def test_narrow_volumes_stay_volumes(tmp_path):
    narrow = volume(shape=(1, 5, 7, 3))
    write_volume(tmp_path / "a.h5", narrow)
    np.testing.assert_array_equal(read_volume(tmp_path / "a.h5").array, narrow.array)
    with pytest.raises(DataError, match="cannot tell this volume from a picture"):
        write_volume(tmp_path / "a.npy", narrow)


@pytest.mark.parametrize(
    ("name", "made", "text"),
    [
        ("a.png", volume(np.uint8), "a PNG holds no slices"),
        ("a.jpg", volume(), r"no such format is written, expected \.nii\.gz, .* got \.jpg"),
        ("a.dcm", volume(), "a DICOM-SEG needs its series"),
        ("a.tif", volume(shape=(2, 5, 7, 9)), "a TIFF cannot hold the volume"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path, name, made, text):
    with pytest.raises(DataError, match=text):
        write_volume(tmp_path / name, made)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [ending for ending in WRITABLE_ENDINGS if ending not in (".dcm", ".png")])
def test_a_full_disk_leaves_the_earlier_file(tmp_path, ending, monkeypatch):
    file = tmp_path / f"a{ending}"
    write_volume(file, volume())
    before = file.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lit_medseg.imaging.whole_file.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_volume(file, volume(np.float32))
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_segments_of_an_enhanced_series(tmp_path):
    made = enhanced(numbers((5, 12, 14), low=0, dtype=np.uint16))
    made.save_as(tmp_path / "mr", enforce_file_format=True)
    image = read_volume(tmp_path / "mr")
    codes = np.zeros((1, 5, 12, 14), np.uint8)
    codes[0, 1:3, 2:8, 3:7] = 1
    codes[0, 4, 2, 3] = 2
    write_volume(tmp_path / "a.dcm", image.with_array(codes), tmp_path / "mr", names={1: "organ"})
    np.testing.assert_array_equal(read_mask_volume(tmp_path / "a.dcm", reference=image).array, codes)


def test_segments_of_one_of_two_series(tmp_path):
    folder = save(slices(numbers((4, 9, 8))), tmp_path / "in", [f"a{i}" for i in range(4)])
    save(slices(numbers((3, 9, 8)), series="1.2.3.4.5.6.8"), folder, [f"b{i}" for i in range(3)])
    image = read_volume(folder, "b0")
    codes = (image.array > 500).astype(np.uint8)
    with pytest.raises(DataError, match="several DICOM series"):
        write_volume(tmp_path / "a.dcm", image.with_array(codes), folder)
    write_volume(tmp_path / "a.dcm", image.with_array(codes), folder, "b0")
    np.testing.assert_array_equal(read_mask_volume(tmp_path / "a.dcm", reference=image).array, codes)
