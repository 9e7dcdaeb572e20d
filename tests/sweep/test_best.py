"""The winner's YAML: what its trial has run, with the device, ranks and threads that the run has noted."""

import pytest
import yaml

from lit_medseg.sweep.best import write_best
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.rows import Row
from lit_medseg.tracking.records import Record
from tests.sweep.searches import plan_with

METRIC = "val/dice"
MADE_ON = {"device": "cuda", "ranks": "2", "threads": "4", "torch": "2.9.1"}


def trial(place, number, *values, trainer=None, made_on=MADE_ON):
    """Leave what a complete trial leaves, a run for each value; gives its row."""
    parts = []
    for part, value in enumerate(values):
        suffix = f"-r{part}" if len(values) > 1 else ""
        settings = {"seed_everything": 7 + part, "trainer": trainer or {"devices": "auto", "max_epochs": 3}}
        place.trial(number).mkdir(parents=True, exist_ok=True)
        (place.trial(number) / f"experiment{suffix}.yaml").write_text(yaml.safe_dump(settings))
        run = place.run(number, suffix)
        run.path.mkdir(parents=True)
        tags = [Record("tag", f"made_on/{key}", text) for key, text in made_on.items()]
        (run.path / "records.jsonl").write_bytes(b"".join(tag.line() for tag in tags))
        parts.append({"run": run.name, METRIC: value})
    return Row(number, "COMPLETE", (sum(values) / len(values),), {"x": 0.5}, tuple(parts), "", 3, 1.0, True)


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path, "search")
    place.folder.path.mkdir(parents=True)
    return place


def test_it_is_what_the_trial_ran_with_whatever_the_sweep_is_called_with_later(tmp_path, place):
    plan = plan_with(tmp_path, seed=9, fixed={"trainer.max_epochs": 50})
    (file,) = write_best(plan, place, [trial(place, 4, 0.8), trial(place, 5, 0.7)])
    text = file.read_text()
    trainer = {"devices": 2, "max_epochs": 3, "accelerator": "gpu"}
    assert yaml.safe_load(text) == {"seed_everything": 7, "trainer": trainer, "experiment": "search-best"}
    assert text.startswith("# OMP_NUM_THREADS=4 python -m lit_medseg fit --config best.yaml\n")
    assert "Trial 4 of the sweep search: x 0.5" in text
    assert "val/dice 0.8 (best over the epochs) with seed 7" in text
    assert "device cuda; ranks 2; threads 4; torch 2.9.1." in text
    assert write_best(plan, place, []) == []


def test_of_repeats_it_gives_the_first_runs_value_and_says_so(tmp_path, place):
    (file,) = write_best(plan_with(tmp_path, repeats=2), place, [trial(place, 0, 0.75, 0.25)])
    text = file.read_text()
    assert "It gave val/dice 0.75 (best over the epochs) with seed 7." in text
    assert "the first of the trial's 2 runs, whose mean is val/dice 0.5." in text
    assert "in trials/0000: experiment-r1.yaml." in text


def test_a_run_that_moved_between_machines_promises_no_threads(tmp_path, place):
    row = trial(place, 0, 0.5, trainer={"num_nodes": 2, "devices": "auto"})
    moved = [Record("tag", "made_on/threads", "1"), Record("tag", "made_on/threads", "4")]
    with (place.run(0).path / "records.jsonl").open("ab") as records:
        records.writelines(record.line() for record in moved)
    (file,) = write_best(plan_with(tmp_path), place, [row])
    assert file.read_text().startswith("# python -m lit_medseg fit --config best.yaml\n")
    assert "threads 4 then 1;" in file.read_text()
    assert yaml.safe_load(file.read_text())["trainer"]["devices"] == 1  # of each of the two nodes


def test_the_front_of_several_objectives_has_a_file_each(tmp_path, place):
    plan = plan_with(tmp_path, objective=[METRIC, {"metric": "cost/s", "direction": "min", "take": "last"}])
    rows = []
    for number, values in enumerate([(0.9, 5.0), (0.8, 1.0), (0.7, 2.0)]):
        row = trial(place, number, values[0])
        parts = ({**row.parts[0], "cost/s": values[1]},)
        rows.append(Row(number, "COMPLETE", values, {}, parts, "", 3, 1.0, True))
    files = write_best(plan, place, rows)
    assert [file.name for file in files] == ["best.yaml", "front-0000.yaml", "front-0001.yaml"]
    better = trial(place, 3, 0.95)
    better = Row(3, "COMPLETE", (0.95, 0.5), {}, ({**better.parts[0], "cost/s": 0.5},), "", 3, 1.0, True)
    again = write_best(plan, place, [*rows, better])
    assert [file.name for file in again] == ["best.yaml", "front-0003.yaml"]
    assert sorted(place.folder.path.glob("front-*")) == again[1:]  # those that are beaten are gone


def test_each_objective_says_which_epoch_counts(tmp_path, place):
    plan = plan_with(tmp_path, objective=[METRIC, {"metric": "cost/s", "direction": "min", "take": "last"}])
    row = trial(place, 0, 0.8)
    row = Row(0, "COMPLETE", (0.8, 1.0), {}, ({**row.parts[0], "cost/s": 1.0},), "", 3, 1.0, True)
    files = write_best(plan, place, [row])
    assert "val/dice 0.8, cost/s 1.0 (best over the epochs, last over the epochs)" in files[0].read_text()


def test_a_trial_whose_files_are_gone_is_a_fault(tmp_path, place):
    row = trial(place, 0, 0.5)
    (place.trial(0) / "experiment.yaml").unlink()
    with pytest.raises(FileNotFoundError):
        write_best(plan_with(tmp_path), place, [row])
