import os

import pytest

from lit_medseg.data.loading import Loading
from lit_medseg.data.training import Training
from lit_medseg.data.truth import Truth
from lit_medseg.errors import ConfigError


def test_workers(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    assert Loading(workers=3).worker_count(8) == 3
    assert [Loading().worker_count(ranks) for ranks in (1, 2, 4, 16, 32)] == [8, 7, 3, 0, 0]


@pytest.mark.parametrize(
    ("kind", "values", "key"),
    [
        (Loading, {"batch_size": 0}, "loading.batch_size"),
        (Loading, {"eval_batch_size": 0}, "loading.eval_batch_size"),
        (Loading, {"prefetch": 0}, "loading.prefetch"),
        (Loading, {"workers": -1}, "loading.workers"),
        (Training, {"patch_size": [3]}, "training.patch_size"),
        (Training, {"patch_size": [0, 3]}, "training.patch_size"),
        (Training, {"foreground": 1.5}, "training.foreground"),
        (Training, {"repeats": 0}, "training.repeats"),
        (Training, {"seed": -1}, "training.seed"),
    ],
)
def test_unusable_values_are_named(kind, values, key):
    with pytest.raises(ConfigError, match=key):
        kind(**values)


def test_truth_is_one_task():
    assert Truth(masks={"a": 3}).classes().target().names == ("background", "a")
    assert Truth(labels=["a", "b"]).classes() == Truth(labels={"a": "a", "b": "b"}).classes()
    for truth, got in ((Truth(), "neither"), (Truth(masks={"a": 3}, labels=["a", "b"]), "both")):
        with pytest.raises(ConfigError, match=got):
            truth.classes()
