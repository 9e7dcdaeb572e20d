"""PNG files come back exactly, and a failing write leaves the earlier file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_medseg.errors import DataError
from lit_medseg.imaging.read_array import read_image
from lit_medseg.imaging.write_png import write_png


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(7, 5), (1, 7, 5), (3, 7, 5)])
def test_written_is_read(tmp_path, dtype, shape):
    array = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    write_png(tmp_path / "new" / "a.png", array)
    found = read_image(tmp_path / "new" / "a.png")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, array if array.ndim == 3 else array[None])
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.png"]


def test_pillow_agrees_on_the_order_of_colours(tmp_path):
    array = np.random.default_rng(0).integers(0, 255, (3, 6, 4), np.uint8)
    write_png(tmp_path / "a.png", array)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), array.transpose(1, 2, 0))


@pytest.mark.parametrize("bad", [np.zeros((4, 4)), np.zeros((2, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)])
def test_what_no_png_holds_is_refused(tmp_path, bad):
    with pytest.raises(DataError, match="a PNG cannot hold the array"):
        write_png(tmp_path / "a.png", bad)
    assert not list(tmp_path.iterdir())


def test_a_failing_write_leaves_the_earlier_file(tmp_path, monkeypatch):
    array = np.full((4, 4), 9, np.uint8)
    write_png(tmp_path / "a.png", array)

    def fail(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_png(tmp_path / "a.png", array * 2)
    monkeypatch.undo()
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[0], array)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
