"""Dotted keys in nested settings."""

import pytest
import yaml

from lit_medseg.errors import ConfigError
from lit_medseg.sweep.nested import changed, read_experiment

BASE = {"model": {"network": {"class_path": "a.B", "init_args": {"depth": 3}}, "plain": "c.D"}, "steps": [{"p": 1}]}


@pytest.mark.parametrize(
    ("changes", "path", "expected"),
    [
        ({"model.network.init_args.depth": 4}, ("model", "network", "init_args"), {"depth": 4}),
        ({"model.network": {"class_path": "e.F"}}, ("model", "network"), {"class_path": "e.F"}),
        ({"trainer.max_epochs": 2}, ("trainer",), {"max_epochs": 2}),
        ({"steps.0.p": 2}, ("steps",), [{"p": 2}]),
        ({"steps": []}, ("steps",), []),
        (
            {"model.network": {"class_path": "e.F"}, "model.network.init_args.width": 5},
            ("model", "network"),
            {"class_path": "e.F", "init_args": {"width": 5}},
        ),
    ],
)
def test_a_value_is_put_in_place(changes, path, expected):
    found = changed(BASE, changes)
    for part in path:
        found = found[part]
    assert found == expected
    assert BASE["model"]["network"]["init_args"] == {"depth": 3}  # untouched
    assert BASE["steps"] == [{"p": 1}]


@pytest.mark.parametrize(
    ("key", "expected"),
    [("model.plain.init_args.x", "model.plain has no keys"), ("steps.1.p", "no such item, expected 0 to 0, got '1'")],
)
def test_a_key_that_leads_nowhere(key, expected):
    with pytest.raises(ConfigError) as raised:
        changed(BASE, {key: 1})
    assert str(raised.value).startswith(key)
    assert expected in str(raised.value)


def test_an_experiment_takes_the_files_that_it_names(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "cpu.yaml").write_text("accelerator: cpu\n")
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump({"trainer": "parts/cpu.yaml", "experiment": "x.yaml"}))
    assert read_experiment(tmp_path / "exp.yaml") == {"trainer": {"accelerator": "cpu"}, "experiment": "x.yaml"}
