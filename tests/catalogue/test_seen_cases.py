"""Cases that were seen are found by their images, whatever they are called."""

from dataclasses import replace

import numpy as np
import pytest

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.seen_cases import seen_among, seen_cases
from lit_medseg.catalogue.split import Split
from lit_medseg.imaging.pixel_hash import pixel_hash


def entry(name, number):
    case = Case(name, "patient of " + name, (Ref(f"{name}.png"),))
    return Entry(case, (4, 4), 1, "uint8", pixel_hash(np.full((4, 4), number, np.uint8)))


MANIFEST = Manifest(tuple(entry(name, number) for number, name in enumerate("abcd")), {})
SEEN = seen_cases(MANIFEST, Split(("a", "b"), ("c",), ("d",), rule="by hand"))


def test_nobody_is_named():
    assert {name: len(found) for name, found in SEEN.items()} == {"train": 2, "val": 1}
    assert all(len(one) == 16 and int(one, 16) >= 0 for found in SEEN.values() for one in found)


@pytest.mark.parametrize(
    ("sets", "expected"), [(("train",), ["b", "a"]), (("val",), ["c"]), (("train", "val"), ["b", "a", "c"]), ((), [])]
)
def test_sets_count_as_asked(sets, expected):
    assert seen_among(["b", "a", "c", "d"], MANIFEST, SEEN, sets) == expected


def test_a_renamed_copy_is_found():
    copied = entry("x", 1)
    other = Manifest((copied, replace(entry("y", 9))), {})
    assert seen_among(["x", "y"], other, SEEN, ("train", "val")) == ["x"]


def test_a_card_that_says_nothing():
    assert seen_among(["a"], MANIFEST, {}, ("train", "val")) == []
