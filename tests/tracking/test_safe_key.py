import pytest
from mlflow.utils.validation import _validate_metric_name, _validate_param_name

from lit_medseg.tracking.safe_key import safe_key

ODD = ["val/dice/T1+", "val/dice/T1*", "a:b", "läsion/µ m", "/a", "a//b", "a/../b", "..", "", ".", "a/", "x" * 400]


@pytest.mark.parametrize("name", ["val/dice/left ventricle", "train/lr-Adam", "läsion", "a.b_c-d"])
def test_a_good_key_stays(name):
    assert safe_key(name) == name


@pytest.mark.parametrize("name", ODD)
def test_mlflow_takes_every_key(name):
    _validate_metric_name(safe_key(name))
    _validate_param_name(safe_key(name))
    assert 0 < len(safe_key(name)) <= 250


def test_different_names_stay_different():
    assert len({safe_key(name) for name in ODD}) == len(ODD)
