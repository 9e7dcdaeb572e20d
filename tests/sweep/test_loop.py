"""What a worker does when something around its trials is out of order; no child is started."""

import json
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest

from lit_medseg.cluster.blame import Blame
from lit_medseg.cluster.device_pool import DevicePool
from lit_medseg.cluster.parent_signals import ParentSignals
from lit_medseg.sweep import ask
from lit_medseg.sweep import loop as loop_module
from lit_medseg.sweep.ask import next_trial
from lit_medseg.sweep.claim import claims, was_excused
from lit_medseg.sweep.frame import Frame
from lit_medseg.sweep.loop import Loop
from lit_medseg.sweep.proven_host import prove
from lit_medseg.sweep.study import quieten
from lit_medseg.tracking.lease import this_process
from lit_medseg.tracking.run_folder import RunState
from tests.sweep.searches import nobody, opened, plan_with

SPACE = {"model.lr": {"low": 0.1, "high": 0.9}}


@pytest.fixture(autouse=True)
def _quiet():
    quieten()


def worker(folder, trials=1, beat=lambda: None):
    """A loop, and what it has told to people."""
    plan = plan_with(folder, trials=trials, space=SPACE)
    study, place = opened(plan, folder)
    told = []
    settled = lambda work, outcome: told.append((work.number, outcome.state, outcome.reason))  # noqa: E731
    frame, bases = Frame(plan, study, place), [{"model": {"lr": 0.5}}]
    return Loop(frame, bases, DevicePool(1, None), 0, ParentSignals(), settled, beat, lambda work: None), told


def states(loop):
    return [trial.state.name for trial in loop.frame.study.get_trials(deepcopy=False)]


def cannot_start(loop, number):
    """No child can be started: its YAML cannot be written."""
    (loop.frame.place.trial(number) / "experiment.yaml").mkdir(parents=True)


def failed_run(loop, number, blame=Blame.SETTINGS):
    """The run of a trial that ended at once: nobody starts it again."""
    run = loop.frame.place.run(number)
    run.path.mkdir(parents=True)
    run.write(RunState("FAILED", "hash", this_process(), time.time(), reason="no such file", blame=blame))
    return run


def test_a_trial_whose_own_files_are_out_of_order_is_given_back_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(loop_module, "_FAULTS", 1)
    loop, told = worker(tmp_path)
    cannot_start(loop, 0)
    ended = loop.run()
    assert ended.fault.startswith("trial 0 cannot go on: ")
    assert ended.fault.endswith("Is a directory.")
    assert (states(loop), told) == (["RUNNING"], [])
    assert not claims(loop.frame.place.trial(0))[-1].held


def test_a_trial_that_another_worker_has_taken_is_dropped_alone(tmp_path, monkeypatch):
    """The other one is on another host, which has not heard of this one for too long."""
    monkeypatch.setattr(loop_module, "HEARTBEAT_S", 0.2)
    other = asdict(replace(this_process(), host="elsewhere"))

    def take_it_away():
        if (folder / "attempt-1.json").exists():
            (folder / "attempt-2.json").write_text(json.dumps(other))

    loop, told = worker(tmp_path, beat=take_it_away)
    folder = loop.frame.place.trial(0)
    cannot_start(loop, 0)
    ended = loop.run()
    assert (ended.fault, ended.others, told) == ("", 1, [])
    assert [claim.held for claim in claims(folder)] == [True, True]
    assert loop.pool.take() is not None


def test_a_trial_that_takes_its_worker_with_it_is_failed_at_last(tmp_path):
    loop, told = worker(tmp_path)
    plan, study, place = loop.frame.plan, loop.frame.study, loop.frame.place
    for _ in range(13):
        claim = next_trial(plan, study, place, True, nobody).claim
        claim.file.write_text(json.dumps(asdict(replace(claim.owner, mark="an earlier process"))))
    assert loop.run().fault == ""
    assert told == [(0, "FAILED", "its worker died each time, 13 times")]
    assert states(loop) == ["FAIL"]


def test_a_host_on_which_nothing_has_trained_gives_its_trials_back(tmp_path):
    loop, told = worker(tmp_path, trials=5)
    runs = [failed_run(loop, number) for number in (0, 1)]
    ended = loop.run()
    assert "none of the sweep's trials has come to its first epoch on this host" in ended.fault
    assert (states(loop), told) == (["RUNNING", "RUNNING"], [])
    folders = [loop.frame.place.trial(number) for number in (0, 1)]
    assert [claims(folder)[-1].held for folder in folders] == [False, False]
    assert [was_excused(folder) for folder in folders] == [True, True]
    assert {run.read().blame for run in runs} == {Blame.AROUND}  # whoever takes them up tries again, ...
    for run in runs:
        run.end("FAILED", "no such file")  # ... and has to believe it then
    again, told = worker(tmp_path, trials=2)
    assert again.run().fault == ""
    assert [state for _, state, _ in told] == ["FAILED", "FAILED"]


@pytest.mark.parametrize("proven", [True, False])
def test_failures_count_where_something_has_trained_or_nothing_else_is_there_to_try(tmp_path, proven):
    loop, told = worker(tmp_path, trials=2 if proven else 1)
    for number in range(2 if proven else 1):
        failed_run(loop, number)
    if proven:
        prove(loop.frame.place)
    assert loop.run().fault == ""
    assert told == [(number, "FAILED", "no such file") for number in range(2 if proven else 1)]
    assert loop.pool.take() is not None


def test_a_second_interrupt_leaves_no_claim_behind(tmp_path, monkeypatch):
    def interrupted(children, patience_s):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop_module, "stop_children", interrupted)
    loop, _ = worker(tmp_path)
    cannot_start(loop, 0)
    monkeypatch.setattr(loop_module.time, "sleep", lambda seconds: setattr(loop.signals, "first", 2))
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    assert not claims(loop.frame.place.trial(0))[-1].held


DRAW_FOR_EVER = """
import sys, time
from pathlib import Path
from lit_medseg.sweep.file_lock import file_lock
with file_lock(Path(sys.argv[1])):
    print("draws", flush=True)
    time.sleep(600)
"""


def test_a_worker_that_hangs_while_it_draws_ends_no_other(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(ask, "_PATIENCE_S", 0.1)
    monkeypatch.setattr(loop_module, "_GIVE_UP_S", 0.5)
    monkeypatch.setattr(loop_module, "_LOST_S", 0.1)
    loop, _ = worker(tmp_path)
    command = [sys.executable, "-c", DRAW_FOR_EVER, loop.frame.place.ask_lock]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hangs:
        assert hangs.stdout.readline() == "draws\n"
        assert "its lock cannot be had" in loop.run().fault
        assert "does not answer, training goes on" in caplog.text
        hangs.kill()
