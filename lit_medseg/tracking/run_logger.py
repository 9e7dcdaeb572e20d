"""Lightning's logger for a run: everything goes into the run's queue."""

import logging
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from lit_medseg.cluster.blame import Blame
from lit_medseg.tracking.flatten import flatten
from lit_medseg.tracking.note import NOTE_TAG
from lit_medseg.tracking.queue import RecordQueue
from lit_medseg.tracking.records import MAX_PARAM_LENGTH, MAX_TAG_LENGTH, Record, count_waiting, now_ms
from lit_medseg.tracking.run_folder import RunFolder, Status
from lit_medseg.tracking.safe_key import safe_key
from lit_medseg.tracking.shown_path import shown_path

_log = logging.getLogger(__name__)


class RunLogger(Logger):
    """Writes metrics, parameters, tags and files of one run.

    Args:
        folder: The run folder.
        queue: The run's queue; None on every rank but the first, where all methods do nothing.
        resumed: The run goes on from a checkpoint: metrics at or below the last recorded step of their key were
            recorded before the interruption and are skipped.

    Attributes:
        described: Whether the run has its note, which is the last thing that a command writes about it before training.
    """

    def __init__(self, folder: RunFolder, queue: RecordQueue | None, resumed: bool = False) -> None:
        super().__init__()
        self.folder = folder
        self.queue = queue
        self.outcome: Status | None = None
        self._params: dict[str, str] = {}
        self._last_steps: dict[str, int] = {}
        self._latest: dict[str, tuple[int, float]] = {}
        self.described = False
        for record in queue.history() if queue is not None else []:
            if record.kind == "param":
                self._params[record.key] = str(record.value)
            elif record.kind == "tag":
                self.described |= record.key == NOTE_TAG
            elif record.kind == "metric":
                self._latest[record.key] = (record.step, float(record.value))
                self._last_steps[record.key] = max(record.step, self._last_steps.get(record.key, -1))
        if not resumed:
            self._last_steps = {}

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.folder.experiment

    @property
    def version(self) -> str:
        """The run's name."""
        return self.folder.name

    @property
    def save_dir(self) -> str:
        """The run folder."""
        return str(self.folder.path)

    @property
    def log_dir(self) -> str:
        """The run folder."""
        return str(self.folder.path)

    @property
    def root_dir(self) -> str:
        """The experiment's folder."""
        return str(self.folder.path.parent)

    @property
    def experiment(self) -> RecordQueue | None:
        """The queue; None on ranks other than the first."""
        return self.queue

    @property
    def run_id(self) -> str:
        """Number of the MLflow run; empty on ranks other than the first."""
        return "" if self.queue is None else self.queue.run_id

    def next_step(self, key: str) -> int:
        """Give the step after the last one that was recorded for a metric, 0 for a new metric."""
        return self._latest.get(safe_key(key), (-1, 0.0))[0] + 1

    def latest(self, prefixes: tuple[str, ...]) -> dict[str, float]:
        """Give the last value of every metric whose key starts so, whichever command recorded it."""
        return {key: value for key, (_, value) in self._latest.items() if key.startswith(prefixes)}

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record numbers.

        Args:
            metrics: Numbers (or tensors of one number) by key; NaN and infinite ones are recorded as such.
            step: The optimizer step they belong to; None counts as 0.
        """
        time_ms, at = now_ms(), int(step or 0)
        records = [Record("metric", safe_key(key), float(value), at, time_ms) for key, value in metrics.items()]
        self._put([record for record in records if self._is_news(record.key, at, float(record.value))])

    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *_: Any) -> None:
        """Record parameters, nested ones with `/` between the keys.

        MLflow never changes a parameter: what was recorded before is skipped, and a changed value (a resumed run on
        other devices, say) becomes the tag `changed/<key>`.
        """
        plain = vars(params) if isinstance(params, Namespace) else params
        records = []
        for name, value in flatten(plain).items():
            key, text = safe_key(name), str(value)[:MAX_PARAM_LENGTH]
            known = self._params.get(key)
            if known is None:
                self._params[key] = text
                records.append(Record("param", key, text))
            elif known != text:
                records.append(Record("tag", safe_key(f"changed/{name}"), text))
        self._put(records)

    @rank_zero_only
    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Record tags; a value beyond MLflow's 8,000 characters is cut."""
        self._put([Record("tag", safe_key(key), str(value)[:MAX_TAG_LENGTH]) for key, value in tags.items()])

    @rank_zero_only
    def log_artifact(self, file: Path, artifact_folder: str = "") -> None:
        """Record a file of the run folder; it is read when it is sent.

        Args:
            file: A file within the run folder.
            artifact_folder: Folder within the run's artifacts; empty for their top.
        """
        self._put([Record("artifact", artifact_folder, file.relative_to(self.folder.path).as_posix())])

    @rank_zero_only
    def save(self) -> None:
        """Do nothing: Lightning calls this after every logged step, and the queue sends on its own."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Remember how Lightning ended and send what waits.

        The run itself is ended by the command through `close`: `fit` is followed by `test` in the same run.
        """
        ends: dict[str, Status] = {"success": "FINISHED", "finished": "FINISHED", "failed": "FAILED"}
        self.outcome = ends.get(status, "KILLED")
        if self.queue is not None:
            self.queue.nudge()

    @rank_zero_only
    def close(
        self, status: Status | None, reason: str = "", timeout_s: float = 60.0, blame: Blame = Blame.SETTINGS
    ) -> bool:
        """End the run: last records, status, run folder.

        Args:
            status: How the run ended in truth; None leaves it as it was (a test added to a finished run).
            reason: Why, in one line, for a run that did not finish.
            timeout_s: How long to wait for the store.
            blame: Of a FAILED run: what its failure is to be blamed on.

        Returns:
            Whether MLflow has everything; what it has not waits in the run folder.
        """
        if self.queue is None:
            return True
        if status is not None:
            tags = [Record("tag", "end_reason", reason[:MAX_TAG_LENGTH])] if reason else []
            self._put([*tags, Record("status", "status", status)])
            self.folder.end(status, reason, blame)
        delivered = self.queue.close(timeout_s)
        if not delivered:
            _log.warning(
                "run %s: MLflow has not taken all, %d records wait in its run folder. Send them later: %s",
                self.folder.name,
                count_waiting(self.folder.path),
                f"python -m lit_medseg sync {shown_path(self.folder.path)}",
            )
        self.queue = None
        return delivered

    def _is_news(self, key: str, step: int, value: float) -> bool:
        """Tell whether a metric is new: Lightning adds `epoch` to every call, and a resumed run repeats steps."""
        repeated = self._latest.get(key) == (step, value)
        self._latest[key] = (step, value)
        return not repeated and step > self._last_steps.get(key, -1)

    def _put(self, records: list[Record]) -> None:
        if self.queue is not None:
            self.queue.put(*records)
