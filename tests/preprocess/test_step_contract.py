"""Every step that a YAML can name: applied, undone, written down; on pictures and on oblique volumes."""

import dataclasses
import importlib
import inspect
import json
import pkgutil

import numpy as np
import pytest
from jsonargparse import ArgumentParser
from scipy.spatial.transform import Rotation

import lit_medseg.preprocess
from lit_medseg.imaging.volume import Volume, flat_volume, placed_volume
from lit_medseg.preprocess.bright_foreground import BrightForeground
from lit_medseg.preprocess.canonical_orientation import CanonicalOrientation
from lit_medseg.preprocess.clahe import Clahe
from lit_medseg.preprocess.clip_percentiles import ClipPercentiles
from lit_medseg.preprocess.crop_foreground import CropForeground
from lit_medseg.preprocess.ct_intensity import CTIntensity
from lit_medseg.preprocess.eight_bit import EightBit
from lit_medseg.preprocess.half_precision import HalfPrecision
from lit_medseg.preprocess.histogram_match import HistogramMatch
from lit_medseg.preprocess.hu_window import HUWindow
from lit_medseg.preprocess.median_filter import MedianFilter
from lit_medseg.preprocess.n4_bias_field import N4BiasField
from lit_medseg.preprocess.non_local_means import NonLocalMeans
from lit_medseg.preprocess.onto_channel import OntoChannel
from lit_medseg.preprocess.pad import PadTo, PadToMultiple
from lit_medseg.preprocess.percentile_rescale import PercentileRescale
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.plain import step_from_plain, step_to_plain
from lit_medseg.preprocess.remap_labels import RemapLabels
from lit_medseg.preprocess.resample_to import ResampleTo
from lit_medseg.preprocess.resize import Resize, ResizeWithin
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import FittedStep, Step
from lit_medseg.preprocess.to_gray import ToGray
from lit_medseg.preprocess.to_rgb import ToRGB
from lit_medseg.preprocess.z_score import ZScore

BOTH = [
    BrightForeground(),
    CTIntensity(),
    CTIntensity(10.0, 200.0, channels=("t2",)),
    CanonicalOrientation(),
    CanonicalOrientation("ARI"),
    Clahe(tiles=2),
    ClipPercentiles(2, 90, "foreground"),
    CropForeground(),
    CropForeground("otsu"),
    CropForeground(251, margin_mm=0.4),
    EightBit(),
    HUWindow(20, 200),
    HalfPrecision(),
    HistogramMatch(),
    MedianFilter(),
    N4BiasField(2, (3, 3)),
    NonLocalMeans(1),
    OntoChannel("t2"),
    PadToMultiple(16),
    PadToMultiple(7, value=3.0),
    PercentileRescale(),
    RemapLabels({2: 1, 1: 2}),
    ResampleTo(),
    Standardize(),
    Standardize((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)),
    ToGray(),
    ToRGB(),
    ZScore(),
    ZScore("nonzero", channels=("t2",)),
]
PICTURES = [
    PadTo((40, 20), 0.0),
    ResampleTo((0.9, 0.4), "linear"),
    Resize(17, 40),
    Resize(64, 20),
    ResizeWithin(19),
    ResizeWithin(300),
]
VOLUMES = [
    PadTo((3, 40, 40)),
    ResampleTo((1.3, 2.2, 0.9)),
    ResampleTo((3.0, 1.0, 1.0), "linear", "linear"),
    ResampleTo((9.0, 0.6, 0.6)),
]
CASES = [
    *((step, "picture") for step in (*BOTH, *PICTURES)),
    *((step, "volume") for step in (*BOTH, *VOLUMES)),
    *((step, "slice") for step in (*BOTH, *VOLUMES)),
]
GRIDS = {"picture": (31, 37), "volume": (9, 17, 14), "slice": (1, 13, 20)}


def concrete(kind):
    children = [child for direct in kind.__subclasses__() for child in (direct, *concrete(direct))]
    return [child for child in children if not inspect.isabstract(child) and not child.__name__.startswith("_")]


def affine(kind):
    """Oblique, anisotropic and left-handed for volumes."""
    if kind == "picture":
        place = np.diag([0.5, 0.7, 1.0, 1.0])
    else:
        place = np.eye(4)
        place[:3, :3] = Rotation.from_euler("xyz", [100, 25, -60], degrees=True).as_matrix() @ np.diag([2.5, -0.8, 1.1])
    place[:3, 3] = [3, -4, 5]
    return place


def sample(kind):
    rng = np.random.default_rng(4)
    image = (rng.random((3, *GRIDS[kind])) * 255).astype(np.uint8)
    mask = rng.integers(0, 3, (1, *GRIDS[kind])).astype(np.uint8)
    if kind == "picture":
        volumes = [Volume(array, (0.5, 0.7), affine(kind)) for array in (image, mask)]
    else:
        volumes = [placed_volume(array, affine(kind)) for array in (image, mask)]
    return Sample((volumes[0],), volumes[1], ("t2",))


def fitted(step, kind):
    return step.fit([sample(kind)]) if isinstance(step, FittedStep) and not step.fitted else step


def test_every_step_has_an_example():
    for module in pkgutil.iter_modules(lit_medseg.preprocess.__path__):
        importlib.import_module(f"lit_medseg.preprocess.{module.name}")
    ours = {kind for kind in concrete(Step) if kind.__module__.startswith("lit_medseg.")}
    assert ours == {type(step) for step, _ in CASES}


@pytest.mark.parametrize(("step", "kind"), CASES, ids=repr)
class TestEveryStep:
    def test_is_frozen_and_documented(self, step, kind):
        assert dataclasses.is_dataclass(step)
        with pytest.raises(dataclasses.FrozenInstanceError):
            step.anything = 1
        assert type(step).__doc__

    def test_returns_to_the_native_grid(self, step, kind):
        pipeline = Pipeline((fitted(step, kind),))
        before = sample(kind)
        processed, trace = pipeline.apply(before)
        assert processed.mask.grid == processed.images[0].grid
        planes = np.random.default_rng(1).random((2, *processed.images[0].grid)).astype(np.float32)
        native = before.images[0]
        for there in (processed.images[0].with_array(planes), flat_volume(planes)):
            back = pipeline.invert(there, trace)
            assert (back.grid, back.spacing_mm, back.array.dtype) == (native.grid, native.spacing_mm, np.float32)
            np.testing.assert_array_equal(back.affine, native.affine)
        codes = pipeline.invert(processed.mask, trace)
        assert codes.grid == native.grid
        assert set(np.unique(codes.array)) <= {0, 1, 2}

    def test_keeps_every_voxel_in_its_place(self, step, kind):
        native, image = sample(kind).images[0], fitted(step, kind).apply(sample(kind))[0].images[0]
        if type(step) in (CanonicalOrientation, CropForeground, PadTo, PadToMultiple):
            # the same value at the same point in space
            index = np.array([(side - 1) // 2 for side in image.grid])
            point = image.affine[:, : len(index)] @ index + image.affine[:, 3]
            old = np.rint(np.linalg.solve(native.affine, point)[: len(index)]).astype(int)
            np.testing.assert_array_equal(image.array[(slice(None), *index)], native.array[(slice(None), *old)])
        elif image.grid != native.grid:
            # the same field of view: outer corners
            for corner in (np.zeros(len(image.grid)), np.ones(len(image.grid))):
                ends = [
                    volume.affine[:, : len(corner)] @ (corner * volume.grid - 0.5) + volume.affine[:, 3]
                    for volume in (native, image)
                ]
                np.testing.assert_allclose(ends[0], ends[1], atol=1e-9)

    def test_leaves_its_input_alone(self, step, kind):
        before, untouched = sample(kind), sample(kind)
        fitted(step, kind).apply(before)
        np.testing.assert_array_equal(before.images[0].array, untouched.images[0].array)
        np.testing.assert_array_equal(before.mask.array, untouched.mask.array)

    def test_keeps_probabilities_a_distribution(self, step, kind):
        pipeline = Pipeline((fitted(step, kind),))
        processed, trace = pipeline.apply(sample(kind))
        first = np.random.default_rng(2).random(processed.images[0].grid)
        planes = np.stack([first, 1 - first]).astype(np.float32)
        back = pipeline.invert(flat_volume(planes), trace).array
        np.testing.assert_allclose(back.sum(axis=0), 1, atol=1e-5)
        assert back.min() >= 0

    def test_plain_round_trip(self, step, kind):
        for form in (step, fitted(step, kind)):
            plain = json.loads(json.dumps(step_to_plain(form)))
            assert step_from_plain(plain) == form
            assert Pipeline.from_plain([plain]).fingerprint == Pipeline((form,)).fingerprint

    def test_a_yaml_can_name_it(self, step, kind):
        plain = json.loads(json.dumps(step_to_plain(step)))
        parser = ArgumentParser(exit_on_error=False)
        parser.add_argument("--step", type=Step)
        assert parser.instantiate(parser.parse_object({"step": plain})).step == step

    def test_trace_is_json(self, step, kind):
        _, trace = fitted(step, kind).apply(sample(kind))
        assert json.loads(json.dumps(trace)) == trace

    def test_is_deterministic_and_finite(self, step, kind):
        once, twice = (fitted(step, kind).apply(sample(kind))[0].images[0].array for _ in range(2))
        np.testing.assert_array_equal(once, twice)
        assert np.isfinite(once).all()

    def test_takes_a_constant_image(self, step, kind):
        flat = sample(kind)
        flat = flat.with_images((flat.images[0].with_array(np.full_like(flat.images[0].array, 9)),))
        image = fitted(step, kind).apply(flat)[0].images[0]
        inside = image.array if image.grid == flat.images[0].grid else np.zeros(1)
        assert np.isfinite(image.array).all()
        if type(step) not in (PadTo, PadToMultiple):
            assert all(np.ptp(channel) == 0 for channel in inside)

    def test_keeps_names(self, step, kind):
        assert fitted(step, kind).apply(sample(kind))[0].channels == ("t2",)
