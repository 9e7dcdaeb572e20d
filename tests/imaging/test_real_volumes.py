"""The public data sets, against the tags, other software's conversions, and each other."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread

from lit_medseg.errors import DataError
from lit_medseg.imaging.find_dicom_series import find_dicom_masks, find_dicom_series
from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.same_grid import GRID_TOLERANCE, grid_difference_mm, onto_grid
from lit_medseg.imaging.write_volume import write_volume

pytestmark = pytest.mark.realdata
SERIES = {
    "t2": "4.000000-t2tsetra-00702",
    "sagittal": "3.000000-t2tsesag-87368",
    "adc": "7.000000-ep2ddifftraDYNDISTADC-48780",
}


@pytest.fixture
def root():
    return Path(os.environ["LIT_MEDSEG_DATA"])


def prostate(root, name):
    return root / "mri_prostatex_dicom/dicom/ProstateX-0000" / SERIES[name]


@pytest.mark.parametrize("name", SERIES)
def test_each_voxel_lies_where_the_tags_say(root, name):
    volume = read_volume(prostate(root, name))
    headers = [dcmread(file) for file in prostate(root, name).iterdir()]
    assert len(headers) == volume.grid[0]
    rows, columns = np.meshgrid(*(np.arange(size) for size in volume.grid[1:]), indexing="ij")
    worst = 0.0
    for header in headers:
        position = np.array(header.ImagePositionPatient, float)
        right, down = np.split(np.array(header.ImageOrientationPatient, float), 2)
        steps = right * float(header.PixelSpacing[1]), down * float(header.PixelSpacing[0])
        points = position + columns[..., None] * steps[0] + rows[..., None] * steps[1]
        points = points * [-1, -1, 1]
        d = round(float((np.linalg.inv(volume.affine) @ (*points[0, 0], 1))[0]))
        np.testing.assert_array_equal(volume.array[0, d], header.pixel_array)
        index = np.stack([np.full(rows.shape, d), rows, columns, np.ones(rows.shape)], -1)
        worst = max(worst, float(np.abs((index @ volume.affine.T)[..., :3] - points).max()))
    assert worst < 0.001


def test_prostate_t2_equals_the_nifti_of_other_software(root):
    volume = read_volume(prostate(root, "t2"))
    other = onto_grid(read_volume(root / "mri_prostatex_dicom/nifti/Prostatex_0000.nii.gz"), volume, "nifti")
    np.testing.assert_array_equal(other.array, volume.array)
    assert volume.array.mean() == pytest.approx(221.72702615302904, rel=1e-12)
    corners = np.array([(d, h, w, 1) for d in (0, 18) for h in (0, 383) for w in (0, 383)])
    assert np.abs(corners @ (other.affine - volume.affine).T).max() < 0.05  # in each coordinate; that one rounds
    assert grid_difference_mm(other, volume) < GRID_TOLERANCE * 0.5
    mask = onto_grid(read_mask_volume(root / "mri_prostatex_dicom/nifti/Prostatex_0000_lab.nii.gz"), volume, "label")
    assert np.unique(mask.array).tolist() == [0, 1, 2]


def test_several_series_are_named(root):
    with pytest.raises(
        DataError, match=r"several DICOM series, expected one, got 4 \(MR 19 x 320 x 320: .*MR 19 x 384"
    ):
        read_volume(root / "mri_prostatex_dicom")
    assert len(find_dicom_series(root)) == 7
    assert len(find_dicom_masks(root)) == 4


def test_total_segmentator_ct_lies_under_its_labels(root):
    folder = root / "ct_totalsegmentator_example"
    ct = read_volume(folder / "example_ct_dicom")
    np.testing.assert_allclose(ct.spacing_mm, (2, 0.9765625, 0.9765625))  # SliceThickness says 3
    assert ct.array.dtype == np.int16
    raw = read_mask_volume(folder / "example_seg_dicom.nii.gz")
    assert grid_difference_mm(raw, ct) > 400  # another orientation
    labels = onto_grid(raw, ct, "labels")
    assert grid_difference_mm(labels, ct) < 0.001
    means = {name: ct.array[labels.array == code].mean() for name, code in (("spleen", 1), ("liver", 5))}
    assert means == pytest.approx({"spleen": 79.6, "liver": 89.3}, abs=0.1)
    reader = SimpleITK.ImageSeriesReader()
    files = sorted(
        (folder / "example_ct_dicom").iterdir(), key=lambda file: float(dcmread(file).ImagePositionPatient[2])
    )
    reader.SetFileNames([str(file) for file in files])
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(reader.Execute()), ct.array[0])


def test_dcmqi_liver_has_its_voxels(root):
    folder = root / "dicom_seg_dcmqi"
    image = read_volume(folder / "ct-3slice")
    liver = read_mask_volume(folder / "liver.dcm", reference=image)
    nrrd = onto_grid(read_mask_volume(folder / "liver_seg.nrrd"), image, "nrrd")
    assert (liver.array.sum(), nrrd.array.sum()) == (107098, 107098)
    np.testing.assert_array_equal(liver.array, nrrd.array)
    alone = read_mask_volume(folder / "liver.dcm", "Liver")
    np.testing.assert_array_equal(alone.array, liver.array)
    assert grid_difference_mm(alone, image) < 0.001


def test_dcmqi_overlaps_and_label_maps_agree_with_their_nrrds(root):
    folder = root / "dicom_seg_dcmqi"
    image = read_volume(folder / "ct-3slice")
    with pytest.raises(DataError, match=r"regions overlap, .*'GREEN' and 'ORANGE' in 3017 voxels"):
        read_mask_volume(folder / "partial_overlaps.dcm", reference=image)
    for name, part, code in (
        ("GREEN", 1, 1),
        ("ORANGE", 2, 2),
        ("PURPLE", 3, 3),
        ("LIGHT_BLUE", 1, 4),
        ("DARK_BLUE", 1, 5),
    ):
        mask = read_mask_volume(folder / "partial_overlaps.dcm", name, reference=image)
        nrrd = onto_grid(read_mask_volume(folder / f"partial_overlaps-{part}.nrrd"), image, "nrrd")
        np.testing.assert_array_equal(mask.array == 1, nrrd.array == code)
    for kind in ("ppv5", "noppv"):  # 5 is the padding value of one of them: background
        mask = read_mask_volume(folder / f"sparse-labelmap-{kind}.dcm")
        nrrd = onto_grid(read_mask_volume(folder / f"sparse_labelmap_{kind}_seg.nrrd"), mask, "nrrd")
        assert np.unique(mask.array).tolist() == [0, 1]
        np.testing.assert_array_equal(mask.array == 1, nrrd.array == 1)


def test_the_tilted_series_is_refused_and_resampled_when_told(root):
    with pytest.raises(DataError) as caught:
        read_volume(root / "ct_ge_gantry_tilt")
    text = str(caught.value)
    for part in (
        "sheared by 18.5 degrees",
        "1.08 mm between slices 6 and 7",
        "7.00 mm between slices 9 and 10",
        "4.00 mm",
    ):
        assert part in text
    volume = read_volume(root / "ct_ge_gantry_tilt", "resample:")
    assert volume.spacing_mm == pytest.approx((4.002, 0.48828, 0.48828), abs=1e-3)
    axes = volume.affine[:3, :3] / volume.spacing_mm
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    first = dcmread(root / "ct_ge_gantry_tilt/09.dcm")
    stored = first.pixel_array * float(first.RescaleSlope) + float(first.RescaleIntercept)
    place = np.linalg.inv(volume.affine) @ (*(np.array(first.ImagePositionPatient, float) * [-1, -1, 1]), 1)
    assert place[0] == pytest.approx(0, abs=1e-3)
    row = place[1]  # between two rows: the shear moves slices by parts of a pixel
    low, share = int(np.floor(row)), row - np.floor(row)
    below = volume.array[0, 0, low + 1 : low + 512].astype(float)
    expected = stored[:-1] * share + stored[1:] * (1 - share)
    assert np.abs(below - expected).max() <= 0.51


def test_a_mask_of_the_prostate_goes_through_every_format(root, tmp_path):
    image = read_volume(prostate(root, "t2"))
    mask = onto_grid(read_mask_volume(root / "mri_prostatex_dicom/nifti/Prostatex_0000_lab.nii.gz"), image, "label")
    for ending in (".nii.gz", ".nrrd", ".mha", ".h5", ".dcm"):
        write_volume(tmp_path / f"a{ending}", mask, prostate(root, "t2"), names={1: "peripheral", 2: "central"})
        found = onto_grid(read_mask_volume(tmp_path / f"a{ending}", reference=image), image, ending)
        np.testing.assert_array_equal(found.array, mask.array)


def test_every_nifti_is_read(root):
    files = sorted(root.glob("**/*.nii.gz"))[::6]
    assert files
    for file in files:
        other = SimpleITK.ReadImage(str(file))
        volume = read_volume(file)
        np.testing.assert_array_equal(volume.array[0], SimpleITK.GetArrayFromImage(other).reshape(volume.grid))
        size = other.GetSize()
        end = np.array(other.TransformIndexToPhysicalPoint([one - 1 for one in size])) * [-1, -1, 1]
        np.testing.assert_allclose((volume.affine @ (*(one - 1 for one in size[::-1]), 1))[:3], end, atol=0.05)


def test_a_segment_goes_back_to_the_series_whose_alphabet_is_empty(root, tmp_path):
    folder = root / "dicom_seg_dcmqi"
    image = read_volume(folder / "ct-3slice")
    mask = read_mask_volume(folder / "liver_seg.nrrd")
    write_volume(tmp_path / "liver.dcm", mask, folder / "ct-3slice", names={1: "liver"})
    back = read_mask_volume(tmp_path / "liver.dcm", reference=image)
    assert int((back.array == 1).sum()) == 107_098
    assert grid_difference_mm(back, image) == 0
