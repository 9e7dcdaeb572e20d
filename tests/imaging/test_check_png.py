"""Damage in PNG files is found wherever it is."""

import cv2
import numpy as np

from lit_medseg.imaging.check_png import png_damage

WHOLE = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (20, 20), np.uint8))[1].tobytes()


def test_a_whole_file_has_none():
    assert png_damage(WHOLE) is None
    assert png_damage(WHOLE + b"trailing") is None


def test_every_shorter_file_is_damaged():
    assert all(png_damage(WHOLE[:size]) is not None for size in range(len(WHOLE)))


def test_every_flipped_byte_is_damage():
    for place in range(len(WHOLE)):
        content = bytearray(WHOLE)
        content[place] ^= 0x10
        assert png_damage(bytes(content)) is not None, place
