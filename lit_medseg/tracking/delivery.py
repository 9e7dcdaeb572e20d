"""Carry records to MLflow: in order, in few requests."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_medseg.tracking.records import Record

if TYPE_CHECKING:
    from mlflow import MlflowClient

_log = logging.getLogger(__name__)
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
        client: Talks to the store.
        run_id: Number of the run.
        folder: The run folder that artifacts are relative to.
    """

    client: "MlflowClient"
    run_id: str
    folder: Path

    def send(self, batch: Sequence[Record]) -> list[tuple[Record, str]]:
        """Send a batch; what was sent before does no harm.

        Returns:
            The records that MLflow will never take, each with its reason; usually none.

        Raises:
            Exception: The store does not answer, or not now: send the same again later.
        """
        try:
            self._send(batch)
        except Exception as error:
            reason = _final_reason(error)
            if not reason:
                raise
            if len(batch) == 1:
                return [(batch[0], reason)]
            half = len(batch) // 2
            return self.send(batch[:half]) + self.send(batch[half:])
        return []

    def _send(self, batch: Sequence[Record]) -> None:
        first = batch[0]
        if first.kind in _BATCHED:
            self._send_batch(batch)
        elif first.kind == "artifact":
            self.client.log_artifact(self.run_id, str(self.folder / str(first.value)), first.key or None)
        elif first.kind == "input":
            self.client.log_inputs(self.run_id, datasets=[_dataset_input(json.loads(str(first.value)))])
        elif first.value == "RUNNING":
            self.client.update_run(self.run_id, status="RUNNING")
        else:
            self.client.set_terminated(self.run_id, str(first.value), first.time_ms)

    def _send_batch(self, batch: Sequence[Record]) -> None:
        from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415 (after the environment is set)

        metrics = [Metric(r.key, float(r.value), r.time_ms, r.step) for r in batch if r.kind == "metric"]
        params = [Param(r.key, str(r.value)) for r in batch if r.kind == "param"]
        tags = [RunTag(r.key, str(r.value)) for r in batch if r.kind == "tag"]
        self.client.log_batch(self.run_id, metrics, params, tags, synchronous=True)


def _dataset_input(plain: dict[str, Any]) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415 (after the environment is set)

    return DatasetInput(Dataset(**plain["dataset"]), [InputTag(key, value) for key, value in plain["tags"].items()])


def _final_reason(error: Exception) -> str:
    """Say why a request can never succeed; empty where it may succeed later."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 (after the environment is set)

    if isinstance(error, FileNotFoundError):
        return "the file is gone"
    # A deleted run can be restored, so its records wait.
    final = isinstance(error, MlflowException) and error.error_code in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
    if final and "must be in the 'active' state" not in str(error):
        return str(error).splitlines()[0][:500]
    return ""
