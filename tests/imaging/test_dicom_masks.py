"""DICOM-SEG and RTSTRUCT on their images' grids; overlaps, gaps and other grids told."""

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from lit_medseg.errors import DataError
from lit_medseg.imaging.fill_polygon import fill_polygon
from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.same_grid import onto_grid
from lit_medseg.imaging.volume import placed_volume
from lit_medseg.imaging.write_dicom_seg import write_dicom_seg
from tests.imaging.fake_dicom import OBLIQUE, normal_of, numbers, save, slices, structure_set

SHAPE = (6, 12, 14)


@pytest.fixture
def series(tmp_path):
    return save(slices(numbers(SHAPE)), tmp_path / "series")


def drawn(top=3):
    codes = np.zeros((1, *SHAPE), np.uint8)
    codes[0, 1:4, 2:6, 3:9] = 1
    codes[0, 3:5, 7:11, 2:5] = 2
    codes[0, 2, 8, 12] = top
    return codes


def by_highdicom(folder, planes, kind, names, **options):
    """An object of another writer than ours."""
    sources = sorted((dcmread(file) for file in folder.iterdir()), key=lambda data: int(data.InstanceNumber))
    describe = [
        highdicom.seg.SegmentDescription(
            number, name, highdicom.sr.CodedConcept("123037004", "SCT", "Anatomical Structure"),
            highdicom.sr.CodedConcept("85756007", "SCT", "Tissue"), "MANUAL",
        )
        for number, name in enumerate(names, 1)
    ]  # fmt: skip
    return highdicom.seg.Segmentation(
        sources, planes, kind, describe, generate_uid(), 1, generate_uid(), 1, "x", "x", "1", "1", **options
    )


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_segments_of_another_writer(tmp_path, series, kind):
    by_highdicom(series, drawn()[0], kind, ["liver", "spleen", "lesion"]).save_as(tmp_path / "a.dcm")
    image = read_volume(series)
    mask = read_mask_volume(tmp_path / "a.dcm", reference=image)
    np.testing.assert_array_equal(mask.array, drawn())
    np.testing.assert_array_equal(mask.affine, image.affine)
    spleen = read_mask_volume(tmp_path / "a.dcm", "spleen", reference=image)
    np.testing.assert_array_equal(spleen.array, drawn() == 2)
    with pytest.raises(DataError, match=r"a\.dcm:kidney: no such segment or region, expected one of \['liver', 'spl"):
        read_mask_volume(tmp_path / "a.dcm", "kidney", reference=image)


def test_a_reference_in_another_orientation(tmp_path, series):
    by_highdicom(series, drawn()[0], "BINARY", ["a", "b", "c"]).save_as(tmp_path / "a.dcm")
    image = read_volume(series)
    affine = image.affine[:, [2, 0, 1, 3]].copy()
    affine[:3, 3] += affine[:3, 0] * (SHAPE[2] - 1)
    affine[:3, 0] *= -1
    turned = placed_volume(np.flip(image.array.transpose(0, 3, 1, 2), 1), affine)
    mask = read_mask_volume(tmp_path / "a.dcm", reference=turned)
    np.testing.assert_array_equal(mask.array, np.flip(drawn().transpose(0, 3, 1, 2), 1))
    np.testing.assert_array_equal(onto_grid(mask, image, "a").array, drawn())


def test_without_a_reference_the_frames_span_the_grid(tmp_path, series):
    codes = drawn()[0]
    codes[2] = 0
    codes[4:] = 0  # frames at 1 and 3 alone; slice 2 between them has none
    by_highdicom(series, codes, "BINARY", ["a", "b"]).save_as(tmp_path / "a.dcm")
    mask = read_mask_volume(tmp_path / "a.dcm")
    np.testing.assert_array_equal(mask.array[0, :: mask.grid[0] - 1], codes[[1, 3]])
    np.testing.assert_allclose((mask.affine @ (0, 2, 3, 1)), read_volume(series).affine @ (1, 2, 3, 1), atol=1e-5)
    assert mask.array.sum() == codes.sum()


def test_thin_slices_with_gaps_span_a_grid_of_the_gaps(tmp_path):
    made = slices(numbers(SHAPE), gap=10.0)
    for data in made:
        data.SliceThickness = 1.0
    series = save(made, tmp_path / "series")
    made = by_highdicom(series, drawn()[0], "BINARY", ["a", "b", "c"])
    measures = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SliceThickness == 1
    if "SpacingBetweenSlices" in measures:
        del measures.SpacingBetweenSlices
    made.save_as(tmp_path / "a.dcm")
    mask = read_mask_volume(tmp_path / "a.dcm")
    assert mask.spacing_mm[0] == pytest.approx(10.0)
    np.testing.assert_array_equal(mask.array[0], drawn()[0, 1:5])


def test_fractions_count_from_one_half(tmp_path, series):
    share = np.linspace(0, 1, np.prod(SHAPE)).reshape(SHAPE)
    made = by_highdicom(series, share, "FRACTIONAL", ["a"], max_fractional_value=200)
    made.save_as(tmp_path / "a.dcm")
    mask = read_mask_volume(tmp_path / "a.dcm", reference=read_volume(series))
    np.testing.assert_array_equal(mask.array[0], np.rint(share * 200) >= 100)


def test_overlaps_are_named_and_read_one_by_one(tmp_path, series):
    planes = np.zeros((*SHAPE, 2), np.uint8)
    planes[2, 3:6, 3:6, 0] = 1
    planes[2, 5:8, 5:8, 1] = 1
    by_highdicom(series, planes, "BINARY", ["liver", "lesion"]).save_as(tmp_path / "a.dcm")
    image = read_volume(series)
    with pytest.raises(
        DataError, match="regions overlap, expected one code a voxel, got 'liver' and 'lesion' in 1 vox"
    ):
        read_mask_volume(tmp_path / "a.dcm", reference=image)
    for place, name in enumerate(("liver", "lesion")):
        found = read_mask_volume(tmp_path / "a.dcm", name, reference=image)
        np.testing.assert_array_equal(found.array[0], planes[..., place])


def test_another_image_is_refused(tmp_path, series):
    by_highdicom(series, drawn()[0], "BINARY", ["a", "b", "c"]).save_as(tmp_path / "a.dcm")
    image = read_volume(series)
    moved = image.affine.copy()
    moved[:3, 3] += image.affine[:3, 1] / 2
    with pytest.raises(DataError, match=r"on another grid than its image, .*got 0\.35 mm"):
        read_mask_volume(tmp_path / "a.dcm", reference=placed_volume(image.array, moved))
    with pytest.raises(DataError, match="the mask reaches outside of its image"):
        read_mask_volume(tmp_path / "a.dcm", reference=placed_volume(image.array[:, :2], image.affine))
    tilted = slices(numbers(SHAPE), orientation=(1, 0, 0, 0, 1, 0))
    with pytest.raises(DataError, match=r"another grid|askew"):
        read_mask_volume(tmp_path / "a.dcm", reference=read_volume(save(tilted, tmp_path / "other")))


def test_written_segments_are_read(tmp_path, series):
    image = read_volume(series)
    for top in (3, 9):
        mask = image.with_array(drawn(top))
        write_dicom_seg(tmp_path / "a.dcm", mask, series, names={1: "liver", 2: "spleen"})
        np.testing.assert_array_equal(read_mask_volume(tmp_path / "a.dcm", reference=image).array, drawn(top))
        np.testing.assert_array_equal(
            read_mask_volume(tmp_path / "a.dcm", "liver", reference=image).array, drawn() == 1
        )
        other = highdicom.seg.segread(tmp_path / "a.dcm")
        numbers_found = list(other.segment_numbers)
        assert sorted(set(numbers_found) - {0}) == [1, 2, top]
        placed = other.get_volume(combine_segments=True, allow_missing_positions=True)
        corner = placed.affine @ (0, 2, 3, 1) * [-1, -1, 1, 1]
        index = np.linalg.inv(image.affine) @ corner
        np.testing.assert_allclose(index, np.rint(index), atol=1e-4)
        d = round(float(index[0]))
        np.testing.assert_array_equal(placed.array[0, 2, 3], mask.array[0, d, 2, 3])
        text = str(dcmread(tmp_path / "a.dcm"))
        assert not any(word in text for word in ("PAT-77", "Doe", "1970", "ACC9", "20200101"))
    write_dicom_seg(tmp_path / "b.dcm", mask, series, keep_patient=True)
    assert dcmread(tmp_path / "b.dcm").PatientID == "PAT-77"
    empty = image.with_array(np.zeros_like(drawn()))
    write_dicom_seg(tmp_path / "c.dcm", empty, series, names={1: "liver"})
    assert read_mask_volume(tmp_path / "c.dcm", reference=image).array.sum() == 0
    with pytest.raises(DataError, match="an empty mask needs names"):
        write_dicom_seg(tmp_path / "d.dcm", empty, series)
    planes = np.concatenate([drawn() == 1, drawn() > 0])
    write_dicom_seg(tmp_path / "e.dcm", image.with_array(planes), series, names={1: "a", 2: "b"})
    for place, name in enumerate("ab"):
        found = read_mask_volume(tmp_path / "e.dcm", name, reference=image)
        np.testing.assert_array_equal(found.array[0], planes[place])
    with pytest.raises(DataError, match=r"f\.dcm: the mask lies on another grid"):
        write_dicom_seg(tmp_path / "f.dcm", placed_volume(drawn(), np.eye(4)), series)
    assert not (tmp_path / "f.dcm").exists()


def points(index, image):
    """Contour points in LPS from voxel indices (d, h, w)."""
    return (np.column_stack([index, np.ones(len(index))]) @ image.affine.T)[:, :3] * [-1, -1, 1]


def square(d, low, high):
    return np.array([(d, low, low), (d, low, high), (d, high, high), (d, high, low)], float)


def test_contours_with_holes_and_several_pieces(tmp_path, series):
    image = read_volume(series)
    regions = {
        "ring": [points(square(2, 1.5, 8.5), image), points(square(2, 3.5, 5.5), image)],
        "two": [points(square(4, 0.5, 2.5), image), points(square(4, 6.5, 9.5), image)],
    }
    structure_set(regions).save_as(tmp_path / "rs", enforce_file_format=True)
    expected = np.zeros(SHAPE, int)
    expected[2, 2:9, 2:9] = 1
    expected[2, 4:6, 4:6] = 0
    expected[4, 1:3, 1:3] = expected[4, 7:10, 7:10] = 2
    np.testing.assert_array_equal(read_mask_volume(tmp_path / "rs", reference=image).array[0], expected)
    np.testing.assert_array_equal(read_mask_volume(tmp_path / "rs", "two", reference=image).array[0], expected == 2)
    turned = placed_volume(image.array.transpose(0, 2, 3, 1), image.affine[:, [1, 2, 0, 3]])
    found = read_mask_volume(tmp_path / "rs", reference=turned).array[0]
    np.testing.assert_array_equal(found, expected.transpose(1, 2, 0))
    with pytest.raises(DataError, match="contours need an image"):
        read_mask_volume(tmp_path / "rs")


@pytest.mark.parametrize(("d", "text"), [(2.4, r"between slices .*got 1 mm"), (6.0, "lies outside of its image")])
def test_contours_beside_slices_are_refused(tmp_path, series, d, text):
    image = read_volume(series)
    structure_set({"a": [points(square(d, 1, 5), image)]}).save_as(tmp_path / "rs", enforce_file_format=True)
    with pytest.raises(DataError, match=text):
        read_mask_volume(tmp_path / "rs", reference=image)


def test_polygons_agree_with_another_rasteriser():
    from matplotlib.path import Path as Outline

    rng = np.random.default_rng(0)
    centres = np.stack(np.meshgrid(np.arange(40), np.arange(50), indexing="ij"), -1).reshape(-1, 2)
    for _ in range(20):
        angles = np.sort(rng.random(30)) * 2 * np.pi
        radius = rng.uniform(3, 22, 30)
        outline = np.stack([20 + radius * np.sin(angles), 24 + radius * np.cos(angles)], 1)
        other = Outline(outline).contains_points(centres).reshape(40, 50)
        np.testing.assert_array_equal(fill_polygon(outline, (40, 50)), other)
    assert not fill_polygon(outline[:2], (40, 50)).any()


def test_neighbours_share_no_pixel():
    left, right = fill_polygon(square(0, 2, 6)[:, 1:], (9, 12)), fill_polygon(square(0, 2, 6)[:, 1:] + [0, 4], (9, 12))
    assert not (left & right).any()
    assert left.sum() == 16


def test_normals_of_the_fake_are_unit():
    assert np.linalg.norm(normal_of(OBLIQUE)) == pytest.approx(1)


@pytest.mark.parametrize("keep_patient", [False, True])
def test_segments_of_a_series_with_an_empty_alphabet(tmp_path, keep_patient):
    made = slices(numbers((4, 9, 8)))
    for one in made:
        one.SpecificCharacterSet = ""
    folder = save(made, tmp_path / "in")
    image = read_volume(folder)
    codes = (image.array > 500).astype(np.uint8)
    write_dicom_seg(tmp_path / "a.dcm", image.with_array(codes), folder, keep_patient=keep_patient)
    np.testing.assert_array_equal(read_mask_volume(tmp_path / "a.dcm", reference=image).array, codes)
