"""DICOM series: voxels and places as the tags and other readers have them; what is irregular is refused."""

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from lit_medseg.errors import DataError
from lit_medseg.imaging.read_dicom_series import read_dicom_series
from lit_medseg.imaging.read_volume import read_volume
from tests.imaging.fake_dicom import OBLIQUE, enhanced, film, header, normal_of, numbers, pixels, save, slices

SHAPE = (7, 11, 13)


def point(data, row, column):
    """PS3.3 C.7.6.2.1.1, in RAS."""
    position, spacing = np.array(data.ImagePositionPatient, float), [float(size) for size in data.PixelSpacing]
    row_direction, column_direction = np.split(np.array(data.ImageOrientationPatient, float), 2)
    found = position + row_direction * spacing[1] * column + column_direction * spacing[0] * row
    return found * [-1, -1, 1]


def test_an_oblique_series_in_any_order_is_placed_as_its_tags_say(tmp_path):
    array = numbers(SHAPE)
    made = slices(array)
    volume = read_volume(save(made, tmp_path / "deep" / "er").parent)
    np.testing.assert_array_equal(volume.array[0], array)
    assert volume.array.dtype == np.int16
    np.testing.assert_allclose(volume.spacing_mm, (2.5, 0.7, 0.9), rtol=1e-6)
    for d, data in enumerate(made):
        for row, column in ((0, 0), (10, 0), (0, 12), (10, 12), (4, 7)):
            found = volume.affine @ (d, row, column, 1)
            np.testing.assert_allclose(found[:3], point(data, row, column), atol=1e-6)


def test_simple_itk_agrees(tmp_path):
    made = slices(numbers(SHAPE), orientation=(0, 1, 0, 0, 0, -1))
    for data in made:
        data.RescaleSlope, data.RescaleIntercept = 2, -1024
    volume = read_volume(save(made, tmp_path / "a"))
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "a")))
    other = reader.Execute()
    np.testing.assert_array_equal(volume.array[0], SimpleITK.GetArrayFromImage(other))
    for index in ((0, 0, 0), (6, 10, 12), (3, 1, 9)):
        place = np.array(other.TransformContinuousIndexToPhysicalPoint([float(i) for i in index[::-1]])) * [-1, -1, 1]
        np.testing.assert_allclose((volume.affine @ (*index, 1))[:3], place, atol=1e-5)


def test_one_series_of_many_is_named_by_its_first_file(tmp_path):
    arrays = [numbers(SHAPE, seed) for seed in range(2)]
    folder = save(slices(arrays[0]), tmp_path, [f"a{i}" for i in range(7)])
    save(slices(arrays[1], series="1.2.3.4.5.6.8"), tmp_path, [f"b{i}.dcm" for i in range(7)])
    (folder / "notes.txt").write_text("nothing")
    (folder / "report.pdf").write_bytes(b"%PDF-1.4" + bytes(500))
    (folder / ".hidden").write_bytes((folder / "a0").read_bytes())
    with pytest.raises(DataError, match=r"several DICOM series, expected one, got 2 \(CT 7 x 11 x 13: a0; .*b0\.dcm\)"):
        read_volume(folder)
    for key, array in zip(("a0", "b0.dcm"), arrays, strict=True):
        np.testing.assert_array_equal(read_volume(folder, key).array[0], array)
    with pytest.raises(DataError, match="no such DICOM series"):
        read_volume(folder, "c0")


def test_scouts_in_the_same_series_do_not_count(tmp_path):
    array = numbers(SHAPE)
    scout = slices(numbers((1, 20, 20)), orientation=(1, 0, 0, 0, 0, -1))[0]
    scout.SOPInstanceUID, scout.ImageType = "1.2.9.9.9.9", ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    np.testing.assert_array_equal(read_volume(save([*slices(array), scout], tmp_path)).array[0], array)


def test_copies_of_slices_count_once(tmp_path):
    array = numbers(SHAPE)
    made = slices(array)
    save(made, tmp_path / "a")
    save(made[:3], tmp_path / "b")
    other = made[4].copy()
    other.SOPInstanceUID = "1.2.9.9.9.9"  # the same image sent again under another number
    save([other], tmp_path / "c")
    np.testing.assert_array_equal(read_volume(tmp_path).array[0], array)


def test_slices_that_were_given_one_identifier_all_count(tmp_path):
    array = numbers(SHAPE)
    made = slices(array)
    for data in made:
        data.SOPInstanceUID = "1.2.9.9.9.9"
    np.testing.assert_array_equal(read_volume(save(made, tmp_path)).array[0], array)


@pytest.mark.parametrize("key", ["", "resample:"])
@pytest.mark.parametrize("count", [1, 7])
def test_stacks_side_by_side_are_refused(tmp_path, key, count):
    left = slices(numbers(SHAPE))
    right = slices(
        numbers((count, *SHAPE[1:]), 1), origin=np.array((-31.5, 12.25, 100.75)) + 20 * np.array(OBLIQUE[:3])
    )
    for place, data in enumerate(right):
        data.SOPInstanceUID = f"1.2.9.9.9.{place}"
    with pytest.raises(DataError, match=r"side by side, expected one slice at each height, .* 20\.0 mm aside of each"):
        read_volume(save(left + right, tmp_path), key)


def test_different_images_at_one_position_are_refused(tmp_path):
    made = slices(numbers(SHAPE))
    again = slices(numbers((1, *SHAPE[1:]), 5))[0]
    again.SOPInstanceUID, again.EchoTime = "1.2.9.9.9.9", 80
    with pytest.raises(DataError, match=r"several images lie at one position.*EchoTime \(None, 80") as caught:
        read_volume(save([*made, again], tmp_path))
    assert "1.2.9" not in str(caught.value)


def test_echoes_and_times_are_series_of_their_own(tmp_path):
    arrays = {echo: numbers(SHAPE, echo) for echo in (20, 80)}
    made = []
    for echo, array in arrays.items():
        for data in slices(array):
            data.EchoTime, data.SOPInstanceUID = echo, f"1.2.{echo}.{len(made)}.5.6"
            made.append(data)
    names = [f"{place:02d}" for place in range(14)]
    save(made, tmp_path, names)
    with pytest.raises(DataError, match=r"got 2 \(CT 7 x 11 x 13 \(EchoTime .*EchoTime"):
        read_volume(tmp_path)
    for name in names:
        echo = int(dcmread(tmp_path / name).EchoTime)
        np.testing.assert_array_equal(read_volume(tmp_path, name).array[0], arrays[echo])


def test_missing_slices_are_named(tmp_path):
    heights = [0, 2.5, 5, 10, 12.5, 15, 17.5]
    save(slices(numbers(SHAPE), heights=heights), tmp_path)
    text = r"usual 2\.50 mm: 5\.00 mm between slices 3 and 4 \(at 5\.00 mm\), where 1 slice is missing"
    with pytest.raises(DataError, match=text) as caught:
        read_volume(tmp_path)
    assert str(tmp_path.parent) not in str(caught.value)


@pytest.mark.parametrize("jitter_mm", [0.02, 0.3])
def test_rounding_is_taken_and_a_moved_slice_is_not(tmp_path, jitter_mm):
    heights = [0, 2.5, 5 + jitter_mm, 7.5, 10, 12.5 - jitter_mm, 15]
    folder = save(slices(numbers(SHAPE), heights=heights), tmp_path)
    if jitter_mm < 0.05:
        assert read_volume(folder).spacing_mm[0] == pytest.approx(2.5)
    else:
        with pytest.raises(DataError, match="gaps between slices are not the usual"):
            read_volume(folder)


def test_uneven_gaps_are_interpolated_when_told(tmp_path):
    heights = np.array([0, 2, 4, 5, 8, 10, 12])
    ramp = np.broadcast_to((100 * heights[:, None, None]).astype(np.int16), (7, 11, 13))
    volume = read_volume(save(slices(ramp, heights=heights.tolist()), tmp_path), "resample:")
    np.testing.assert_allclose(volume.spacing_mm, (2, 0.7, 0.9), rtol=1e-6)
    np.testing.assert_array_equal(volume.array[0, :, 5, 6], 100 * np.arange(0, 13, 2))
    assert volume.array.dtype == np.int16


def test_a_tilt_is_refused_and_sheared_back_when_told(tmp_path):
    count, gap, tilt_mm = 12, 2.0, 0.9
    rows = np.arange(40)
    made = []
    for place in range(count):  # a bar that stands upright in the patient, seen by planes that slide along their rows
        plane = np.zeros((40, 9), np.int16)
        plane[np.abs(rows * 0.7 + place * tilt_mm - 18) < 3] = 1000
        made.append(plane)
    data = slices(np.stack(made), gap=gap, orientation=(1, 0, 0, 0, 1, 0), origin=(0, 0, 0))
    for place, one in enumerate(data):
        one.ImagePositionPatient = [0, place * tilt_mm, place * gap]
    save(data, tmp_path)
    with pytest.raises(DataError, match=r"sheared by 24\.2 degrees .*slice 12 lies 9\.9 mm aside"):
        read_volume(tmp_path)
    volume = read_volume(tmp_path, "resample:")
    assert volume.grid == (12, 40 + 15, 9)
    middles = [np.average(np.arange(55), weights=plane[:, 4]) for plane in volume.array[0].astype(float)]
    places = [(volume.affine @ (d, row, 4, 1))[1] for d, row in enumerate(middles)]
    np.testing.assert_allclose(places, -18, atol=0.36)


@pytest.mark.parametrize(
    ("slopes", "intercept", "dtype"),
    [([1] * 7, -1024, np.int16), ([2, 1, 2, 1, 2, 1, 2], 3, np.int16), ([0.5 + i for i in range(7)], 0.25, np.float32),
     ([1000] * 7, 0, np.float32)],
)  # fmt: skip
def test_rescaling_is_each_slices_own(tmp_path, slopes, intercept, dtype):
    array = numbers(SHAPE)
    made = slices(array)
    for data, slope in zip(made, slopes, strict=True):
        data.RescaleSlope, data.RescaleIntercept = slope, intercept
    volume = read_volume(save(made, tmp_path))
    assert volume.array.dtype == dtype
    np.testing.assert_allclose(volume.array[0], array * np.array(slopes)[:, None, None] + intercept, rtol=1e-6)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_compressed_series_are_the_same(tmp_path, syntax):
    array = numbers((7, 40, 36))
    made = slices(array)
    for data in made:
        data.compress(syntax, generate_instance_uid=False)
    np.testing.assert_array_equal(read_volume(save(made, tmp_path)).array[0], array)


def test_jpeg_lossless_by_another_encoder(tmp_path):
    import gdcm

    array = numbers((1, 32, 24), low=0, high=4000, dtype=np.uint16)
    save(slices(array), tmp_path / "plain", ["a"])
    reader = gdcm.ImageReader()
    reader.SetFileName(str(tmp_path / "plain" / "a"))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(tmp_path / "b.dcm"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert dcmread(tmp_path / "b.dcm").file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.70"
    np.testing.assert_array_equal(read_volume(tmp_path / "b.dcm").array[0], array)


def test_jpeg_baseline_colours(tmp_path):
    import cv2

    smooth = cv2.GaussianBlur(np.random.default_rng(0).random((48, 64, 3)), (0, 0), 5)
    colours = ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8)
    data = film(colours, "RGB", "XC")
    coded = cv2.imencode(".jpg", colours[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    data.PhotometricInterpretation, data.file_meta.TransferSyntaxUID = "YBR_FULL_422", JPEGBaseline8Bit
    data.PixelData = encapsulate([coded])
    data["PixelData"].VR = "OB"
    data.save_as(tmp_path / "a", enforce_file_format=True)
    found = read_volume(tmp_path / "a")
    assert found.array.shape == (3, 48, 64)
    assert np.abs(found.array.astype(int) - colours.transpose(2, 0, 1)).mean() < 3


def test_enhanced_multi_frame(tmp_path):
    array = numbers(SHAPE, low=0, dtype=np.uint16)
    enhanced(array, slopes=[1 + i / 2 for i in range(7)]).save_as(tmp_path / "a", enforce_file_format=True)
    volume = read_volume(tmp_path)
    np.testing.assert_allclose(volume.array[0], array * np.arange(1, 4.5, 0.5)[:, None, None])
    np.testing.assert_allclose(volume.spacing_mm, (2.5, 0.7, 0.9), rtol=1e-6)
    np.testing.assert_allclose(volume.affine[:3, 3], (-3, -4, 5), atol=1e-6)
    np.testing.assert_allclose(volume.affine[:3, 0], normal_of(OBLIQUE) * 2.5 * [-1, -1, 1], atol=1e-6)


def test_a_slice_alone_has_depth_one(tmp_path):
    array = numbers((1, 11, 13))
    volume = read_volume(save(slices(array), tmp_path))
    assert volume.array.shape == (1, 1, 11, 13)
    np.testing.assert_allclose(volume.spacing_mm, (9.0, 0.7, 0.9))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_monochrome1_grows_with_brightness(tmp_path, dtype):
    array = numbers((20, 30), low=0, high=200, dtype=dtype)
    film(array, "MONOCHROME1", ImagerPixelSpacing=[0.2, 0.3]).save_as(tmp_path / "a", enforce_file_format=True)
    volume = read_volume(tmp_path / "a")
    top = -1 if dtype == np.int16 else np.iinfo(dtype).max
    np.testing.assert_array_equal(volume.array, (top - array.astype(int))[None].astype(dtype))
    assert (volume.affine, volume.spacing_mm) == (None, (0.2, 0.3))
    if dtype == np.uint8:
        np.testing.assert_array_equal(
            SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "a"))), volume.array
        )


def test_twelve_stored_bits_are_inverted_within_them(tmp_path):
    array = numbers((20, 30), low=0, high=4095, dtype=np.uint16)
    film(array, "MONOCHROME1", BitsStored=12).save_as(tmp_path / "a", enforce_file_format=True)
    np.testing.assert_array_equal(read_volume(tmp_path).array[0], 4095 - array)


def test_a_modality_table_is_looked_up_before_inverting(tmp_path):
    array, table = np.arange(24, dtype=np.uint16).reshape(4, 6) % 16, np.arange(16) ** 2 * 10
    data = film(array, "MONOCHROME1", BitsStored=4)
    data.ModalityLUTSequence = [Dataset()]
    data.ModalityLUTSequence[0].add_new("LUTDescriptor", "US", [16, 0, 16])
    data.ModalityLUTSequence[0].add_new("LUTData", "US", table.tolist())
    data.ModalityLUTSequence[0].ModalityLUTType = "US"
    data.save_as(tmp_path / "a", enforce_file_format=True)
    np.testing.assert_array_equal(read_volume(tmp_path).array[0], 65535 - table[array])


def test_views_of_one_study_are_pictures_of_their_own(tmp_path):
    views = [numbers((20, 30), seed, 0, 200, np.uint8) for seed in range(2)]
    for place, view in enumerate(views):
        data = film(view)
        data.SOPInstanceUID = f"1.2.3.4.5.6.{place}"
        data.save_as(tmp_path / f"view{place}", enforce_file_format=True)
    with pytest.raises(DataError, match="several DICOM series"):
        read_volume(tmp_path)
    np.testing.assert_array_equal(read_volume(tmp_path, "view1").array[0], views[1])


def test_colours_and_palettes(tmp_path):
    colours = numbers((20, 30, 3), 0, 0, 255, np.uint8)
    film(colours, "RGB", "US").save_as(tmp_path / "rgb", enforce_file_format=True)
    np.testing.assert_array_equal(read_volume(tmp_path / "rgb").array, colours.transpose(2, 0, 1))
    codes = numbers((20, 30), 1, 0, 4, np.uint8)
    data = film(codes, "PALETTE COLOR", "US")
    table = np.array([[0, 10, 200, 255], [0, 20, 100, 255], [9, 30, 50, 255]], np.uint8)
    for name, row in zip(("Red", "Green", "Blue"), table, strict=True):
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [4, 0, 8])
        setattr(data, f"{name}PaletteColorLookupTableData", row.tobytes())
    data.save_as(tmp_path / "palette", enforce_file_format=True)
    np.testing.assert_array_equal(read_volume(tmp_path / "palette").array, table[:, codes])


def test_ultrasound_frames_are_slices_without_a_place(tmp_path):
    frames = numbers((5, 20, 30), 0, 0, 200, np.uint8)
    film(frames, modality="US", NumberOfFrames=5, PixelSpacing=[0.1, 0.2]).save_as(tmp_path / "a")
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.array[0], frames)
    assert (volume.affine, volume.spacing_mm) == (None, (1.0, 0.1, 0.2))


def test_old_files_without_a_preamble(tmp_path):
    array = numbers(SHAPE)
    for place, data in enumerate(slices(array)):
        del data.file_meta
        data.preamble = None
        data.save_as(tmp_path / str(place), implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read_volume(tmp_path).array[0], array)


def test_a_series_without_identifiers_is_one_of_its_folder(tmp_path):
    array = numbers(SHAPE)
    made = slices(array)
    for data in made:
        data.SeriesInstanceUID = data.SOPInstanceUID = data.SOPClassUID = ""
        data.preamble = b"\0" * 128
    for place, data in enumerate(made):
        data.save_as(tmp_path / f"{place}")
    np.testing.assert_array_equal(read_volume(tmp_path).array[0], array)


@pytest.mark.parametrize("syntax", [None, JPEG2000Lossless, RLELossless])
def test_truncated_files_are_refused(tmp_path, syntax):
    made = slices(numbers((3, 40, 40)))
    for data in made:
        if syntax:
            data.compress(syntax, generate_instance_uid=False)
    folder = save(made, tmp_path)
    content = (folder / "IM0001").read_bytes()
    (folder / "IM0001").write_bytes(content[: len(content) - 900])
    with pytest.raises(DataError, match="IM0001: the DICOM file is truncated, corrupt") as caught:
        read_volume(folder)
    assert str(tmp_path.parent) not in str(caught.value)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_pixels_that_end_early_are_refused(tmp_path, syntax):
    data = slices(numbers((1, 40, 40)))[0]
    data.compress(syntax, generate_instance_uid=False)
    coded = next(generate_frames(data.PixelData, number_of_frames=1))
    data.PixelData = encapsulate([coded[: len(coded) // 2]])
    with pytest.raises(DataError, match="truncated, corrupt"):
        read_volume(save([data], tmp_path))


def test_what_is_no_series_is_refused(tmp_path):
    with pytest.raises(DataError, match="the folder is missing"):
        read_dicom_series(tmp_path / "nothing")
    with pytest.raises(DataError, match="no DICOM images"):
        read_dicom_series(tmp_path)
    (tmp_path / "a.dat").write_bytes(bytes(1000))
    with pytest.raises(DataError, match=r"a\.dat: no DICOM images"):
        read_volume(tmp_path / "a.dat")
    bad = header()
    bad.ImagePositionPatient, bad.ImageOrientationPatient, bad.PixelSpacing = [0, 0, 0], [1, 0, 0, 1, 0, 0], [1, 1]
    pixels(bad, numbers((5, 5))).save_as(tmp_path / "b", enforce_file_format=True)
    with pytest.raises(DataError, match="two perpendicular unit vectors"):
        read_volume(tmp_path / "b")


def test_identifiers_in_names_stay_out_of_errors(tmp_path):
    name = "CT.1.3.12.2.1107.5.1.4.60064.30000022120808113428"
    save(slices(numbers((1, 5, 5))), tmp_path, [name])
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-20])
    with pytest.raises(DataError) as caught:
        read_volume(tmp_path / name)
    assert "1107" not in str(caught.value)


@pytest.mark.parametrize("left", [0, 140, 600])
def test_a_slice_with_half_a_header_is_not_passed_over(tmp_path, left):
    folder = save(slices(numbers(SHAPE)), tmp_path, [f"{i}.dcm" for i in range(7)])
    (folder / "3.dcm").write_bytes((folder / "3.dcm").read_bytes()[:left])
    with pytest.raises(DataError, match=r"the header of a DICOM file is truncated or corrupt, .*got 3\.dcm"):
        read_volume(folder)


def test_damage_in_another_folder_does_not_count(tmp_path):
    array = numbers(SHAPE)
    save(slices(array), tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.dcm").write_bytes(b"")
    np.testing.assert_array_equal(read_volume(tmp_path).array[0], array)


def test_mosaics_are_refused(tmp_path):
    made = slices(numbers((1, 12, 12)))
    made[0].ImageType = ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
    with pytest.raises(DataError, match="tiles of mosaics"):
        read_volume(save(made, tmp_path))


def test_a_film_of_one_slice_has_no_depth(tmp_path):
    data = film(numbers((5, 20, 30), 0, 0, 200, np.uint8), modality="XA", NumberOfFrames=5)
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    data.save_as(tmp_path / "a", enforce_file_format=True)
    volume = read_volume(tmp_path)
    assert (volume.grid, volume.affine) == ((5, 20, 30), None)


def test_bits_beyond_the_stored_ones_do_not_count(tmp_path):
    array = numbers((3, 16, 16), low=0, high=4095, dtype=np.uint16)
    made = slices(array)
    for data, plane in zip(made, array, strict=True):
        data.BitsStored, data.HighBit = 12, 11
        data.PixelData = (plane | np.uint16(0xA000)).tobytes()  # overlays of old scanners
    np.testing.assert_array_equal(read_volume(save(made, tmp_path)).array[0], array)


def test_times_of_an_enhanced_file_are_series_of_their_own(tmp_path):
    array = numbers((8, 9, 10), low=0, dtype=np.uint16)
    data = enhanced(array)
    for place, frame in enumerate(reversed(data.PerFrameFunctionalGroupsSequence)):
        frame.FrameContentSequence = [Dataset()]
        frame.FrameContentSequence[0].TemporalPositionIndex = 1 + place // 4
        frame.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 2.5 * (place % 4)]
    data.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.save_as(tmp_path / "a", enforce_file_format=True)
    with pytest.raises(DataError, match=r"got 2 \(MR 4 x 9 x 10 \(TemporalPositionIndex 2\): a; .*: a#2\)"):
        read_volume(tmp_path)
    found = {key: read_volume(tmp_path, key).array[0] for key in ("a", "a#2")}
    np.testing.assert_array_equal(found["a"], array[4:])
    np.testing.assert_array_equal(found["a#2"], array[:4])
