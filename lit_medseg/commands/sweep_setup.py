"""What a sweep needs before its first trial, made by its first worker: a checked space, a study, a run."""

import json
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_medseg.catalogue.plain_hash import plain_hash
from lit_medseg.cluster.child import poll_child, start_child, stop_children
from lit_medseg.cluster.child_log import last_lines
from lit_medseg.cluster.parent_signals import ParentSignals
from lit_medseg.errors import ConfigError, MedSegError, expected_got
from lit_medseg.sweep.file_lock import file_lock
from lit_medseg.sweep.kept_plan import keep_plan
from lit_medseg.sweep.nested import changed, read_experiment
from lit_medseg.sweep.parts import on_gpus
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.proven_host import HOSTS, prove
from lit_medseg.sweep.study import (
    JOURNAL,
    begun_trials,
    forget_study,
    open_storage,
    open_study,
    refuse_another,
    storage_faults,
)
from lit_medseg.sweep.sweep_run import SweepRun
from lit_medseg.sweep.trials_of_space import variants, with_cost
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.flatten import flatten
from lit_medseg.tracking.reachable import check_reachable
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.safe_key import safe_key
from lit_medseg.tracking.share_secret import share_secret
from lit_medseg.tracking.shown_path import shown_path
from lit_medseg.tracking.store import resolve_uri, shown_uri
from lit_medseg.tracking.without_password import without_secret
from lit_medseg.tracking.without_paths import without_paths

if TYPE_CHECKING:
    from optuna import Study

_SETUP_S = 4 * 3600.0
"""How long a worker waits for the one that prepares data and checks the space."""
_CHECKED, _ID, _QUESTIONS = "checked.json", "sweep_id", "check"


@dataclass(frozen=True)
class Setup:
    """A sweep that can begin.

    Attributes:
        plan: What the YAML says.
        bases: Its experiments, as plain data.
        place: Its folders.
        study: Its study.
        run: Its MLflow run.
        arguments: Of every `fit`: the address of MLflow, without its password, where somebody has named one.
    """

    plan: Plan
    bases: list[dict[str, Any]]
    place: Place
    study: "Study"
    run: SweepRun
    arguments: tuple[str, ...] = ()


def set_up(
    plan: Plan, resume: bool, runs_dir: str | None, tracking: str | None, signals: ParentSignals, devices: int = 0
) -> Setup | None:
    """Make what is missing, or find it; of a sweep that cannot begin nothing is left.

    Args:
        plan: The sweep.
        resume: Whether a sweep that was begun may be gone on with.
        runs_dir: Folder of all runs; None for the experiment's.
        tracking: MLflow's address; None for the experiment's.
        signals: Asked while a child checks the space.
        devices: GPUs of a trial; 0 for what the experiment says.

    Returns:
        The sweep; None where somebody asked to stop meanwhile.

    Raises:
        MedSegError: The space, a metric, the storage or an experiment cannot be used; or the sweep was begun and
            nobody has said that it shall go on.
    """
    bases = [with_cost(plan, read_experiment(path)) for path in plan.experiments]
    first = bases[0]
    tracking = tracking or first.get("tracking")
    shared = share_secret(tracking) if tracking else None
    for base in bases:
        if base.get("tracking"):
            base["tracking"] = without_secret(base["tracking"])
    place = Place(Path(runs_dir or first.get("runs_dir") or "runs"), plan.name)
    run = SweepRun(place, resolve_uri(tracking))
    definition = plan.definition(bases, devices)
    tried = [changed(base, on_gpus(devices)) for base in bases]
    variants_of = [[[one.where, one.settings] for one in variants(plan, base)] for base in tried]
    with _lock(place):
        is_new = not (place.folder.path / "state.json").exists()
        is_untouched = is_new and not (place.folder.path / _ID).exists()
        storage = open_storage(plan.storage, place.folder.path)
        try:
            if is_new:
                check_reachable(run.uri, shown_uri(run.uri))
            with storage_faults(plan.storage):
                _refuse_begun(plan, storage, place, resume)
                refuse_another(plan, storage, definition, _sweep_id(place))
            if not _is_checked(place, definition) and not _check(plan, variants_of, place, definition, signals):
                return None
            with storage_faults(plan.storage):
                study = open_study(plan, storage, definition, _sweep_id(place))
            run.open(plain_hash(definition), {"sweep": plan.name, "verb": "sweep"})
        except MedSegError:
            if is_untouched:
                _forget(plan, storage, place)
            raise
        kept = keep_plan(place, plan, bases)
        _describe(plan, run)
        run.put_files([kept] if run.leads else [])
    return Setup(plan, bases, place, study, run, ("--tracking", shared) if shared else ())


@contextmanager
def _lock(place: Place) -> Iterator[None]:
    """Let one worker prepare the sweep, and the others wait for it.

    Raises:
        ConfigError: The folder cannot be written to.
    """
    try:
        place.setup_lock.parent.mkdir(parents=True, exist_ok=True)
        place.setup_lock.touch()
    except OSError as error:
        where, got = f"--runs_dir {shown_path(place.root)}", error.strerror or error
        what, todo = "no sweep can be kept there", "Give another"
        raise ConfigError(expected_got(where, what, "a folder to write to", got, todo)) from error
    with file_lock(place.setup_lock, _SETUP_S):
        yield


def _forget(plan: Plan, storage: Any, place: Place) -> None:
    """Take back what was made for a sweep that could not begin, so that the mended one may have its name."""
    folder = place.folder.path
    with suppress(MedSegError, OSError):
        if (folder / _ID).is_file():
            with storage_faults(plan.storage):
                forget_study(plan, storage, _sweep_id(place))
        for name in (_QUESTIONS, HOSTS):
            shutil.rmtree(folder / name, ignore_errors=True)
        for name in (_ID, _CHECKED):
            (folder / name).unlink(missing_ok=True)
        journal = folder / JOURNAL
        if journal.is_file() and not storage.get_all_studies():
            journal.unlink()
        folder.rmdir()


def _refuse_begun(plan: Plan, storage: Any, place: Place, resume: bool) -> None:
    """Refuse to go on unasked, and to begin anew where runs of another study lie."""
    begun = begun_trials(plan, storage)
    runs = sorted(path.name for path in (place.root / place.name).glob("trial-*"))
    todo = "Give the sweep another --name, or go on with --resume"
    if begun and not resume:
        got = f"{begun} trials"
        raise ConfigError(expected_got(f"sweep {plan.name}", "it was begun before", "a new name", got, todo))
    if begun is None and runs:
        got = f"{len(runs)} runs of a study that is gone"
        todo = "Give the sweep another --name, or the storage that the study is in"
        raise ConfigError(expected_got(f"sweep {plan.name}", "its study is missing", "the study", got, todo))


def _sweep_id(place: Place) -> str:
    """Give what binds the study to these folders."""
    file = place.folder.path / _ID
    if not file.exists():
        write_atomically(file, uuid.uuid4().hex + "\n")
    return file.read_text(encoding="utf-8").strip()


def _is_checked(place: Place, definition: dict[str, str]) -> bool:
    try:
        kept: Any = json.loads((place.folder.path / _CHECKED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(kept == definition)


def _check(
    plan: Plan, variants_of: list[Any], place: Place, definition: dict[str, str], signals: ParentSignals
) -> bool:
    """Have a child try every value of the space on every experiment.

    Returns:
        False where somebody asked to stop meanwhile.

    Raises:
        ConfigError: The child's fault: a value that an experiment refuses, a fold that cannot be, a metric that it
            never logs.
    """
    folder = place.folder.path / _QUESTIONS
    metrics = [*(one.metric for one in plan.objectives), *(one.metric for one in plan.limits)]
    for number, found in enumerate(variants_of):
        answer = str(folder / f"metrics-{number}.json")
        question = {"variants": found, "folds": plan.folds, "metrics": metrics, "answer": answer}
        file, log = folder / f"question-{number}.json", folder / f"output-{number}.txt"
        write_atomically(file, json.dumps(question))
        log.unlink(missing_ok=True)
        print(f"checking    {plan.experiments[number].name}: {len(found)} settings, one step", flush=True)
        if not _answered(plan, file, log, signals):
            return False
    write_atomically(place.folder.path / _CHECKED, json.dumps(definition))
    prove(place)
    return True


def _answered(plan: Plan, file: Path, log: Path, signals: ParentSignals) -> bool:
    child = start_child(["sweep", "check", str(file)], (), log)
    try:
        while (status := poll_child(child)) is None and signals.first is None:
            time.sleep(0.1)
    finally:
        stop_children([child], 10.0)
    if signals.first is not None:  # a scheduler may have signalled the child as well
        return False
    if status != 0:
        said = last_lines(log, 40)
        faults = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
        if faults:
            raise ConfigError(faults[-1])
        got = said[-1] if said else f"exit status {status}"
        todo = "Try `fit` with it"
        where = f"sweep {plan.name}"
        raise ConfigError(expected_got(where, "the experiment cannot be trained", "one step of training", got, todo))
    return True


def _describe(plan: Plan, run: SweepRun) -> None:
    """Record what is searched for, with which budget, where whoever began the sweep could not."""
    plain: dict[str, Any] = {
        "space": {parameter.name: parameter.words() for parameter in plan.space},
        "objective": {one.metric: f"{one.direction}, {one.take}" for one in plan.objectives},
        "sampler": plan.sampler.path,
        "pruner": plan.pruner.path,
        "budget": {"trials": plan.budget.trials, "hours": plan.budget.hours},
        "repeats": plan.repeats,
        "folds": plan.folds,
        "seed": plan.seed,
        "experiments": [path.name for path in plan.experiments],
        "constraints": {limit.metric: limit.most for limit in plan.limits},
        "fixed": plan.fixed,
    }
    records = [Record("param", safe_key(key), str(value)[:6000]) for key, value in flatten(plain).items()]
    command = without_paths(["python", "-m", "lit_medseg", *sys.argv[1:]], Path.cwd())
    run.put_once(*records, Record("tag", "command", command))
