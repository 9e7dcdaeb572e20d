"""The study of a sweep: opened, or refused where it is another's."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from lit_medseg.errors import ConfigError, MedSegError, TrackingError, expected_got
from lit_medseg.sweep.import_class import build
from lit_medseg.sweep.plan import ClassPath, Plan
from lit_medseg.sweep.sampling import make_pruner
from lit_medseg.tracking.without_password import without_password, without_secret

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

DEFINITION = "lit_medseg/definition"
OWNER = "lit_medseg/sweep_id"
JOURNAL = "study.journal"
_DIRECTIONS: dict[str, Literal["maximize", "minimize"]] = {"max": "maximize", "min": "minimize"}


def quieten() -> None:
    """Leave out what optuna says that is no news to a user of ours."""
    import optuna  # noqa: PLC0415 (`--help` is instant)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def open_storage(wanted: str | ClassPath | None, folder: Path) -> "BaseStorage":
    """Open the storage of studies.

    Args:
        wanted: As the plan has it. An address is a database's (`postgresql://...`, `sqlite:///...`) or, with an ending
            `.journal` or `.log`, a journal file's.
        folder: The sweep's, where the journal is by default.

    Raises:
        TrackingError: It cannot be reached.
        ConfigError: It cannot be built.
    """
    from lit_medseg.sweep.journal import open_journal  # noqa: PLC0415 (`--help` is instant)

    with storage_faults(wanted):
        if wanted is None:
            return open_journal(folder / JOURNAL)
        if isinstance(wanted, ClassPath):
            return _built(wanted)
        if wanted.endswith((".journal", ".log")):
            return open_journal(Path(wanted))
        return _database(wanted)


def _built(wanted: ClassPath) -> "BaseStorage":
    """Make a storage of the user's choice.

    Raises:
        ConfigError: It is none, or one that forgets.
    """
    from optuna.storages import BaseStorage, InMemoryStorage  # noqa: PLC0415 (`--help` is instant)

    built = build("storage", wanted)
    if not isinstance(built, BaseStorage) or isinstance(built, InMemoryStorage):
        todo = "Leave it out: a journal file in the sweep's folder"
        expected = "one that keeps studies when the process ends"
        raise ConfigError(expected_got("storage", "no storage for a sweep", expected, wanted.path, todo))
    return built


def is_storage_fault(error: BaseException) -> bool:
    """Tell whether an error may be a storage's: a lost connection, a file or a lock that cannot be had."""
    from optuna.exceptions import StorageInternalError  # noqa: PLC0415 (`--help` is instant)
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 (`--help` is instant)

    return isinstance(error, StorageInternalError | SQLAlchemyError | OSError | TrackingError)


def answers(study: "Study") -> bool:
    """Tell whether a study's storage answers."""
    try:
        study.get_trials(deepcopy=False)
    except Exception as error:
        if not is_storage_fault(error):
            raise
        return False
    return True


def one_line(error: BaseException) -> str:
    """Write what a storage says, which may be pages, in one line; a file by its name alone."""
    if isinstance(error, OSError) and error.strerror and isinstance(error.filename, str):
        return f"{Path(error.filename).name}: {error.strerror}"
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def storage_faults(wanted: str | ClassPath | None) -> Iterator[None]:
    """Turn what a storage says when it is away into a fault of ours, in one line and without a password.

    Args:
        wanted: As the plan has it.

    Raises:
        TrackingError: It does not answer.
    """
    shown = "storage" if wanted is None else shown_storage(wanted)
    try:
        yield
    except Exception as error:
        known = is_storage_fault(error) or isinstance(error, ImportError | ValueError)
        if not known or isinstance(error, MedSegError):
            raise
        said = " ".join(str(error).split()).replace(str(wanted), shown).partition(" (Background on this error")[0]
        got = without_password(said)[:300].rstrip(".") or type(error).__name__
        todo = "Start it or correct the address"
        raise TrackingError(expected_got(shown, "the study cannot be kept there", "a storage", got, todo)) from error


def _database(address: str) -> "BaseStorage":
    from optuna.storages import RDBStorage  # noqa: PLC0415 (`--help` is instant)

    arguments: dict[str, Any] = {"pool_pre_ping": True}  # a connection that was lost is made anew
    if address.startswith("postgresql"):
        arguments["connect_args"] = {"connect_timeout": 10}
    return RDBStorage(address, engine_kwargs=arguments)


def close_storage(study: "Study") -> None:
    """Close the connections to a database; a journal has none."""
    backend = getattr(study._storage, "_backend", study._storage)
    engine = getattr(backend, "engine", None)
    if engine is not None:
        backend.remove_session()
        engine.dispose()


def shown_storage(wanted: str | ClassPath) -> str:
    """Write a storage for people: without password, a file by its name alone."""
    if isinstance(wanted, ClassPath):
        return wanted.path
    parts = urlsplit(without_secret(wanted))
    if not parts.netloc:
        return f"{parts.scheme}:///{Path(parts.path).name}" if parts.scheme else Path(wanted).name
    return f"{parts.scheme}://{parts.hostname}{parts.path}"


def open_study(plan: Plan, storage: "BaseStorage", definition: dict[str, str], sweep_id: str) -> "Study":
    """Open the study of a sweep, or make it; the caller sees to it that nobody else makes it meanwhile.

    Args:
        plan: The sweep.
        storage: Where it is.
        definition: See `Plan.definition`.
        sweep_id: Of the sweep's folder: runs and study belong together.

    Raises:
        ConfigError: There is a study of this name with another space, objective, experiment or folder.
    """
    import optuna  # noqa: PLC0415 (`--help` is instant)

    directions = [_DIRECTIONS[objective.direction] for objective in plan.objectives]
    known = {summary.study_name for summary in optuna.get_all_study_summaries(storage)}
    if plan.name in known:
        study = optuna.load_study(study_name=plan.name, storage=storage, pruner=make_pruner(plan))
        if not _half_made(study, sweep_id):
            _check_same(study, definition, sweep_id)
            for settings in plan.enqueue:
                study.enqueue_trial(settings, skip_if_exists=True)
            return study
        optuna.delete_study(study_name=plan.name, storage=storage)
    study = optuna.create_study(study_name=plan.name, storage=storage, directions=directions, pruner=make_pruner(plan))
    study.set_user_attr(OWNER, sweep_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is called experimental
        study.set_metric_names([objective.metric for objective in plan.objectives])
    for settings in plan.enqueue:
        study.enqueue_trial(settings)
    study.set_user_attr(DEFINITION, json.dumps(definition))
    return study


def refuse_another(plan: Plan, storage: "BaseStorage", definition: dict[str, str], sweep_id: str) -> None:
    """Refuse a storage whose study of this name was made for something else; nothing where there is none.

    Raises:
        ConfigError: It was, see `open_study`.
    """
    import optuna  # noqa: PLC0415 (`--help` is instant)

    if plan.name in {summary.study_name for summary in optuna.get_all_study_summaries(storage)}:
        study = optuna.load_study(study_name=plan.name, storage=storage)
        if not _half_made(study, sweep_id):
            _check_same(study, definition, sweep_id)


def forget_study(plan: Plan, storage: "BaseStorage", sweep_id: str) -> None:
    """Delete the study of a sweep's folder where no trial of it was begun; the caller has the set-up lock."""
    import optuna  # noqa: PLC0415 (`--help` is instant)

    if plan.name in {summary.study_name for summary in optuna.get_all_study_summaries(storage)}:
        study = optuna.load_study(study_name=plan.name, storage=storage)
        if study.user_attrs.get(OWNER) == sweep_id and not _begun(study):
            optuna.delete_study(study_name=plan.name, storage=storage)


def begun_trials(plan: Plan, storage: "BaseStorage") -> int | None:
    """Count the trials of a sweep's study, without those that only wait to be tried; None where there is no study."""
    import optuna  # noqa: PLC0415 (`--help` is instant)

    if plan.name not in {summary.study_name for summary in optuna.get_all_study_summaries(storage)}:
        return None
    return _begun(optuna.load_study(study_name=plan.name, storage=storage))


def _half_made(study: "Study", sweep_id: str) -> bool:
    """Tell whether the one who was making it was killed there: the definition comes last, before any trial runs.

    A study without a word of ours is another program's, unless there is nothing in it at all.
    """
    attributes = study.user_attrs
    if OWNER not in attributes:
        return not attributes and not study.get_trials(deepcopy=False)
    return DEFINITION not in attributes and attributes[OWNER] == sweep_id and not _begun(study)


def _begun(study: "Study") -> int:
    from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

    return sum(trial.state != TrialState.WAITING for trial in study.get_trials(deepcopy=False))


def _check_same(study: "Study", definition: dict[str, str], sweep_id: str) -> None:
    """Refuse to mix trials that cannot be compared."""
    where, name = f"study {study.study_name}", "Give the sweep another --name"
    if study.user_attrs.get(OWNER) != sweep_id:
        text = expected_got(where, "it belongs to other runs", "its own runs folder", "another", name)
        raise ConfigError(text)
    kept = json.loads(study.user_attrs.get(DEFINITION, "{}"))
    changed = sorted(part for part in definition if kept.get(part) != definition[part])
    if changed:
        todo = f"Change them back, or: {name}"
        raise ConfigError(
            expected_got(where, "it was made with others", f"the same {', '.join(changed)}", "changed ones", todo)
        )
