"""`sweep`: search for hyper-parameters, each trial a `fit` of its own, and go on where a search was interrupted."""

import argparse
import logging
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lit_medseg.cluster.device_pool import DevicePool
from lit_medseg.cluster.parent_signals import ParentSignals
from lit_medseg.cluster.requeue import requeue
from lit_medseg.commands.sweep_setup import Setup, set_up
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.sweep.frame import Frame
from lit_medseg.sweep.loop import Ended, Loop, summarize
from lit_medseg.sweep.read_plan import read_plan
from lit_medseg.sweep.report import settings_text
from lit_medseg.sweep.results import Results, best_file
from lit_medseg.sweep.sampling import check_sampler
from lit_medseg.sweep.study import close_storage, quieten
from lit_medseg.sweep.sweep_run import tag_trial
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.run_folder import check_names
from lit_medseg.tracking.safe_key import safe_key
from lit_medseg.tracking.shown_path import shown_path

if TYPE_CHECKING:
    from lit_medseg.sweep.tell import Outcome
    from lit_medseg.sweep.work import Work

_INTERIM_S = 600.0
"""Time between two writings of the results while trials run."""
_LAST_WORD_S = 60.0
"""How long the last worker waits for the one that has led, to write the last results."""
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
    if argv[:1] == ["check"]:
        from lit_medseg.commands.sweep_check import check  # noqa: PLC0415 (the parent imports no torch)

        return check(Path(argv[1]))
    quieten()
    if argv[:1] == ["status"]:
        from lit_medseg.commands.sweep_status import status  # noqa: PLC0415 (a sweep needs none of it)

        return status(argv[1:])
    arguments = sweep_parser().parse_args(argv)
    plan = read_plan(Path(arguments.config), arguments.preset, arguments.name)
    plan = plan if arguments.storage is None else replace(plan, storage=arguments.storage)
    check_names(plan.name, None)
    check_sampler(plan)
    pool, devices = _pool(arguments)
    signals = ParentSignals()
    with signals.listen():
        setup = set_up(plan, arguments.resume, arguments.runs_dir, arguments.tracking, signals)
        if setup is None:
            return signals.status
        return _Sweep(setup, pool, devices, signals).run()


class _Sweep:
    """One worker's call of the command."""

    def __init__(self, setup: Setup, pool: DevicePool, devices: int, signals: ParentSignals) -> None:
        self.setup, self.pool, self.devices, self.signals = setup, pool, devices, signals
        self.plan, self.place, self.run_ = setup.plan, setup.place, setup.run
        self.results = Results(self.plan, setup.bases, setup.study, self.place, self.run_, devices)
        self._written_at = time.monotonic()

    def run(self) -> int:
        """Work, and end truthfully; the exit status."""
        plan = self.plan
        _tell(f"sweep       {plan.name}: {self.pool.size} at once; {shown_path(self.place.folder.path)}")
        try:
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

    def _loop(self) -> Loop:
        arguments = ["--runs_dir", str(self.place.root), "--parent_run", self.run_.run_id, *self.setup.arguments]
        frame = Frame(self.plan, self.setup.study, self.place, tuple(arguments), self.pool.threads)
        return Loop(frame, self.setup.bases, self.pool, self.devices, self.signals, self._settled, self._beat)

    def _settled(self, work: "Work", outcome: "Outcome") -> None:
        """Tell people and MLflow what came of a trial."""
        metrics = [objective.metric for objective in self.plan.objectives]
        text = summarize(outcome, metrics)
        _tell(f"trial {work.number:<5} {text}   [{settings_text(work.asked.settings)}]")
        values = dict(zip(metrics, outcome.values, strict=False))
        tags = {"trial_state": outcome.state, "trial_reason": outcome.reason}
        tags |= {f"trial_{metric}": repr(value) for metric, value in values.items()}
        for part in work.parts:
            folder = self.place.run(work.number, part.suffix)
            tag_trial(folder, self.run_.client, {key: value for key, value in tags.items() if value})
        self.run_.put(
            *(Record("metric", safe_key(f"trial/{metric}"), value, work.number) for metric, value in values.items())
        )

    def _beat(self) -> None:
        """Lead where nobody does any more; write results from time to time."""
        if self.run_.lead() and time.monotonic() - self._written_at > _INTERIM_S:
            self.results.write()
            self._written_at = time.monotonic()

    def _end(self, ended: Ended) -> int:
        over = not (ended.stopped or ended.fault or ended.others)
        if over:
            self._lead_at_last()
        lines = self.results.write()
        _tell("\n".join(lines))
        self._tell_next()
        name = "" if self.signals.first is None else self.signals.first.name
        if ended.fault:
            self.run_.end("FAILED", ended.fault)
            print(f"error: {ended.fault} The same command with --resume goes on.", file=sys.stderr)
            return 1
        if ended.stopped:
            self.run_.end("KILLED", f"told to stop ({name})")
            _tell("stopped: the same command with --resume goes on")
            if self.signals.first is signal.SIGUSR1:
                requeue()
            return self.signals.status
        if ended.others:
            _tell(f"{ended.others} trials are in other workers' hands")
        self.run_.end("FINISHED" if over else None)
        done = any(row.state == "COMPLETE" for row in self.results.findings().rows)
        return 0 if done or ended.others else 1

    def _lead_at_last(self) -> None:
        """Wait for the one who led, which may be about to end."""
        deadline = time.monotonic() + _LAST_WORD_S
        while not self.run_.lead() and time.monotonic() < deadline:
            if self.place.folder.read().status == "FINISHED":
                return
            time.sleep(0.5)

    def _tell_next(self) -> None:
        best = best_file(self.place)
        if best.is_file():
            _tell(f"repeat it   python -m lit_medseg fit --config {shown_path(best)}")
        if self.plan.storage is None:
            journal = self.place.folder.path / "study.journal"
            _tell(f"look at it  optuna-dashboard {shown_path(journal)}; python -m lit_medseg ui")
        else:
            _tell("look at it  optuna-dashboard on its storage; python -m lit_medseg ui")


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


def sweep_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
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
