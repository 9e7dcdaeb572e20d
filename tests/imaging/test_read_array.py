"""Images and masks from every format: exact where the format is lossless, refused where the file is damaged."""

import io
import os
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lit_medseg.errors import DataError
from lit_medseg.imaging.load_array import archive_shapes
from lit_medseg.imaging.read_array import read_image, read_mask


def colours(dtype=np.uint8, channels=3):
    rng = np.random.default_rng(3)
    smooth = cv2.GaussianBlur(rng.random((37, 53, channels)), (0, 0), 2).reshape(37, 53, channels)
    return (smooth * np.iinfo(dtype).max).astype(dtype)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("ending", ["png", "tif", "bmp"])
def test_lossless_colours_come_back_as_rgb(tmp_path, ending):
    array = colours()
    found = read_image(save(tmp_path / f"a.{ending}", array))
    assert found.shape == (3, 37, 53)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, array.transpose(2, 0, 1))
    found[:] = 0  # it may be written to


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_kept(tmp_path, ending, channels):
    array = colours(np.uint16, channels)
    cv2.imwrite(str(tmp_path / f"a.{ending}"), array[..., ::-1])
    found = read_image(tmp_path / f"a.{ending}")
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, array.transpose(2, 0, 1))


@pytest.mark.parametrize("channels", [1, 3])
def test_float_tiff_is_kept(tmp_path, channels):
    array = np.random.default_rng(0).random((9, 11, channels)).astype(np.float32)
    cv2.imwrite(str(tmp_path / "a.tif"), array[..., ::-1])
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), array.transpose(2, 0, 1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_is_dropped(tmp_path, dtype):
    array = colours(dtype, 4)
    cv2.imwrite(str(tmp_path / "a.png"), array[..., [2, 1, 0, 3]])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), array[..., :3].transpose(2, 0, 1))
    pair = np.ascontiguousarray(colours(np.uint8, 2))
    Image.frombytes("LA", (53, 37), pair.tobytes()).save(tmp_path / "la.png")
    np.testing.assert_array_equal(read_image(tmp_path / "la.png"), pair[None, ..., 0])


def test_jpeg_agrees_with_opencv(tmp_path):
    save(tmp_path / "a.jpg", colours(), quality=95)
    found = read_image(tmp_path / "a.jpg").transpose(1, 2, 0).astype(int)
    other = cv2.imread(str(tmp_path / "a.jpg"))[..., ::-1].astype(int)
    assert np.abs(found - other).max() <= 2


def test_palette_is_colours_for_images_and_indices_for_masks(tmp_path):
    picture = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    picture = picture.convert("P")
    picture.putdata([0, 1, 2, 1])
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), [[0, 1], [2, 1]])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[:, 0, 1], [255, 0, 0])


def test_one_bit_is_0_and_255(tmp_path):
    save(tmp_path / "a.png", np.array([[True, False, True]] * 3))
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png")[0], [255, 0, 255])


def test_masks_collapse_equal_channels_and_refuse_others(tmp_path):
    codes = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(read_mask(save(tmp_path / "a.png", np.stack([codes] * 3, -1))), codes)
    with pytest.raises(DataError, match=r"colour\.png: the mask's channels differ"):
        read_mask(save(tmp_path / "colour.png", colours()))


def whole(fmt, **options):
    file = io.BytesIO()
    Image.fromarray(np.tile(colours(), (4, 4, 1))).save(file, fmt, **options)
    return file.getvalue()


FILES = {
    "png": whole("PNG"),
    "jpg": whole("JPEG"),
    "jpeg": whole("JPEG", progressive=True),
    "tif": whole("TIFF"),
    "tiff": whole("TIFF", compression="tiff_lzw"),
    "bmp": whole("BMP"),
}


@pytest.mark.parametrize("ending", FILES)
@pytest.mark.parametrize("read", [read_image, read_mask])
def test_truncated_files_are_refused(tmp_path, ending, read):
    content = FILES[ending]
    file = tmp_path / f"case7.{ending}"
    rest = [len(content) * share // 20 for share in range(20)]
    for size in (*rest, len(content) - 100, len(content) - 13, len(content) - 5, len(content) - 1):
        file.write_bytes(content[:size])
        with pytest.raises(DataError, match=rf"^case7\.{ending}: .*truncated.*expected .* got ") as caught:
            read(file)
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("ending", ["png", "jpg", "jpeg"])
def test_an_end_of_zeros_is_refused(tmp_path, ending):
    content = FILES[ending]
    (tmp_path / f"a.{ending}").write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    with pytest.raises(DataError, match="truncated"):
        read_image(tmp_path / f"a.{ending}")


def test_a_flipped_bit_in_a_png_is_refused(tmp_path):
    content = bytearray(FILES["png"])
    content[len(content) // 2] ^= 1
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match="wrong checksum"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("compression", [1, 5, 8])
def test_a_truncated_float_tiff_is_refused(tmp_path, compression):
    array = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    content = cv2.imencode(".tif", array, [cv2.IMWRITE_TIFF_COMPRESSION, compression])[1].tobytes()
    (tmp_path / "a.tif").write_bytes(content)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), array.transpose(2, 0, 1)[::-1])
    for size in (len(content) * share // 20 for share in range(20)):
        (tmp_path / "a.tif").write_bytes(content[:size])
        with pytest.raises(DataError, match="truncated"):
            read_image(tmp_path / "a.tif")


def test_other_formats_are_refused(tmp_path):
    Image.fromarray(colours()).save(tmp_path / "a.gif")
    (tmp_path / "a.gif").rename(tmp_path / "a.png")
    with pytest.raises(DataError, match="unknown format"):
        read_image(tmp_path / "a.png")


def test_no_picture_and_no_file_are_refused(tmp_path):
    (tmp_path / "a.png").write_text("<html>not found</html>")
    for name, text in (("a.png", "unknown format"), ("b.png", "b.png: the file is missing")):
        with pytest.raises(DataError, match=text):
            read_image(tmp_path / name)
    for name in ("b.npy", "b.npz"):
        with pytest.raises(DataError, match="the file is missing"):
            read_image(tmp_path / name)


def test_orientation_and_pages_are_refused(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    with pytest.raises(DataError, match=r"orientation .* got 6"):
        read_image(save(tmp_path / "a.jpg", colours(), exif=exif))
    exif[0x0112] = 1
    assert read_image(save(tmp_path / "b.jpg", colours(), exif=exif)).shape == (3, 37, 53)
    page = Image.fromarray(colours())
    page.save(tmp_path / "pages.tif", save_all=True, append_images=[page])
    with pytest.raises(DataError, match=r"several pages, expected 1, got 2"):
        read_image(tmp_path / "pages.tif")


def test_cmyk_is_refused(tmp_path):
    Image.fromarray(colours()).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(DataError, match="neither gray nor RGB"):
        read_image(tmp_path / "a.jpg")


def test_npy_and_npz(tmp_path):
    image, gray = colours(np.uint16), np.random.default_rng(0).random((4, 9, 8), np.float32)
    np.save(tmp_path / "a.npy", image)
    np.savez_compressed(tmp_path / "a.npz", gray=gray, colour=image, flags=gray > 0.5)
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy"), image.transpose(2, 0, 1))
    np.testing.assert_array_equal(read_image(tmp_path / "a.npz", "colour"), image.transpose(2, 0, 1))
    row = read_image(tmp_path / "a.npz", "gray", 2)
    np.testing.assert_array_equal(row, gray[2][None])
    row[:] = 9  # a copy: the archive in memory stays as it is
    np.testing.assert_array_equal(read_image(tmp_path / "a.npz", "gray", 2), gray[2][None])
    mask = read_mask(tmp_path / "a.npz", "flags", 1)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, gray[1] > 0.5)
    assert archive_shapes(tmp_path / "a.npz", "a") == {"gray": (4, 9, 8), "colour": (37, 53, 3), "flags": (4, 9, 8)}


@pytest.mark.parametrize(
    ("key", "index", "text"),
    [
        ("other", None, r"no such array, expected one of \['gray'.*got 'other'"),
        ("", 0, "no such array"),
        ("gray", 4, r"a.npz:gray\[4\]: no such row, expected a row below 4, got 4"),
        ("gray", -1, "no such row"),
        ("gray", None, r"channels as the last axis"),
        ("text", 0, "dtype is unusable"),
        ("objects", 0, "truncated or corrupt"),
    ],
)
def test_wrong_keys_and_rows_are_refused(tmp_path, key, index, text):
    np.savez(
        tmp_path / "a.npz", gray=np.zeros((4, 9, 18)), text=np.array(["a"]), objects=np.array([None], dtype=object)
    )
    with pytest.raises(DataError, match=text):
        read_image(tmp_path / "a.npz", key, index)


def test_truncated_numpy_files_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((50, 50)))
    np.savez_compressed(tmp_path / "b.npz", a=np.random.default_rng(0).random((50, 50)))
    for name in ("a.npy", "b.npz"):
        content = (tmp_path / name).read_bytes()
        for size in (0, 5, 60, len(content) // 2, len(content) - 1):
            (tmp_path / name).write_bytes(content[:size])
            with pytest.raises(DataError, match="truncated or corrupt") as caught:
                read_image(tmp_path / name)
            assert str(tmp_path) not in str(caught.value)


def test_float_masks_must_be_whole(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0.0, 2.0], [1.0, 0.0]]))
    found = read_mask(tmp_path / "a.npy")
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, [[0, 2], [1, 0]])
    for value in (0.5, np.nan, np.inf):
        np.save(tmp_path / "b.npy", np.array([[0.0, value], [0.0, 0.0]]))
        with pytest.raises(DataError, match="not whole"):
            read_mask(tmp_path / "b.npy")


def test_rows_of_an_archive_are_cheap_and_a_new_archive_is_seen(tmp_path):
    file = tmp_path / "a.npz"
    np.savez_compressed(file, x=np.random.default_rng(0).integers(0, 255, (2000, 64, 64), np.uint8))
    read_image(file, "x", 0)
    start = time.perf_counter()
    for row in range(200):
        read_image(file, "x", row)
    per_row = (time.perf_counter() - start) / 200
    start = time.perf_counter()
    with np.load(file) as archive:
        archive["x"]
    assert per_row < (time.perf_counter() - start) / 5
    np.savez_compressed(file, x=np.full((3, 4, 4), 7, np.uint8))
    os.utime(file, ns=(1, 1))
    assert read_image(file, "x", 2).tolist() == np.full((1, 4, 4), 7).tolist()


def test_a_relative_path_is_named_as_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"^images/a\.png: "):
        read_image(Path("images/a.png"))


@pytest.mark.realdata
@pytest.mark.skipif("LIT_MEDSEG_DATA" not in os.environ, reason="LIT_MEDSEG_DATA is not set")
@pytest.mark.parametrize(
    "pattern", ["nuclei_dsb2018/*/*.png", "cardiac_sunnybrook/*/*/*.png", "dermoscopy_isic2017/*/*.*"]
)
def test_real_pictures_agree_with_opencv(pattern):
    files = sorted(Path(os.environ["LIT_MEDSEG_DATA"]).glob(pattern))
    assert files
    for file in files[:: max(1, len(files) // (6 if "isic" in pattern else 60))]:
        other = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        planes = other[None] if other.ndim == 2 else other[..., 2::-1].transpose(2, 0, 1)
        found = read_image(file)
        assert (found.shape, found.dtype) == (planes.shape, planes.dtype)
        assert cv2.absdiff(found, planes).max() <= (4 if file.suffix == ".jpg" else 0)
        if file.parent.name != "images":
            np.testing.assert_array_equal(read_mask(file), planes[0])
