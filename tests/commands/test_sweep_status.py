"""`sweep status` where something is gone."""

import pytest

from lit_medseg.commands.sweep_status import status
from lit_medseg.errors import ConfigError
from lit_medseg.sweep.kept_plan import keep_plan
from lit_medseg.sweep.place import Place
from lit_medseg.tracking.lease import this_process
from lit_medseg.tracking.run_folder import RunState
from tests.sweep.searches import plan_with


def test_a_study_that_is_gone_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = Place(tmp_path / "runs", "search")
    place.folder.path.mkdir(parents=True)
    place.folder.write(RunState("RUNNING", "hash", this_process(), 0.0))
    keep_plan(place, plan_with(tmp_path), [])
    with pytest.raises(ConfigError, match=r"^sweep search: its study is missing, expected a study in storage"):
        status(["search"])
    with pytest.raises(ConfigError, match=r"a study in other\.journal, got none .* Give the --storage"):
        status(["search", "--storage", "other.journal"])


def test_without_a_name_all_sweeps_are_listed(tmp_path, capsys):
    runs = tmp_path / "runs"
    assert status(["--runs_dir", str(runs)]) == 0
    assert capsys.readouterr().out.startswith("no sweeps in ")
    for name, state in (("ended", "FINISHED"), ("left", "RUNNING")):
        place = Place(runs, name)
        place.folder.path.mkdir(parents=True)
        place.folder.write(RunState(state, "hash", this_process(), 0.0))
    assert status(["--runs_dir", str(runs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["ended", "FINISHED", "0", "workers,"],
        ["left", "KILLED", "0", "workers,"],
    ]
