"""The further columns of rows, through `segmentation_rows`, and what they leave untouched."""

import math
import re

import numpy as np
import pytest
import torch
from scipy import ndimage

from lit_medseg.errors import ConfigError, DataError
from lit_medseg.metrics import class_measures as module
from lit_medseg.metrics.lesion_scores import lesion_counts
from lit_medseg.metrics.measures import LESIONS, MEASURES, SURFACE, VOLUME
from lit_medseg.metrics.segmentation_rows import segmentation_rows
from lit_medseg.metrics.segmentation_scoring import SegmentationScoring
from lit_medseg.metrics.surface_distances import surface_distances
from lit_medseg.target import Binary, MultiClass, MultiLabel

ALL = SegmentationScoring(surface="always", tolerance_mm=1.5, lesions=True)
COUNTS = ("lesions", "lesions_found", "lesions_predicted", "lesions_right")
TARGETS = [
    Binary(("background", "cell")),
    MultiClass(("background", "organ", "lesion")),
    MultiClass(("liver", "organ", "lesion")),
    MultiLabel(("organ", "lesion")),
]
SPACING = {2: (0.6, 1.4), 3: (3.0, 0.5, 0.8)}


def _pair(target, grid, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(2, target.channels, *grid, generator=generator)
    noise[1] = 0.6 * noise[0] + 0.4 * noise[1]
    smooth = ndimage.gaussian_filter(noise.numpy(), (0, 0, *[1.0] * len(grid)))
    smooth = (smooth - smooth.mean()) / smooth.std() / 4 + 0.45
    return target.decide(torch.from_numpy(smooth))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("grid", [(23, 17), (6, 13, 11)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_the_columns_are_those_of_the_whole_planes(target, grid, dtype):
    prediction, reference = (codes.to(dtype) for codes in _pair(target, grid))
    spacing = SPACING[len(grid)]
    rows = segmentation_rows("case", "patient", prediction, reference, target, spacing, ALL)
    plain = segmentation_rows("case", "patient", prediction, reference, target)
    planes = [target.foreground_planes(codes[None])[0].numpy() for codes in (prediction, reference)]
    volume = VOLUME if len(grid) == 3 else ()
    for row, base, found, truth in zip(rows, plain, *planes, strict=True):
        assert list(row) == [*base, *SURFACE, *volume, *LESIONS, *COUNTS]
        assert {name: row[name] for name in base} == base
        assert {type(row[name]) for name in (*SURFACE, *volume, *LESIONS)} == {float}
        assert {type(row[name]) for name in COUNTS} == {int}
        whole = surface_distances(found, truth, spacing)
        assert [row[name] for name in SURFACE] == [whole.hd95_mm(), whole.assd_mm(), whole.surface_dice(1.5)]
        lesions = lesion_counts(found, truth)
        assert [row[name] for name in COUNTS] == list(vars(lesions).values())
        if volume:
            ours, theirs = (mask.sum() * math.prod(spacing) / 1000 for mask in (found, truth))
            expected = (ours, theirs, ours - theirs, abs(ours - theirs), (ours - theirs) / theirs)
            assert [row[name] for name in VOLUME] == pytest.approx(expected, rel=1e-12)


def test_without_spacing_or_scoring_the_rows_stay_as_they_were():
    target = TARGETS[1]
    prediction, reference = _pair(target, (9, 9, 9))
    plain = segmentation_rows("case", "patient", prediction, reference, target)
    for spacing, scoring in [
        (None, SegmentationScoring("always")),
        ((1.0, 1.0, 1.0), None),
        ((1.0, 1.0, 1.0), SegmentationScoring("never", volume=False)),
        (None, SegmentationScoring().at("test")),
    ]:
        assert repr(segmentation_rows("case", "patient", prediction, reference, target, spacing, scoring)) == repr(
            plain
        )
    lesions = segmentation_rows("case", "patient", prediction, reference, target, None, ALL)
    assert list(lesions[0]) == [*plain[0], *LESIONS, *COUNTS]


def test_absent_classes():
    target = TARGETS[1]
    empty = torch.zeros(4, 4, 4, dtype=torch.long)
    both, missed = segmentation_rows("case", "patient", empty, torch.full_like(empty, 2), target, (1.0, 1.0, 2.0), ALL)
    assert [both[name] for name in MEASURES] == [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
    expected = [math.nan, math.nan, 0.0, 0.0, 0.128, -0.128, 0.128, -1.0, 0.0, math.nan]
    np.testing.assert_allclose([missed[name] for name in MEASURES], expected)
    _, false = segmentation_rows("case", "patient", torch.full_like(empty, 2), empty, target, (1.0, 1.0, 2.0), ALL)
    expected = [math.nan, math.nan, 0.0, 0.128, 0.0, 0.128, 0.128, math.nan, math.nan, 0.0]
    np.testing.assert_allclose([false[name] for name in MEASURES], expected)


def test_threads_change_nothing(monkeypatch):
    target = MultiClass(("background", *(f"c{index}" for index in range(7))))
    prediction, reference = _pair(target, (14, 15, 16))
    arguments = ("case", "patient", prediction, reference, target, (1.0, 2.0, 0.7), ALL)
    rows = segmentation_rows(*arguments)
    monkeypatch.setattr(module, "_THREADED", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert repr(segmentation_rows(*arguments)) == repr(rows)


def test_a_class_has_its_own_tolerance():
    target = TARGETS[1]
    prediction = torch.zeros(5, 9, dtype=torch.long)
    prediction[1, 1], prediction[3, 1] = 1, 2
    reference = prediction.roll(2, 1)
    scoring = SegmentationScoring("always", 1.0, {"lesion": 2.0})
    organ, lesion = segmentation_rows("case", "patient", prediction, reference, target, (1.0, 1.0), scoring)
    assert (organ["surface_dice"], lesion["surface_dice"]) == (0.0, 1.0)
    with pytest.raises(ConfigError, match=r"scoring.class_tolerance_mm: unknown class, .* got \['spleen'\]"):
        segmentation_rows(
            "case",
            "p",
            prediction,
            reference,
            target,
            (1.0, 1.0),
            SegmentationScoring(class_tolerance_mm={"spleen": 1}),
        )


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 1.0, 0.0), (1.0, 1.0, math.nan), (1.0, 1.0, math.inf)])
def test_a_spacing_of_another_grid_is_refused(spacing):
    codes = torch.zeros(3, 3, 3, dtype=torch.long)
    with pytest.raises(DataError, match="case a: unusable spacing, expected 3 positive lengths in mm, got"):
        segmentation_rows("a", "p", codes, codes, TARGETS[0], spacing, ALL)


def test_surfaces_wait_for_the_test():
    scoring = SegmentationScoring()
    assert (scoring.at("val").surface, scoring.at("test").surface) == ("never", "always")
    assert SegmentationScoring("always").at("val").surface == "always"
    assert SegmentationScoring("never").at("test").surface == "never"
    assert [SegmentationScoring(word).at("val").volume for word in ("always", "test", "never")] == [True, False, False]
    assert all(SegmentationScoring(word).at("test").volume for word in ("always", "test", "never"))
    assert SegmentationScoring(lesions=True).at("val").lesions


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"tolerance_mm": -1.0}, "scoring.tolerance_mm: not a distance, expected a number from 0, got -1.0"),
        ({"class_tolerance_mm": {"liver": math.nan}}, "scoring.class_tolerance_mm.liver: not a distance"),
        ({"lesion_overlap": 1.5}, "scoring.lesion_overlap: not a share"),
        ({"surface": "sometimes"}, "scoring.surface: unknown word"),
    ],
)
def test_bad_settings_are_refused(fields, text):
    with pytest.raises(ConfigError, match=re.escape(text)):
        SegmentationScoring(**fields)


def test_boxes_of_small_structures_without_a_background_class():
    target = MultiClass(("grey", "white", "fluid"))
    reference = torch.ones(9, 9, dtype=torch.long)
    reference[1, 1], reference[7, 7] = 0, 2
    prediction = reference.roll(1, 0)
    rows = segmentation_rows("case", "patient", prediction, reference, target, (1.0, 1.0), ALL)
    assert [row["hd95_mm"] for row in (rows[0], rows[2])] == [1.0, 1.0]
    assert [row["lesions"] for row in rows] == [1, 1, 1]
