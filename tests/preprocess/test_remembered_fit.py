import numpy as np
import pytest

from lit_medseg.errors import DataError
from lit_medseg.imaging.volume import flat_volume
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.remembered_fit import remembered_fit
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.standardize import Standardize


def samples():
    return [Sample((flat_volume(np.random.default_rng(seed).random((2, 5, 5))),)) for seed in range(3)]


def never():
    raise AssertionError


def test_second_process_reads_the_same_floats(tmp_path):
    first = remembered_fit(tmp_path, Pipeline((Standardize(),)), ["a", "b"], samples)
    assert first == Pipeline((Standardize(),)).fit(samples)
    assert remembered_fit(tmp_path, Pipeline((Standardize(),)), ["a", "b"], never) == first


def test_other_cases_or_values_are_fitted_again(tmp_path):
    remembered_fit(tmp_path, Pipeline((Standardize(),)), ["a"], samples)
    with pytest.raises(AssertionError):
        remembered_fit(tmp_path, Pipeline((Standardize(),)), ["a", "c"], never)
    with pytest.raises(AssertionError):
        remembered_fit(tmp_path, Pipeline((Standardize(mean=(1.0, 1.0)),)), ["a"], never)


def test_damaged_file_is_fitted_again(tmp_path):
    first = remembered_fit(tmp_path, Pipeline((Standardize(),)), ["a"], samples)
    kept = next(tmp_path.glob("fitted-*.json"))
    kept.write_text(kept.read_text()[:40])
    assert remembered_fit(tmp_path, Pipeline((Standardize(),)), ["a"], samples) == first


def test_nothing_open_writes_nothing(tmp_path):
    remembered_fit(tmp_path / "new", Pipeline(()), [], never)
    assert not (tmp_path / "new").exists()


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cache_dir"):
        remembered_fit(tmp_path / "file", Pipeline((Standardize(),)), [], samples)
