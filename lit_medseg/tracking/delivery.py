"""Carry records to MLflow: in order, in few requests."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_medseg.tracking.lazy_client import LazyClient
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.refusal import FileGoneError, final_reason
from lit_medseg.tracking.request_limits import request_limits, upload_s

MAX_BATCH = 1000
MAX_PARAMS = 100
MAX_BYTES = 800_000
_BATCHED = ("metric", "param", "tag")


def fits(batch: Sequence[Record], record: Record) -> bool:
    """Tell whether a record can go with the ones before it in one request.

    Limits of MLflow: 1,000 entries, 100 parameters and 100 tags, one million bytes; a key of a parameter or tag once.
    Artifacts, inputs and the status go alone.
    """
    if not batch:
        return True
    if record.kind not in _BATCHED or batch[0].kind not in _BATCHED or len(batch) >= MAX_BATCH:
        return False
    if record.kind == "metric":
        return True
    same = [other for other in batch if other.kind == record.kind]
    return (
        len(same) < MAX_PARAMS
        and all(other.key != record.key for other in same)
        and sum(len(str(other.value)) for other in batch if other.kind != "metric") < MAX_BYTES // 4
    )


@dataclass(frozen=True)
class Delivery:
    """The way to one MLflow run.

    Attributes:
        client: Talks to the store, once it can be reached.
        run_id: Number of the run.
        folder: The run folder that artifacts are relative to.
    """

    client: LazyClient
    run_id: str
    folder: Path
    _uploaded: dict[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)

    def send(self, batch: Sequence[Record]) -> list[tuple[Record, str]]:
        """Send a batch; what was sent before does no harm.

        Returns:
            The records that MLflow will never take, each with its reason; usually none.

        Raises:
            Exception: The store does not answer, or not now: send the same again later.
        """
        client = self.client.get()
        try:
            self._send(client, batch)
        except Exception as error:
            reason = final_reason(error)
            if not reason:
                raise
            if len(batch) == 1:
                return [(batch[0], reason)]
            half = len(batch) // 2
            return self.send(batch[:half]) + self.send(batch[half:])
        return []

    def knows_run(self) -> bool:
        """Ask the store whether it answers for this run: then a file that it does not take is that file's matter."""
        try:
            self.client.get().get_run(self.run_id)
        except Exception:  # every library below has its own; each of them says no
            return False
        return True

    def _send(self, client: Any, batch: Sequence[Record]) -> None:
        first = batch[0]
        if first.kind in _BATCHED:
            self._send_batch(client, batch)
        elif first.kind == "artifact":
            self._send_artifact(client, first)
        elif first.kind == "input":
            client.log_inputs(self.run_id, datasets=[_dataset_input(json.loads(str(first.value)))])
        elif first.value == "RUNNING":
            client.update_run(self.run_id, status="RUNNING")
        else:
            client.set_terminated(self.run_id, str(first.value), first.time_ms)

    def _send_artifact(self, client: Any, record: Record) -> None:
        """Send a file; one that was replaced many times while the server was away goes once."""
        file = self.folder / str(record.value)
        try:
            status = file.stat()
        except FileNotFoundError as error:
            raise FileGoneError(file.name) from error
        state = (status.st_ino, status.st_mtime_ns, status.st_size)
        if self._uploaded.get((record.key, str(record.value))) == state:
            return
        with request_limits(upload_s(file)):
            client.log_artifact(self.run_id, str(file), record.key or None)
        self._uploaded[record.key, str(record.value)] = state

    def _send_batch(self, client: Any, batch: Sequence[Record]) -> None:
        from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415 (after the environment is set)

        metrics = [Metric(r.key, float(r.value), r.time_ms, r.step) for r in batch if r.kind == "metric"]
        params = [Param(r.key, _storable(str(r.value))) for r in batch if r.kind == "param"]
        tags = [RunTag(r.key, _storable(str(r.value))) for r in batch if r.kind == "tag"]
        client.log_batch(self.run_id, metrics, params, tags, synchronous=True)


def _storable(text: str) -> str:
    """Replace what databases refuse: NUL, and the halves of characters that odd file names bring."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _dataset_input(plain: dict[str, Any]) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415 (after the environment is set)

    return DatasetInput(Dataset(**plain["dataset"]), [InputTag(key, value) for key, value in plain["tags"].items()])
