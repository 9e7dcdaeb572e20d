"""What a sweep leaves behind is written as often as it can be, and never ends the sweep."""

import logging

from lit_medseg.sweep.results import Results, planned_epochs
from lit_medseg.sweep.rows import Row
from lit_medseg.sweep.study import close_storage, quieten
from lit_medseg.sweep.sweep_run import SweepRun
from tests.sweep.searches import opened, plan_with, search


def results_of(folder, address=None):
    quieten()
    plan = plan_with(folder, trials=2)
    search(plan, folder, address=address)
    study, place = opened(plan, folder, address)
    return Results(plan, [], study, place, SweepRun(place, "")), place


def test_a_database_that_is_away_is_a_warning(tmp_path, caplog):
    file = tmp_path / "studies.db"
    results, _ = results_of(tmp_path, f"sqlite:///{file}")
    close_storage(results.study)
    file.unlink()
    with caplog.at_level(logging.WARNING):
        assert results.write() is None
    assert "the sweep's results cannot be written now" in caplog.text
    close_storage(results.study)


def test_a_folder_that_cannot_be_written_leaves_what_was_found(tmp_path, caplog):
    results, place = results_of(tmp_path)
    (place.folder.path / "trials.csv").mkdir()
    with caplog.at_level(logging.WARNING):
        findings = results.write()
    assert [row.state for row in findings.rows] == ["COMPLETE", "COMPLETE"]
    assert "Is a directory" in caplog.text
    assert str(tmp_path) not in caplog.text


def test_the_epochs_of_a_whole_trial_where_all_have_as_many(tmp_path):
    base = {"trainer": {"max_epochs": 6}}
    rows = [Row(n, "COMPLETE", (0.5,), {"trainer.max_epochs": 3 + n, "lr": n}, (), "", 3, 1.0, True) for n in (0, 1)]
    plan = plan_with(tmp_path, repeats=2, space={"lr": {"low": 0.0, "high": 1.0}})
    assert planned_epochs(plan, [base], rows) == 12
    assert planned_epochs(plan, [{}], rows) == 0
    assert planned_epochs(plan, [base], []) == 0
    searched = plan_with(tmp_path, space={"trainer.max_epochs": {"low": 3, "high": 4}})
    assert planned_epochs(searched, [base], rows) == 0
    assert planned_epochs(searched, [base], rows[:1]) == 3
