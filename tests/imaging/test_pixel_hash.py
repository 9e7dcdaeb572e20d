"""Equal pixels, equal hash; anything else, another."""

import numpy as np

from lit_medseg.imaging.pixel_hash import pixel_hash


def test_memory_layout_does_not_matter():
    array = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    same = [np.asfortranarray(array), array.astype(">u2"), np.concatenate([array, array])[:2], array.copy()]
    assert {pixel_hash(other) for other in same} == {pixel_hash(array)}
    assert len(pixel_hash(array)) == 64


def test_values_shape_and_dtype_matter():
    array = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    changed = array.copy()
    changed[1, 2, 3] += 1
    others = [array, changed, array.reshape(2, 4, 3), array.astype(np.int16), array.astype(np.uint8), array[:0]]
    assert len({pixel_hash(other) for other in others}) == len(others)
