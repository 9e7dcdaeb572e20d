"""Relative roots start from LIT_MEDSEG_DATA, else from the working folder."""

from pathlib import Path

import pytest

from lit_medseg.catalogue.data_root import resolve_root


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIT_MEDSEG_DATA", raising=False)
    return tmp_path.resolve()


def test_the_working_folder_where_unset_or_empty(here, monkeypatch):
    assert resolve_root("nuclei") == here / "nuclei"
    monkeypatch.setenv("LIT_MEDSEG_DATA", "")
    assert resolve_root("nuclei") == here / "nuclei"


@pytest.mark.parametrize("value", ["data", "{here}/data"])
def test_the_variable(here, monkeypatch, value):
    monkeypatch.setenv("LIT_MEDSEG_DATA", value.format(here=here))
    assert resolve_root("nuclei") == here / "data" / "nuclei"
    assert resolve_root("../splits/a.json") == here / "splits" / "a.json"
    assert resolve_root("/abs/nuclei") == Path("/abs/nuclei")


def test_home(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here / "home"))
    monkeypatch.setenv("LIT_MEDSEG_DATA", "~/data")
    assert resolve_root("a") == here / "home" / "data" / "a"
    assert resolve_root("~/a") == here / "home" / "a"
