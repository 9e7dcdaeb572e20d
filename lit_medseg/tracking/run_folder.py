"""The folder of one run, its name and its state."""

import errno
import json
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from lit_medseg.cluster.blame import Blame
from lit_medseg.errors import ConfigError, TrackingError, expected_got
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.lease import Owner, is_alive, this_process, touch

Status = Literal["SCHEDULED", "RUNNING", "FINISHED", "FAILED", "KILLED"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class RunState:
    """What `state.json` holds.

    Attributes:
        status: Where the run stands; SCHEDULED before the first attempt of a run that a cluster will start.
        config_hash: Of the resolved YAML without devices, workers and paths.
        owner: The process that works, or last worked, on the run.
        started: When that process took the run, seconds since 1970.
        run_id: Number of the MLflow run; empty until it is made.
        reason: Why the run ended as it did; empty for a plain end.
        data_key: Hashes of its data and their split; empty where they are not known yet.
        attempt: How many processes have worked on it, one after the other; 0 before the first of a SCHEDULED run.
        blame: Of a FAILED run: what its failure is to be blamed on.
        key: The MLflow run has it as a tag; empty until it is about to be made.
    """

    status: Status
    config_hash: str
    owner: Owner
    started: float
    run_id: str = ""
    reason: str = ""
    data_key: str = ""
    attempt: int = 1
    blame: Blame = Blame.SETTINGS
    key: str = ""


@dataclass(frozen=True)
class RunFolder:
    """`<root>/<experiment>/<run>/`.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    @property
    def experiment(self) -> str:
        """The experiment's name."""
        return self.path.parent.name

    @property
    def lease(self) -> Path:
        """The file that the owner touches while it lives."""
        return self.path / "lease"

    def read(self) -> RunState:
        """Read the state.

        Raises:
            TrackingError: There is none, or it cannot be read.
        """
        try:
            plain = json.loads((self.path / "state.json").read_text())
            blame = Blame(plain.get("blame", ""))
            return RunState(**{**plain, "owner": Owner(**plain["owner"]), "blame": blame})
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            text = expected_got(
                self._state_name,
                "the run's state cannot be read",
                "a state.json of lit_medseg",
                error,
                "Name another run",
            )
            raise TrackingError(text) from error

    def is_busy(self, state: RunState) -> bool:
        """Tell whether a living process works on the run.

        Args:
            state: As `read` gave it.
        """
        return state.status == "RUNNING" and is_alive(state.owner, self.lease)

    def refuse_busy(self, state: RunState) -> None:
        """Refuse a run that a living process works on.

        Args:
            state: As `read` gave it.

        Raises:
            TrackingError: It does.
        """
        if self.is_busy(state):
            owner = f"process {state.owner.pid} on {state.owner.host}"
            todo = "Wait for it, end it, or choose another name"
            raise TrackingError(expected_got(f"run {self.name}", "the run is in work", "nobody at it", owner, todo))

    def write(self, state: RunState) -> None:
        """Replace the state as a whole."""
        write_atomically(self.path / "state.json", json.dumps(asdict(state), indent=1) + "\n")

    def take(self, config_hash: str | None = None, data_key: str | None = None, after: int | None = None) -> RunState:
        """Become the owner of a run that nobody works on, for its next attempt; the state is RUNNING from here.

        Called with the lock on the run's records, so that of two processes one comes first.

        Args:
            config_hash: What the run computes from here on; None for no change.
            data_key: Its data from here on; None for no change.
            after: The attempt that was the last one when this process chose the run; None to take it anyway.

        Raises:
            TrackingError: A living process works on it, or another one has gone on with it meanwhile.
        """
        state = self.read()
        if state.owner != this_process():
            self.refuse_busy(state)
        if after is not None and (state.attempt, state.status == "FINISHED") != (after, False):
            what, todo = "another process has gone on with it meanwhile", "Call the command again"
            got = f"attempt {state.attempt}, {state.status}"
            raise TrackingError(expected_got(f"run {self.name}", what, f"attempt {after}, unfinished", got, todo))
        state = replace(
            state,
            status="RUNNING",
            owner=this_process(),
            started=time.time(),
            reason="",
            blame=Blame.SETTINGS,
            attempt=state.attempt + 1,
            config_hash=state.config_hash if config_hash is None else config_hash,
            data_key=state.data_key if data_key is None else data_key,
        )
        touch(self.lease)
        self.write(state)
        return state

    def set_run_id(self, run_id: str) -> None:
        """Note which MLflow run this folder belongs to."""
        self.write(replace(self.read(), run_id=run_id))

    def end(self, status: Status, reason: str = "", blame: Blame = Blame.SETTINGS) -> None:
        """Note how the run ended."""
        self.write(replace(self.read(), status=status, reason=reason, blame=blame))

    @property
    def _state_name(self) -> str:
        return f"{self.experiment}/{self.name}/state.json"


def check_names(experiment: str, run: str | None) -> None:
    """Refuse names that cannot be a folder's on every system.

    Args:
        experiment: Name of the experiment; by default the YAML's file name.
        run: Name of the run; None where it will be made from the YAML.

    Raises:
        ConfigError: One of them.
    """
    for key, name in (("experiment", experiment), ("--run", "x" if run is None else run)):
        if not _NAME.fullmatch(name):
            todo = "Give another, or rename the YAML file" if key == "experiment" else "Give another"
            expected = "a letter or digit, then letters, digits, `.`, `_`, `-` (at most 100)"
            raise ConfigError(expected_got(key, "unusable name", expected, repr(name), todo))


def create_run_folder(
    root: Path, experiment: str, config_hash: str, run: str | None = None, data_key: str = ""
) -> RunFolder:
    """Make the folder of a new run, owned by this process; nothing that exists is touched.

    Args:
        root: Where all runs are, usually `runs`.
        experiment: Name of the experiment, a folder below the root.
        config_hash: Hexadecimal; its first eight digits and a counter name the run.
        run: A name of the user's choice instead.
        data_key: Hashes of the data and their split; empty where they are not known yet.

    Raises:
        ConfigError: A name cannot be a folder's name, or `run` names a run that exists.
    """
    check_names(experiment, run)
    parent = root / experiment
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for name in [run] if run else _counted(config_hash[:8]):
            folder = RunFolder(parent / name)
            if not folder.path.exists() and _begin(folder, config_hash, data_key):
                return folder
    except OSError as error:
        todo = "Free space, or set runs_dir to a folder that you may write to"
        text = expected_got(root, "no run can be kept there", "a folder to write to", error.strerror or error, todo)
        raise TrackingError(text) from error
    raise _taken(parent / str(run))


def _taken(path: Path) -> ConfigError:
    """Say why a run of a user's choice cannot be made."""
    todo = "Choose another name or leave --run out"
    if (path / "state.json").is_file() or not path.is_dir():
        return ConfigError(expected_got("--run", "the run exists", "a new name", repr(path.name), todo))
    what = "its folder is there, and its state.json is not, which says how the run stands"
    got = f"{path.parent.name}/{path.name} without it"
    todo = f"Bring the file back to go on with the run, or move the folder away. Else: {todo.lower()}"
    return ConfigError(expected_got(f"--run {path.name}", what, "both or none", got, todo))


def _begin(folder: RunFolder, config_hash: str, data_key: str) -> bool:
    """Make the folder with its first state at once: whoever is killed meanwhile, or has a full disk, leaves no half.

    Returns:
        Whether it was made; not where another process was faster.
    """
    part = RunFolder(folder.path.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}"))
    try:
        part.path.mkdir()
        touch(part.lease)
        part.write(RunState("RUNNING", config_hash, this_process(), time.time(), data_key=data_key))
        part.path.rename(folder.path)
    except OSError as error:
        shutil.rmtree(part.path, ignore_errors=True)
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            return False
        raise
    return True


def _counted(stem: str) -> Iterator[str]:
    counter = 0
    while True:
        counter += 1
        yield f"{stem}-{counter}"


def all_runs(root: Path) -> list[RunFolder]:
    """List the runs below a root that have a state, oldest name first; none where the root is missing."""
    return [RunFolder(state.parent) for state in sorted(root.glob("*/[!.]*/state.json"))]


def dead_runs(root: Path) -> list[RunFolder]:
    """List the runs that say RUNNING although their process is gone."""
    dead = []
    for folder in all_runs(root):
        try:
            state = folder.read()
        except TrackingError:
            # A damaged state is nobody's to mark: the verb that names this run reports it.
            continue
        if state.status == "RUNNING" and not folder.is_busy(state):
            dead.append(folder)
    return dead
