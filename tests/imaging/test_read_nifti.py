"""NIfTI as nibabel reads it, and what nibabel lets pass refused."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from lit_medseg.errors import DataError
from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.read_volume import read_volume

AFFINE = np.array([[0.9, 0.48, -0.1, 10], [-0.53, 0.84, 0.3, -20], [0.3, -0.1, 2.9, 30], [0, 0, 0, 1]])
SHAPE = (5, 6, 7)


def drawn(dtype=np.float32, shape=SHAPE):
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", ">f4", "<f8", "i4", "u2"])
def test_voxels_places_and_dtypes(tmp_path, kind, ending, dtype):
    array = drawn(dtype)
    header = kind.header_class(endianness=">" if dtype.startswith(">") else "<")
    header.set_data_dtype(dtype)
    nib.save(kind(array, AFFINE, header), tmp_path / f"a.{ending}")
    volume = read_volume(tmp_path / f"a.{ending}")
    assert volume.array.shape == (1, 7, 6, 5)
    assert volume.array.dtype == np.dtype(dtype).newbyteorder("=")
    assert volume.array.flags.c_contiguous
    for i, j, k in ((0, 0, 0), (4, 0, 0), (0, 5, 0), (0, 0, 6), (2, 3, 4)):
        assert volume.array[0, k, j, i] == array[i, j, k]
        np.testing.assert_allclose(volume.affine @ (k, j, i, 1), AFFINE @ (i, j, k, 1), atol=1e-4)


def test_scaled_numbers_are_float32_and_nan_stays(tmp_path):
    image = nib.Nifti1Image(drawn(np.int16), AFFINE)
    image.header.set_slope_inter(0.5, -10)
    nib.save(image, tmp_path / "a.nii")  # nibabel divides on writing
    volume = read_volume(tmp_path / "a.nii")
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(volume.array[0].T, nib.load(tmp_path / "a.nii").get_fdata(), rtol=1e-6)
    array = drawn()
    array[1, 2, 3] = np.nan
    nib.save(nib.Nifti1Image(array, AFFINE), tmp_path / "b.nii")
    assert np.isnan(read_volume(tmp_path / "b.nii").array).sum() == 1


@pytest.mark.parametrize(("sform", "qform"), [(0, 1), (1, 0), (2, 1), (0, 0)])
def test_the_affine_is_nibabels_choice(tmp_path, sform, qform):
    image = nib.Nifti1Image(drawn(), None)
    turn = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]])
    image.set_sform(AFFINE, sform)
    image.set_qform(turn, qform)
    nib.save(image, tmp_path / "a.nii")
    other = nib.load(tmp_path / "a.nii").affine
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii").affine @ (3, 2, 1, 1), other @ (1, 2, 3, 1), atol=1e-5)


def test_other_units_are_millimetres(tmp_path):
    image = nib.Nifti1Image(drawn(), np.diag([500, 600, 700, 1]))
    image.header.set_xyzt_units("micron")
    nib.save(image, tmp_path / "a.nii")
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii").spacing_mm, (0.7, 0.6, 0.5), rtol=1e-6)


def test_four_dimensions_need_an_index(tmp_path):
    array = drawn(shape=(5, 6, 7, 3))
    nib.save(nib.Nifti1Image(array, AFFINE), tmp_path / "a.nii.gz")
    with pytest.raises(DataError, match=r"four dimensions, expected three, or an index, got \(5, 6, 7, 3\)"):
        read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz", index=2).array[0].T, array[..., 2])
    with pytest.raises(DataError, match=r"a\.nii\.gz\[3\]: no such channel, expected an index below 3, got 3"):
        read_volume(tmp_path / "a.nii.gz", index=3)
    for shape in ((5, 6, 7, 1), (5, 6, 7, 1, 1), (5, 6)):
        nib.save(nib.Nifti1Image(drawn(shape=shape), AFFINE), tmp_path / "b.nii")
        assert read_volume(tmp_path / "b.nii").grid == ((7, 6, 5) if len(shape) > 2 else (1, 6, 5))
    nib.save(nib.Nifti1Image(drawn(shape=(5, 6, 7, 1, 3)), AFFINE), tmp_path / "v.nii")  # a field of vectors
    assert read_volume(tmp_path / "v.nii", index=1).grid == (7, 6, 5)


def test_colours(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8)
    rgb = colours.copy().view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    nib.save(nib.Nifti1Image(rgb, AFFINE), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii").array, colours.transpose(3, 2, 1, 0))


def test_masks_are_whole_numbers(tmp_path):
    for value, dtype in ((3, np.int64), (0.5, None)):
        array = drawn()
        array[0, 0, 0] = value
        nib.save(nib.Nifti1Image(array, AFFINE), tmp_path / "a.nii")
        if dtype:
            mask = read_mask_volume(tmp_path / "a.nii")
            assert mask.array.dtype == dtype
            np.testing.assert_array_equal(mask.array[0].T, array)
        else:
            with pytest.raises(DataError, match=r"a\.nii: the mask holds values that are not whole"):
                read_mask_volume(tmp_path / "a.nii")


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_every_shorter_file_is_refused(tmp_path, ending):
    file = tmp_path / f"a.{ending}"
    nib.save(nib.Nifti1Image(drawn(), AFFINE), file)
    content = file.read_bytes()
    for size in (0, 3, 100, 347, 351, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:size])
        with pytest.raises(DataError, match=r"^a\.nii(\.gz)?: the NIfTI file is truncated or corrupt") as caught:
            read_volume(file)
        assert str(tmp_path) not in str(caught.value)


def test_a_flipped_bit_in_a_compressed_file_is_refused(tmp_path):
    content = bytearray(gzip.compress(nib.Nifti1Image(drawn(), AFFINE).to_bytes(), 0))
    content[600] ^= 4
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(DataError, match="incorrect data check"):
        read_volume(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", bytes(1000)])
def test_what_is_no_nifti_is_refused(tmp_path, content):
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(DataError, match="truncated or corrupt"):
        read_volume(tmp_path / "a.nii")
    with pytest.raises(DataError, match="the file is missing"):
        read_volume(tmp_path / "b.nii.gz")


def test_a_useless_affine_and_complex_voxels_are_refused(tmp_path):
    image = nib.Nifti1Image(drawn(), None)
    image.set_sform(np.diag([1, 1, 0, 1]), 1)
    image.set_qform(None, 0)
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(DataError, match=r"^a\.nii: .*Correct the file's header"):
        read_volume(tmp_path / "a.nii")
    nib.save(nib.Nifti1Image(drawn(np.complex64), AFFINE), tmp_path / "b.nii")
    with pytest.raises(DataError, match="complex"):
        read_volume(tmp_path / "b.nii")
