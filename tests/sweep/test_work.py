"""A trial taken up again from what its runs have left; no process is started."""

import pytest

from lit_medseg.sweep.ask import next_trial
from lit_medseg.sweep.frame import Frame
from lit_medseg.sweep.history import LOSS
from lit_medseg.sweep.parts import Part, make_parts
from lit_medseg.sweep.study import quieten
from lit_medseg.sweep.tell import report
from lit_medseg.sweep.work import Work
from lit_medseg.tracking.lease import this_process
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import RunState
from tests.sweep.searches import nobody, opened, plan_with

METRIC = "val/dice"
FALLS = {"class_path": "optuna.pruners.ThresholdPruner", "init_args": {"lower": 0.5}}


def finished_run(folder, values):
    """Leave what a run leaves that has ended after so many epochs."""
    folder.path.mkdir(parents=True)
    folder.write(RunState("FINISHED", "hash", this_process(), 0.0))
    with (folder.path / "records.jsonl").open("wb") as file:
        for epoch, value in enumerate(values):
            for key, number in ((METRIC, value), ("epoch", epoch), (LOSS, 1.0)):
                file.write(Record("metric", key, number, epoch * 4 + 3).line())


def resumed(folder, plan, base):
    """The first trial in the hands of a worker."""
    quieten()
    study, place = opened(plan, folder)
    asked = next_trial(plan, study, place, True, nobody)
    return Work(Frame(plan, study, place), asked, make_parts(plan, [base], asked.settings), ()), study, place


@pytest.mark.filterwarnings("ignore:.*experimental.*")
def test_a_trial_of_several_runs_that_is_pruned_when_it_is_taken_up_again_has_all_of_them(tmp_path):
    """Its worker was killed between the report of the second run and the pruner's answer."""
    plan = plan_with(tmp_path, repeats=4, pruner=FALLS)
    work, study, place = resumed(tmp_path, plan, {})
    for part, values in enumerate([[0.7, 0.8], [0.05, 0.1, 0.1]]):
        finished_run(place.run(0, f"-r{part}"), values)
    report(study, 0, 1, 0.8)
    report(study, 0, 2, 0.45)
    outcomes = [work.step(), work.step()]
    assert outcomes[0] is None  # about the first run the pruner was asked before
    assert (outcomes[1].state, outcomes[1].reason, outcomes[1].epochs) == ("PRUNED", "pruned at run 2", 5)
    assert [part[METRIC] for part in outcomes[1].parts] == [0.8, 0.1]
    assert study.get_trials()[0].intermediate_values == {1: 0.8, 2: 0.45}


@pytest.mark.filterwarnings("ignore:.*experimental.*")
@pytest.mark.parametrize(("every", "state"), [(5, "COMPLETE"), (1, "PRUNED")])
def test_nobody_is_asked_about_the_last_validation(tmp_path, every, state):
    """Six epochs: validated every fifth, a run has nothing to save when its first value is there."""
    plan = plan_with(tmp_path, pruner=FALLS)
    work, _, place = resumed(tmp_path, plan, {"trainer": {"max_epochs": 6, "check_val_every_n_epoch": every}})
    finished_run(place.run(0), [0.6, 0.6, 0.6, 0.6, 0.4])
    assert work.step().state == state


@pytest.mark.parametrize(
    ("trainer", "last"),
    [
        ({"max_epochs": 6}, 6),
        ({"max_epochs": 6, "check_val_every_n_epoch": 5}, 5),
        ({"max_epochs": -1}, None),
        ({}, None),
    ],
)
def test_the_last_validation(trainer, last):
    assert Part("", {"trainer": trainer}).last_validation == last
