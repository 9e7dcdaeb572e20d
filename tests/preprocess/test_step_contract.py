"""Every step that a YAML can name: applied, undone, written down."""

import dataclasses
import importlib
import inspect
import json
import pkgutil

import numpy as np
import pytest

import lit_medseg.preprocess
from lit_medseg.imaging.volume import Volume, flat_volume
from lit_medseg.preprocess.bright_foreground import BrightForeground
from lit_medseg.preprocess.clahe import Clahe
from lit_medseg.preprocess.eight_bit import EightBit
from lit_medseg.preprocess.percentile_rescale import PercentileRescale
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.plain import step_from_plain, step_to_plain
from lit_medseg.preprocess.resize import Resize, ResizeWithin
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.step import FittedStep, Step
from lit_medseg.preprocess.to_gray import ToGray
from lit_medseg.preprocess.to_rgb import ToRGB

EXAMPLES = [
    ToGray(),
    ToRGB(),
    PercentileRescale(),
    EightBit(),
    BrightForeground(),
    Clahe(),
    Resize(17, 40),
    Resize(64, 20),
    ResizeWithin(19),
    ResizeWithin(300),
    Standardize(),
    Standardize((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)),
]


def concrete(kind):
    children = [child for direct in kind.__subclasses__() for child in (direct, *concrete(direct))]
    return [child for child in children if not inspect.isabstract(child) and not child.__name__.startswith("_")]


def sample(channels=3, grid=(31, 37), dtype=np.uint8):
    rng = np.random.default_rng(4)
    image = (rng.random((channels, *grid)) * 255).astype(dtype)
    mask = rng.integers(0, 3, (1, *grid)).astype(np.uint8)
    affine = np.diag([0.5, 0.7, 1.0, 1.0])
    affine[:3, 3] = [3, -4, 5]
    return Sample((Volume(image, (0.5, 0.7), affine),), Volume(mask, (0.5, 0.7), affine))


def fitted(step):
    return step.fit([sample()]) if isinstance(step, FittedStep) and not step.fitted else step


def test_every_step_has_an_example():
    for module in pkgutil.iter_modules(lit_medseg.preprocess.__path__):
        importlib.import_module(f"lit_medseg.preprocess.{module.name}")
    ours = {kind for kind in concrete(Step) if kind.__module__.startswith("lit_medseg.")}
    assert ours == {type(step) for step in EXAMPLES}


@pytest.mark.parametrize("step", EXAMPLES, ids=repr)
class TestEveryStep:
    def test_is_frozen_and_documented(self, step):
        assert dataclasses.is_dataclass(step)
        with pytest.raises(dataclasses.FrozenInstanceError):
            step.anything = 1
        assert type(step).__doc__

    def test_returns_to_the_native_grid(self, step):
        pipeline = Pipeline((fitted(step),))
        before = sample()
        processed, trace = pipeline.apply(before)
        assert processed.mask.grid == processed.images[0].grid
        planes = np.random.default_rng(1).random((2, *processed.images[0].grid)).astype(np.float32)
        back = pipeline.invert(processed.images[0].with_array(planes), trace)
        native = before.images[0]
        assert (back.grid, back.spacing_mm, back.array.dtype) == (native.grid, native.spacing_mm, np.float32)
        np.testing.assert_array_equal(back.affine, native.affine)
        codes = pipeline.invert(processed.mask, trace)
        assert codes.grid == native.grid
        assert set(np.unique(codes.array)) <= {0, 1, 2}

    def test_leaves_its_input_alone(self, step):
        before, untouched = sample(), sample()
        fitted(step).apply(before)
        np.testing.assert_array_equal(before.images[0].array, untouched.images[0].array)
        np.testing.assert_array_equal(before.mask.array, untouched.mask.array)

    def test_keeps_probabilities_a_distribution(self, step):
        pipeline = Pipeline((fitted(step),))
        processed, trace = pipeline.apply(sample())
        first = np.random.default_rng(2).random(processed.images[0].grid)
        planes = np.stack([first, 1 - first]).astype(np.float32)
        back = pipeline.invert(flat_volume(planes), trace).array
        np.testing.assert_allclose(back.sum(axis=0), 1, atol=1e-5)
        assert back.min() >= 0

    def test_plain_round_trip(self, step):
        for form in (step, fitted(step)):
            plain = json.loads(json.dumps(step_to_plain(form)))
            assert step_from_plain(plain) == form
            assert Pipeline.from_plain([plain]).fingerprint == Pipeline((form,)).fingerprint

    def test_trace_is_json(self, step):
        _, trace = fitted(step).apply(sample())
        assert json.loads(json.dumps(trace)) == trace

    def test_is_deterministic(self, step):
        once, twice = (fitted(step).apply(sample())[0].images[0].array for _ in range(2))
        np.testing.assert_array_equal(once, twice)
