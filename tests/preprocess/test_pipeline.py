import numpy as np
import pytest

from lit_medseg.errors import CheckpointError, ConfigError, DataError
from lit_medseg.imaging.volume import flat_volume
from lit_medseg.preprocess.percentile_rescale import PercentileRescale
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.plain import step_from_plain
from lit_medseg.preprocess.resize import Resize, ResizeWithin
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.standardize import Standardize
from lit_medseg.preprocess.to_rgb import ToRGB
from lit_medseg.preprocess.trace import CaseTrace


def sample(seed, grid=(20, 30)):
    array = np.random.default_rng(seed).integers(0, 256, (1, *grid)).astype(np.uint8)
    return Sample((flat_volume(array),), flat_volume((array > 99).astype(np.uint8)))


def test_fits_each_step_on_what_the_steps_before_leave():
    cases = [sample(seed) for seed in range(4)]
    pipeline = Pipeline((ToRGB(), PercentileRescale(), Standardize())).fit(lambda: cases)
    pixels = np.concatenate([PercentileRescale().change(case.images[0]).array.ravel() for case in cases])
    np.testing.assert_allclose(pipeline.steps[2].mean, [pixels.mean(dtype=np.float64)] * 3, rtol=1e-12)


def test_must_be_fitted():
    with pytest.raises(ConfigError, match="fit"):
        Pipeline((Standardize(),)).apply(sample(0))


def test_undoes_steps_in_reverse():
    pipeline = Pipeline((ResizeWithin(25), Resize(16, 16)))
    processed, trace = pipeline.apply(sample(0, (50, 40)))
    assert trace.steps == ({"grid": [50, 40]}, {"grid": [25, 20]})
    assert pipeline.invert(processed.images[0], trace).grid == (50, 40)
    assert CaseTrace.from_plain(trace.plain()) == trace


def test_refuses_a_trace_of_another_pipeline():
    _, trace = Pipeline((ResizeWithin(25),)).apply(sample(0))
    with pytest.raises(DataError, match="another pipeline"):
        Pipeline(()).invert(flat_volume(np.zeros((1, 3, 3))), trace)
    with pytest.raises(DataError, match="native grid"):
        Pipeline((ToRGB(),)).invert(flat_volume(np.zeros((1, 3, 3))), trace)


def test_contradictions_name_step_and_key():
    fitted = Pipeline((Resize(16, 16), Standardize((1.0,), (2.0,))))
    assert fitted.contradictions(Pipeline((Resize(16, 16), Standardize()))) == []
    found = fitted.contradictions(Pipeline((Resize(16, 32), Standardize(mean=(9.0,)))))
    assert len(found) == 2
    assert "Resize.width differs, expected 16, got 32" in found[0]
    assert "Standardize.mean" in found[1]
    assert "steps differ" in fitted.contradictions(Pipeline((Standardize(),)))[0]


def test_fingerprint_knows_values_and_versions(monkeypatch):
    first = Pipeline((Resize(16, 16),)).fingerprint
    assert first == Pipeline((Resize(16, 16),)).fingerprint != Pipeline((Resize(16, 17),)).fingerprint
    monkeypatch.setattr(Resize, "version", 2)
    assert Pipeline((Resize(16, 16),)).fingerprint != first


@pytest.mark.parametrize("path", ["os.system", "no.such.Step", "Resize", "lit_medseg.preprocess.resize.Gone"])
def test_plain_takes_steps_only(path):
    with pytest.raises(CheckpointError):
        step_from_plain({"class_path": path, "init_args": {}})


def test_plain_names_wrong_keys():
    with pytest.raises(CheckpointError, match="longst"):
        step_from_plain({"class_path": "lit_medseg.preprocess.resize.ResizeWithin", "init_args": {"longst": 3}})
