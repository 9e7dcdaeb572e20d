"""`sweep`: search for hyper-parameters, each trial a `fit` of its own, and go on where a search was interrupted."""

import argparse
import logging
import signal
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lit_medseg.cluster.device_pool import DevicePool
from lit_medseg.cluster.parent_signals import ParentSignals
from lit_medseg.cluster.requeue import requeue
from lit_medseg.commands.one_line_parser import OneLineParser
from lit_medseg.commands.sweep_setup import Setup, set_up
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.sweep.best import BEST
from lit_medseg.sweep.drop_resume_points import drop_resume_points
from lit_medseg.sweep.ended import Ended
from lit_medseg.sweep.frame import Frame
from lit_medseg.sweep.loop import Loop
from lit_medseg.sweep.make_run import make_run
from lit_medseg.sweep.outcome_text import outcome_text
from lit_medseg.sweep.parts import on_gpus
from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.read_plan import read_plan
from lit_medseg.sweep.report import Findings, report_lines, settings_text
from lit_medseg.sweep.results import Results
from lit_medseg.sweep.rows import ranked
from lit_medseg.sweep.sampling import check_sampler
from lit_medseg.sweep.study import JOURNAL, close_storage, quieten
from lit_medseg.sweep.sweep_run import note_trial
from lit_medseg.sweep.trial_records import trial_records
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import Status, check_names
from lit_medseg.tracking.safe_key import safe_key
from lit_medseg.tracking.shown_path import shown_path

if TYPE_CHECKING:
    from lit_medseg.sweep.tell import Outcome
    from lit_medseg.sweep.work import Work

_INTERIM_S = 600.0
"""Time between two writings of the results while trials run."""
_LAST_WORD_S = 60.0
"""How long the last worker waits for the one that has led, to write the last results."""
_LONGEST_NAME = 80
_HURRY_S = 10.0
"""How long the last records may take where a scheduler is about to end the job."""
_INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """Run a sweep, work at one together with others, or go on with one.

    Args:
        argv: The arguments after the verb; `status NAME` shows a sweep instead.

    Returns:
        0; 1 where no trial could be completed, or something around the sweep has to be mended; 130, 143 or 138 where
        it was told to stop: with `--resume` the same command goes on.

    Raises:
        MedSegError: The user's input cannot be used; no trial was begun.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    if argv[:1] == ["check"] and len(argv) == 2:  # a child of ours
        from lit_medseg.commands.sweep_check import check  # noqa: PLC0415 (the parent imports no torch)

        return check(Path(argv[1]))
    quieten()
    if argv[:1] == ["status"]:
        from lit_medseg.commands.sweep_status import status  # noqa: PLC0415 (a sweep needs none of it)

        return status(argv[1:])
    arguments = sweep_parser().parse_args(argv)
    plan = read_plan(Path(arguments.config), arguments.preset, arguments.name)
    plan = plan if arguments.storage is None else replace(plan, storage=arguments.storage)
    _check_name(plan.name)
    check_sampler(plan)
    pool, devices = _pool(arguments)
    _refuse_two_devices(plan, devices)
    signals = ParentSignals()
    with signals.listen():
        setup = set_up(plan, arguments.resume, arguments.runs_dir, arguments.tracking, signals, devices)
        if setup is None:
            return signals.status
        return _Sweep(setup, pool, devices, signals).run()


class _Sweep:
    """One worker's call of the command."""

    def __init__(self, setup: Setup, pool: DevicePool, devices: int, signals: ParentSignals) -> None:
        self.setup, self.pool, self.devices, self.signals = setup, pool, devices, signals
        self.plan, self.place, self.run_ = setup.plan, setup.place, setup.run
        self.results = Results(self.plan, setup.bases, setup.study, self.place, self.run_)
        self._written_at = time.monotonic()

    def run(self) -> int:
        """Work, and end truthfully; the exit status."""
        try:
            _tell(f"sweep       {self.plan.name} {self._standing()}; {self.pool.size} at once")
            _tell(f"            {shown_path(self.place.folder.path)}")
            ended = self._loop().run()
            return self._end(ended)
        except KeyboardInterrupt:
            self.run_.end("KILLED", "interrupted (Ctrl-C)")
            return _INTERRUPTED
        except BaseException as error:
            self.run_.end("FAILED", f"{type(error).__name__}: {str(error)[:1000]}")
            raise
        finally:
            close_storage(self.setup.study)

    def _standing(self) -> str:
        """Say whether the search begins, or how far it is."""
        states = Counter(trial.state.name for trial in self.setup.study.get_trials(deepcopy=False))
        budget = self.plan.budget
        left = [f"{budget.trials} trials" if budget.trials else "", f"{budget.hours:g} hours" if budget.hours else ""]
        most = f"budget {' or '.join(filter(None, left))}"
        settled = sum(states[name] for name in ("COMPLETE", "PRUNED", "FAIL"))
        if not settled and not states["RUNNING"]:
            return f"begins; {most}"
        return f"goes on; {settled} settled, {states['RUNNING']} in work or left; {most}"

    def _loop(self) -> Loop:
        arguments = ["--runs_dir", str(self.place.root), "--parent_run", self.run_.run_id, *self.setup.arguments]
        frame = Frame(self.plan, self.setup.study, self.place, tuple(arguments), self.pool.threads)
        told = (self._settled, self._beat, self._begun)
        return Loop(frame, self.setup.bases, self.pool, self.devices, self.signals, *told)

    def _begun(self, work: "Work") -> None:
        again = f" (attempt {work.claim.attempt})" if work.claim.attempt > 1 else ""
        _tell(f"trial {work.number:<5} begins{again}   [{settings_text(work.asked.settings)}]")

    def _settled(self, work: "Work", outcome: "Outcome") -> None:
        """Tell people and MLflow what came of a trial."""
        metrics = [objective.metric for objective in self.plan.objectives]
        text = outcome_text(outcome, metrics)
        _tell(f"trial {work.number:<5} {text}   [{settings_text(work.asked.settings)}]")
        values = dict(zip(metrics, outcome.values, strict=False))
        folders = [self.place.run(work.number, part.suffix) for part in work.parts]
        if outcome.state == "FAILED" and not any(folder.path.exists() for folder in folders):
            make_run(folders[0], self.run_.uri, self.run_.run_id, work.tags, outcome.reason)
        for folder in folders:
            note_trial(folder, self.run_.client, trial_records(outcome, values, work.asked.settings))
            if outcome.state == "COMPLETE":
                drop_resume_points(folder.path)
        self.run_.put(
            *(Record("metric", safe_key(f"trial/{metric}"), value, work.number) for metric, value in values.items())
        )

    def _beat(self) -> None:
        """Lead where nobody does any more; write results from time to time."""
        if self.run_.lead() and time.monotonic() - self._written_at > _INTERIM_S:
            self.results.write()
            self._written_at = time.monotonic()

    def _end(self, ended: Ended) -> int:
        """End the run as what it is; the exit status."""
        if ended.fault or ended.stopped:
            return self._end_early(ended.fault)
        if not ended.others:
            self._lead_at_last()
        done = self._tell_results()
        if ended.others:
            _tell(f"{ended.others} trials are in other workers' hands")
        self.run_.end(None if ended.others else "FINISHED")
        return 0 if done or ended.others else 1

    def _end_early(self, fault: str) -> int:
        """End a sweep that something has to be mended for, or that was told to stop."""
        status: Status = "FAILED" if fault else "KILLED"
        reason = fault or f"told to stop ({'' if self.signals.first is None else self.signals.first.name})"
        # pictures take seconds, and a scheduler may lose its patience: whoever is killed then has left the truth
        self.run_.mark(status, reason)
        if self.signals.first is signal.SIGUSR1 and not fault:  # the next start draws pictures
            self.run_.end(status, reason, _HURRY_S)
            _tell("stopped: the same command with --resume goes on")
            requeue()
            return self.signals.status
        self._tell_results()
        self.run_.end(status, reason)  # again: the end comes after the last record
        if fault:
            print(f"error: {fault} The same command with --resume goes on.", file=sys.stderr)
            return 1
        _tell("stopped: the same command with --resume goes on")
        return self.signals.status

    def _tell_results(self) -> bool:
        """Print the report; whether a trial of it is complete."""
        findings = self.results.write()
        if findings is not None:
            _tell("\n".join(report_lines(findings)))
        self._tell_next(findings)
        return findings is not None and any(row.state == "COMPLETE" for row in findings.rows)

    def _lead_at_last(self) -> None:
        """Wait for the one who led, which may be about to end."""
        deadline = time.monotonic() + _LAST_WORD_S
        while not self.run_.lead() and time.monotonic() < deadline:
            if self.place.folder.read().status == "FINISHED":
                return
            time.sleep(0.5)

    def _tell_next(self, findings: Findings | None) -> None:
        """Give the commands that one would type next."""
        best = self.place.folder.path / BEST
        order = ranked(self.plan, findings.rows) if findings is not None else []
        if order and order[0].parts and best.is_file():  # a trial that was added by hand has no runs
            run = self.place.run(order[0].number).path.parent / str(order[0].parts[0]["run"])
            _tell(f"test it     python -m lit_medseg test --ckpt_path {shown_path(run / 'checkpoints' / 'best.ckpt')}")
            command = best.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
            _tell(f"repeat it   {command.replace(BEST, str(shown_path(best)))}")
            if len(order[0].parts) > 1:
                _tell(f"            both are the first of the trial's {len(order[0].parts)} runs")
        journal = shown_path(self.place.folder.path / JOURNAL) if self.plan.storage is None else "on its storage"
        _tell(f"look at it  python -m lit_medseg ui; optuna-dashboard {journal}")


def _pool(arguments: argparse.Namespace) -> tuple[DevicePool, int]:
    """Lay out the slots; the number of GPUs of a trial is 0 where the experiment says it."""
    if arguments.devices is None:
        if arguments.devices_per_trial is not None:
            todo = "Name the devices"
            raise ConfigError(
                expected_got("--devices-per-trial", "of which?", "--devices beside it", "no --devices", todo)
            )
        return DevicePool(arguments.workers, None), 0
    try:
        devices = [int(word) for word in arguments.devices.split(",")]
    except ValueError as error:
        todo = "Write for example --devices 0,1"
        got = repr(arguments.devices)
        raise ConfigError(expected_got("--devices", "no list of GPUs", "numbers", got, todo)) from error
    per_trial = 1 if arguments.devices_per_trial is None else arguments.devices_per_trial
    return DevicePool(arguments.workers, devices, per_trial), per_trial


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_NAME:  # `best.yaml` names its experiment after the sweep
        todo = "Give another"
        raise ConfigError(expected_got("--name", "too long", f"at most {_LONGEST_NAME} characters", len(name), todo))
    try:
        check_names(name, None)
    except ConfigError as error:
        raise ConfigError(str(error).replace("experiment:", "--name:", 1)) from error


def _refuse_two_devices(plan: Plan, devices: int) -> None:
    """Refuse a sweep that sets the devices itself, beside those of the command line.

    Raises:
        ConfigError: It does.
    """
    keys = {*plan.fixed, *(key for parameter in plan.space for key in parameter.keys)}
    own = sorted(key for key in keys if key in ("trainer", *on_gpus(devices)))
    if devices and own:
        todo = f"Leave --devices out, or take {own[0]} out of the sweep"
        raise ConfigError(expected_got("--devices", "the sweep sets devices itself", "one of the two", own, todo))


def sweep_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = OneLineParser(
        prog="python -m lit_medseg sweep",
        description="Search for hyper-parameters. `sweep status NAME` shows a sweep.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", required=True, help="the sweep's YAML, see docs/sweeps.md")
    parser.add_argument("--preset", help="one of the YAML's presets")
    parser.add_argument("--name", help="name of the sweep; default: the YAML's file name, with the preset's")
    parser.add_argument("--resume", action="store_true", help="go on with the sweep of this name, or work at it too")
    parser.add_argument("--workers", type=int, help="trials at once; default: one, or one per group of devices")
    parser.add_argument("--devices", help="GPUs to use, as 0,1,2,3; default: what the experiment says")
    parser.add_argument("--devices-per-trial", type=int, help="GPUs (and ranks) of one trial; default: 1")
    parser.add_argument("--storage", help="address of the study's storage; default: the YAML's, else a journal file")
    parser.add_argument("--runs_dir", help="folder of all run folders; default: the experiment's, else runs")
    parser.add_argument("--tracking", help="MLflow address; default: the experiment's, else as `fit` chooses it")
    return parser


def _tell(text: str) -> None:
    print(text, flush=True)
