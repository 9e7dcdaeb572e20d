"""Predictions lie in place over their images, as other programs open them."""

import os
import warnings
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import pytest
import SimpleITK
import torch
from pydicom import dcmread

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.errors import DataError
from lit_medseg.imaging.read_array import read_image, read_mask
from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.same_grid import grid_difference_mm
from lit_medseg.imaging.volume import Volume, flat_volume
from lit_medseg.imaging.write_png import write_png
from lit_medseg.inference.case_images import CaseImages, case_images
from lit_medseg.inference.case_measurements import case_measurements
from lit_medseg.inference.native_codes import native_codes
from lit_medseg.inference.native_planes import NativePlanes
from lit_medseg.inference.prediction_files import PredictionFiles
from lit_medseg.preprocess.canonical_orientation import CanonicalOrientation
from lit_medseg.preprocess.crop_foreground import CropForeground
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.resample_to import ResampleTo
from lit_medseg.preprocess.sample import Sample
from lit_medseg.target import Binary, MultiClass, MultiLabel
from tests.imaging.fake_dicom import OBLIQUE, numbers, save, slices

TARGET = MultiClass(("background", "organ", "lesion"))
PIPELINE = Pipeline((CanonicalOrientation(), CropForeground(), ResampleTo(spacing_mm=(2.0, 1.6, 1.6))))
SHAPE = (24, 22, 13)


def turned(angle):
    cosine, sine = np.cos(angle), np.sin(angle)
    about_x = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    about_z = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return about_z @ about_x


def affine_of(directions, spacing=(1.5, 1.7, 3.1), origin=(-12.5, 30.25, -71.0)):
    return nibabel.affines.from_matvec(np.asarray(directions) * spacing, origin)


AFFINES = {
    "straight": affine_of(np.eye(3)),
    "LPS": affine_of(np.diag([-1.0, -1.0, 1.0])),
    "feet first, left-handed": affine_of(np.diag([1.0, -1.0, -1.0]) @ np.diag([1.0, 1.0, -1.0])),
    "mirrored": affine_of(np.diag([-1.0, 1.0, 1.0])),
    "oblique": affine_of(turned(0.35)),
    "oblique and flipped": affine_of(turned(-0.3) @ np.diag([-1.0, 1.0, -1.0])),
    "sagittal": affine_of(turned(0.2) @ np.eye(3)[:, [2, 0, 1]]),
}


def points(affine, shape):
    """Where the voxels are, `(*shape, 3)`."""
    return nibabel.affines.apply_affine(affine, np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1))


def balls(where, centre):
    """An organ of 9 mm and, in it, a lesion of 5 mm: planes of classes, background first."""
    distance = np.linalg.norm(where - centre, axis=-1)
    lesion, organ = distance < 5, (distance < 9) & (distance >= 5)
    return np.stack([~(lesion | organ), organ, lesion])


def predict(volume, centre, pipeline=PIPELINE):
    """A network that sees the balls on the preprocessed grid."""
    processed, trace = pipeline.apply(Sample((volume,)))
    image = processed.images[0]
    where = points(image.affine, image.grid)
    return torch.from_numpy(balls(where, centre).astype(np.float32)), trace


def untouched(volume):
    """The way back of a case that no step has changed."""
    return Pipeline(()).apply(Sample((volume,)))[1]


def write_image(path, affine, shape=SHAPE):
    image = nibabel.Nifti1Image(np.random.default_rng(0).integers(1, 900, shape).astype(np.int16), affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 2)
    nibabel.save(image, path)
    return image


def files(tmp_path, target=TARGET, values=(0, 3, 7), **options):
    return PredictionFiles(tmp_path / "out", tmp_path, target, values, **options)


@pytest.mark.parametrize("name", AFFINES)
def test_a_nifti_prediction_opens_in_place(tmp_path, name):
    image = write_image(tmp_path / "image.nii.gz", AFFINES[name])
    centre = nibabel.affines.apply_affine(image.affine, (12.3, 9.8, 6.2))
    probabilities, trace = predict(read_volume(tmp_path / "image.nii.gz"), centre)
    codes = native_codes(probabilities, trace, PIPELINE, TARGET).numpy()
    written = files(tmp_path).write_mask("p1", codes, trace)
    assert written.as_posix() == "p1.nii.gz"
    # nibabel: shape, affine, and the ball where it was
    mask = nibabel.load(tmp_path / "out" / written)
    assert mask.shape == image.shape
    np.testing.assert_allclose(mask.affine, image.affine, atol=1e-5)
    np.testing.assert_allclose(mask.get_qform(), image.affine, atol=1e-4)
    values = np.asarray(mask.dataobj)
    assert values.dtype == np.uint8
    assert set(np.unique(values)) == {0, 3, 7}
    true = balls(points(image.affine, image.shape), centre)
    for value, truth in ((3, true[1]), (7, true[2])):
        found = values == value
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.75
        centroid = points(image.affine, image.shape)[found].mean(axis=0)
        assert np.linalg.norm(centroid - centre) < 0.5
    # SimpleITK: the same physical points
    ours, theirs = (SimpleITK.ReadImage(str(path)) for path in (tmp_path / "out" / written, tmp_path / "image.nii.gz"))
    assert ours.GetSize() == theirs.GetSize()
    for corner in ((0, 0, 0), (23, 0, 0), (0, 21, 12), (23, 21, 12)):
        np.testing.assert_allclose(
            ours.TransformIndexToPhysicalPoint(corner), theirs.TransformIndexToPhysicalPoint(corner), atol=1e-3
        )


def test_probabilities_open_in_place_too(tmp_path):
    image = write_image(tmp_path / "image.nii.gz", AFFINES["oblique"])
    centre = nibabel.affines.apply_affine(image.affine, (12, 10, 6))
    probabilities, trace = predict(read_volume(tmp_path / "image.nii.gz"), centre)
    planes = NativePlanes(probabilities, trace, PIPELINE)
    codes = native_codes(probabilities, trace, PIPELINE, TARGET).numpy()
    files(tmp_path).write_probabilities("p/1", planes, trace)
    found = {name: nibabel.load(tmp_path / f"out/probabilities/{name}/p/1.nii.gz") for name in ("organ", "lesion")}
    assert not (tmp_path / "out/probabilities/background").exists()
    for code, (name, plane) in enumerate(found.items(), start=1):
        np.testing.assert_allclose(plane.affine, image.affine, atol=1e-5)
        values = np.asarray(plane.dataobj)
        assert values.dtype == np.float32
        assert 0 <= values.min() < 0.01, name
        assert 0.95 < values.max() <= 1, name
        np.testing.assert_allclose(values.T, list(planes)[code].numpy(), atol=2**-11)
        assert values.T[codes == code].min() > 1 / 3


def test_a_spatial_shape_without_a_place_keeps_its_spacing(tmp_path):
    trace = untouched(Volume(np.zeros((1, 3, 4, 5)), (2.0, 0.5, 0.25)))
    files(tmp_path).write_mask("stack", np.ones((3, 4, 5), np.int64), trace)
    mask = nibabel.load(tmp_path / "out/stack.nii.gz")
    assert mask.shape == (5, 4, 3)
    np.testing.assert_allclose(mask.header.get_zooms(), (0.25, 0.5, 2.0))


def test_values_beyond_a_byte(tmp_path):
    trace = untouched(Volume(np.zeros((1, 3, 4, 5)), (1.0, 1.0, 1.0), np.eye(4)))
    codes = np.zeros((3, 4, 5), np.int64)
    codes[1] = 2
    files(tmp_path, values=(0, 3, 900)).write_mask("p1", codes, trace)
    assert set(np.unique(np.asarray(nibabel.load(tmp_path / "out/p1.nii.gz").dataobj))) == {0, 900}


def test_overlapping_classes_are_a_file_each(tmp_path):
    target = MultiLabel(("organ", "a/b"))
    codes = np.zeros((2, 3, 4, 5), np.uint8)
    codes[:, 1, 2, 3] = 1
    codes[1, 0] = 1
    trace = untouched(Volume(np.zeros((1, 3, 4, 5)), (1.0, 1.0, 1.0), np.eye(4)))
    written = files(tmp_path, target, (0, 5, 6)).write_mask("p1", codes, trace)
    assert written.as_posix() == "organ/p1.nii.gz"
    for plane, name, value in ((0, "organ", 5), (1, "a%2Fb", 6)):
        mask = np.asarray(nibabel.load(tmp_path / "out" / name / "p1.nii.gz").dataobj)
        np.testing.assert_array_equal(mask.T, codes[plane] * value)


def test_pictures(tmp_path):
    codes = np.zeros((6, 7), np.int64)
    codes[2:4, 3] = 1
    trace = untouched(flat_volume(np.zeros((3, 6, 7), np.uint8)))
    made = files(tmp_path, Binary(("background", "cell")), (0, 255))
    assert made.write_mask("a/b", codes, trace).as_posix() == "a/b.png"
    np.testing.assert_array_equal(read_mask(tmp_path / "out/a/b.png"), codes * 255)
    share = torch.rand(6, 7, generator=torch.Generator().manual_seed(0))
    made.write_probabilities("a/b", [share], trace)
    picture = read_image(tmp_path / "out/probabilities/cell/a/b.png")
    np.testing.assert_allclose(picture[0] / 65535, share.numpy(), atol=2**-11)


def test_earlier_files_are_counted_and_replaced(tmp_path):
    trace = untouched(flat_volume(np.zeros((1, 6, 7), np.uint8)))
    made = files(tmp_path)
    made.write_mask("a", np.zeros((6, 7), np.int64), trace)
    assert made.replaced == 0
    made.write_mask("a", np.ones((6, 7), np.int64), trace)
    assert made.replaced == 1
    assert set(np.unique(read_mask(tmp_path / "out/a.png"))) == {3}


class TestDicom:
    @pytest.fixture
    def predicted(self, tmp_path):
        """A DICOM series with a prediction that went through the whole way back."""
        save(slices(numbers((13, 22, 24), low=1), gap=2.9), tmp_path / "series")
        image = read_volume(tmp_path / "series")
        case = Case("p1", "x", (Ref("series"),))
        centre = (image.affine @ (6.2, 11.3, 12.1, 1))[:3]
        probabilities, trace = predict(image, centre)
        codes = native_codes(probabilities, trace, PIPELINE, TARGET).numpy()
        return image, case, trace, codes

    def test_the_segments_open_on_the_series(self, tmp_path, predicted):
        image, case, trace, codes = predicted
        made = files(tmp_path)
        images = case_images(tmp_path, case, trace)
        made.write_mask("p1", codes, trace)
        made.write_segments("p1", codes, trace, images)
        again = read_mask_volume(tmp_path / "out/p1.dcm", reference=image)
        np.testing.assert_array_equal(again.array[0], codes)
        np.testing.assert_array_equal(again.affine, image.affine)
        # the NIfTI beside it has the same points and the YAML's values
        mask = nibabel.load(tmp_path / "out/p1.nii.gz")
        np.testing.assert_array_equal(np.asarray(mask.dataobj).T, np.array([0, 3, 7])[codes])
        np.testing.assert_allclose(mask.affine, image.affine[:, [2, 1, 0, 3]], atol=1e-4)

    def test_highdicom_finds_each_frame_over_its_slice(self, tmp_path, predicted):
        _, case, trace, codes = predicted
        files(tmp_path).write_segments("p1", codes, trace, case_images(tmp_path, case, trace))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = highdicom.seg.segread(tmp_path / "out/p1.dcm")
            sources = [dcmread(file, stop_before_pixels=True) for file in (tmp_path / "series").iterdir()]
            sources.sort(key=lambda data: np.dot(np.cross(OBLIQUE[:3], OBLIQUE[3:]), data.ImagePositionPatient))
            planes = found.get_pixels_by_source_instance(
                [data.SOPInstanceUID for data in sources],
                combine_segments=True,
                assert_missing_frames_are_empty=True,
            )
        np.testing.assert_array_equal(planes, codes)
        assert [one.SegmentLabel for one in found.SegmentSequence] == ["organ", "lesion"]
        assert found.ReferencedSeriesSequence[0].SeriesInstanceUID == sources[0].SeriesInstanceUID

    @pytest.mark.parametrize("keep", [False, True])
    def test_the_patient_stays_out_unless_asked_for(self, tmp_path, predicted, keep):
        _, case, trace, codes = predicted
        made = files(tmp_path, keep_patient=keep)
        made.write_segments("p1", codes, trace, case_images(tmp_path, case, trace))
        assert dcmread(tmp_path / "out/p1.dcm").PatientID == ("PAT-77" if keep else "")

    def test_nothing_found_is_still_an_object(self, tmp_path, predicted):
        image, case, trace, codes = predicted
        files(tmp_path).write_segments("p1", codes * 0, trace, case_images(tmp_path, case, trace))
        again = read_mask_volume(tmp_path / "out/p1.dcm", reference=image)
        assert not again.array.any()

    def test_a_series_that_was_interpolated_has_none(self, tmp_path, predicted):
        _, case, trace, codes = predicted
        case = Case("p1", "x", (Ref("series", "resample:"),))
        files(tmp_path).write_segments("p1", codes, trace, case_images(tmp_path, case, trace))
        assert not (tmp_path / "out").exists()


@pytest.mark.realdata
def test_a_real_series(tmp_path):
    """ProstateX T2: the mask lies over the DICOM, and over the NIfTI that other software made of it."""
    root = Path(os.environ["LIT_MEDSEG_DATA"]) / "mri_prostatex_dicom"
    (series,) = root.glob("dicom/*/4.*t2tsetra*")
    image = read_volume(series)
    centre = (image.affine @ (9, 190, 200, 1))[:3]
    pipeline = Pipeline((CanonicalOrientation(), ResampleTo(spacing_mm=(3.0, 1.0, 1.0))))
    probabilities, trace = predict(image, centre, pipeline)
    codes = native_codes(probabilities, trace, pipeline, TARGET).numpy()
    made = PredictionFiles(tmp_path, series.parent, TARGET, (0, 1, 2))
    case = Case("p1", None, (Ref(series.name),))
    made.write_mask("p1", codes, trace)
    made.write_segments("p1", codes, trace, case_images(series.parent, case, trace))
    segments = read_mask_volume(tmp_path / "p1.dcm", reference=image)
    np.testing.assert_array_equal(segments.array[0], codes)
    mask, other = nibabel.load(tmp_path / "p1.nii.gz"), read_volume(root / "nifti/Prostatex_0000.nii.gz")
    np.testing.assert_array_equal(np.asarray(mask.dataobj).T, codes)
    written = read_volume(tmp_path / "p1.nii.gz")
    assert grid_difference_mm(written, image) < 0.001
    assert grid_difference_mm(written, other) < 0.06  # that one rounds its rotation
    centroid = points(mask.affine, mask.shape)[np.asarray(mask.dataobj) > 0].mean(axis=0)
    assert np.linalg.norm(centroid - centre) < 0.5


class TestImagesOfACase:
    def test_channels_on_other_grids_are_left_out(self, tmp_path):
        for name, affine in (("t2", AFFINES["oblique"]), ("adc", AFFINES["straight"]), ("b", AFFINES["oblique"])):
            write_image(tmp_path / f"{name}.nii.gz", affine)
        refs = tuple(Ref(f"{name}.nii.gz") for name in ("t2", "adc", "b"))
        case = Case("p1", None, refs, channels=("t2", "adc", "b"))
        trace = untouched(read_volume(tmp_path / "t2.nii.gz"))
        assert list(case_images(tmp_path, case, trace).planes()) == ["t2", "b"]

    def test_colours_have_names(self, tmp_path):
        picture = np.random.default_rng(0).integers(0, 255, (3, 6, 7)).astype(np.uint8)
        write_png(tmp_path / "a.png", picture)
        case = Case("a", None, (Ref("a.png"),))
        trace = untouched(flat_volume(picture))
        planes = case_images(tmp_path, case, trace).planes()
        assert list(planes) == ["red", "green", "blue"]
        np.testing.assert_array_equal(planes["blue"], picture[2])

    def test_a_changed_file_is_told(self, tmp_path):
        (tmp_path / "a.nii.gz").write_bytes(b"nothing")
        trace = untouched(Volume(np.zeros((1, 3, 4, 5)), (1.0, 1.0, 1.0), np.eye(4)))
        with pytest.raises(DataError, match=r"a\.nii\.gz"):
            case_images(tmp_path, Case("a", None, (Ref("a.nii.gz"),)), trace)


class TestMeasurements:
    def measured(self, tmp_path, volume, codes):
        trace = untouched(volume)
        names = ("image",)
        images = CaseImages((Ref("x"),), (volume,), names)
        return case_measurements("c", codes, TARGET, trace, images)

    def test_volumes_in_millilitres(self, tmp_path):
        codes = np.zeros((5, 20, 20), np.int64)
        codes[1:3, 4:14, 5:15] = 1
        image = np.random.default_rng(0).normal(50, 9, (1, 5, 20, 20))
        volume = Volume(image, (3.0, 0.5, 0.5), np.diag([3.0, 0.5, 0.5, 1.0]))
        organ, lesion = self.measured(tmp_path, volume, codes)
        assert list(organ) == [
            "case_id", "class", "voxels", "components", "volume_ml", "largest_diameter_mm", "mean_image"
        ]  # fmt: skip
        assert (organ["voxels"], organ["components"]) == (200, 1)
        assert organ["volume_ml"] == pytest.approx(200 * 0.75 / 1000)
        assert organ["largest_diameter_mm"] == pytest.approx(np.sqrt(3**2 + 4.5**2 + 4.5**2))
        assert organ["mean_image"] == pytest.approx(image[0][codes == 1].mean())
        assert (lesion["voxels"], lesion["volume_ml"]) == (0, 0)

    def test_pictures_of_unknown_spacing_in_pixels(self, tmp_path):
        codes = np.zeros((20, 20), np.int64)
        codes[2, 3:9] = 2
        _, lesion = self.measured(tmp_path, flat_volume(np.ones((1, 20, 20))), codes)
        sizes = {"pixels": 6, "components": 1, "largest_diameter_px": 5.0, "mean_image": 1.0}
        assert lesion == {"case_id": "c", "class": "lesion", **sizes}

    def test_pictures_of_known_spacing_in_square_millimetres(self, tmp_path):
        codes = np.zeros((20, 20), np.int64)
        codes[2, 3:9] = 2
        _, lesion = self.measured(tmp_path, Volume(np.ones((1, 20, 20)), (0.2, 0.1)), codes)
        assert lesion["pixels"] == 6
        assert lesion["area_mm2"] == pytest.approx(0.12)
        assert lesion["largest_diameter_mm"] == pytest.approx(0.5)


def test_one_rule_says_where_millimetres_are_known():
    placed = np.diag([3.0, 0.5, 0.5, 1.0])
    for volume, known in (
        (Volume(np.ones((1, 3, 4, 5)), (3.0, 0.5, 0.5), placed), (3.0, 0.5, 0.5)),
        (Volume(np.ones((1, 4, 5)), (0.2, 0.1)), (0.2, 0.1)),
        (flat_volume(np.ones((1, 4, 5))), None),
        (Volume(np.ones((1, 3, 4, 5)), (2.0, 0.2, 0.1)), (2.0, 0.2, 0.1)),
        (flat_volume(np.ones((1, 3, 4, 5))), None),
    ):
        assert untouched(volume).known_mm == known
