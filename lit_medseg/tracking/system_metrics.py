"""Load of the machine while a run works: CPU, memory, disk, network, GPUs."""

import logging
import threading
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from lit_medseg.tracking.find_logger import find_logger
from lit_medseg.tracking.mlflow_environment import set_mlflow_environment
from lit_medseg.tracking.run_logger import RunLogger

_log = logging.getLogger(__name__)


class SystemMetrics(Callback):
    """Samples the machine of the first rank with MLflow's own probes; the samples go through the run's queue.

    MLflow's own monitor asks the server before each sample and ends when it does not answer; this one goes on.

    Args:
        interval_s: Time between two samples. A run that is shorter has the sample that is taken at its end.
    """

    def __init__(self, interval_s: float = 10.0) -> None:
        self.interval_s = interval_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Start sampling on the first rank."""
        logger = find_logger(trainer)
        if logger is None or logger.queue is None or self._thread is not None:
            return
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(logger,), name="system-metrics", daemon=True)
        self._thread.start()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the last sample and stop."""
        self._end()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Take the last sample and stop."""
        self._end()

    def _end(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
            self._thread = None

    def _run(self, logger: RunLogger) -> None:
        probes = _probes()
        # The first CPU figure has no time span behind it.
        _sample(probes)
        step = logger.next_step("system/cpu_utilization_percentage")
        stopped = False
        while not stopped:
            stopped = self._stop.wait(self.interval_s)
            try:
                logger.log_metrics({f"system/{name}": value for name, value in _sample(probes).items()}, step)
            except Exception as error:
                _log.warning("system metrics end: %s", error)
                return
            step += 1


def _probes() -> list[Any]:
    set_mlflow_environment()
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor  # noqa: PLC0415 (after the environment is set)
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor  # noqa: PLC0415
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor  # noqa: PLC0415
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor  # noqa: PLC0415

    probes: list[Any] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]  # type: ignore[no-untyped-call]
    try:
        probes.append(GPUMonitor())  # type: ignore[no-untyped-call]
    except (ImportError, RuntimeError):
        _log.debug("no NVIDIA GPU to sample")
    return probes


def _sample(probes: list[Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for probe in probes:
        probe.collect_metrics()
        found.update(probe.aggregate_metrics())
        probe.clear_metrics()
    return found
