"""Writes what a later attempt goes on from, and ends the run at a step's boundary when it is asked to."""

import logging
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only
from typing_extensions import override

from lit_medseg.cluster.agreement import Agreement
from lit_medseg.cluster.checkpoint_files import keep_newest, step_file
from lit_medseg.cluster.random_streams import set_random_streams
from lit_medseg.cluster.rank_state import load_rank_states, rank_state
from lit_medseg.cluster.read_checkpoint import read_checkpoint
from lit_medseg.cluster.resume_point import ResumePoint
from lit_medseg.cluster.stop_request import Cause, Stopped, StopRequest
from lit_medseg.errors import CheckpointError, expected_got

_LOG = logging.getLogger(__name__)
KEY = "lit_medseg_resume"
_LEAST_SHARE = 100
"""An epoch's end is only saved where so many times the cost of a checkpoint have passed since the last one: 1%."""
_LONG_VALIDATION_S = 10.0
"""Before a longer one the state is saved: a preemption that comes meanwhile cannot wait for its end."""


@dataclass(frozen=True)
class Changes:
    """What is other than when a checkpoint was made; nothing, unless the user has allowed it.

    Attributes:
        batches: Which samples come in which batch.
        settings: Any setting.
    """

    batches: bool = False
    settings: bool = False


class ResumeCheckpoints(Callback):
    """Saves between two batches, after the optimizer's step and before anything of the next batch has happened.

    Such a checkpoint has, beside Lightning's parts, the random streams and sums of every rank, and the point in
    training (see `ResumePoint`): a run that goes on from it is the one that was never interrupted. It has to stand
    first among the callbacks, so that no other one has seen the batch yet.

    Saved is: every `minutes`; at the end of each epoch, where that costs less than 1% of the time; before a validation
    that may be long; when training ends; and when somebody asks for the run's end, which all ranks agree on.
    """

    def __init__(
        self,
        stop: StopRequest,
        minutes: float = 10.0,
        keep: int = 2,
        changes: Callable[[dict[str, Any]], Changes] | None = None,
    ) -> None:
        """Set up.

        Args:
            stop: Who may end the run.
            minutes: Time between two checkpoints.
            keep: How many checkpoints stay.
            changes: Compares a checkpoint with this run; None where they are known to be of one kind. With other
                batches the run goes on from the start of the epoch, with other settings a complete one trains on.
        """
        self._stop, self._every_s, self._keep = stop, 60.0 * minutes, keep
        self._changes = changes
        self._changed = Changes()
        self._agreement = Agreement()
        self._loaded: dict[str, Any] | None = None
        self._point: ResumePoint | None = None
        self._saved_s = self._called_s = self._saving_s = self._writing_s = self._validation_start = 0.0
        self._validation_s = math.inf  # not known yet: it may be long
        self._safe = self._readable = False
        self._saves = 0

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # the strategy's own limit: what hangs is named by the ranks' watch, before
        limit = getattr(trainer.strategy, "_timeout", None)
        self._agreement.start(1800.0 if limit is None else limit.total_seconds())

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over what is the ranks' own; from here on, signals wait for a step's boundary."""
        if self._loaded is not None:
            _say_what_differs(self._loaded["made_on"], made_on(trainer))
            if not self._changed.batches:
                load_rank_states(pl_module, self._loaded["ranks"], trainer.global_rank)
                trainer.accumulate_grad_batches = self._loaded["accumulate_grad_batches"]
            if self._loaded["point"]["complete"] and not self._changed.settings:
                trainer.should_stop = True
        self._saved_s = self._called_s = time.monotonic()
        self._stop.interruption.deferred = True

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Save where it is time, and stop where it was asked for."""
        self._restore_streams(trainer)
        if batch_idx % trainer.accumulate_grad_batches:
            return  # gradients that are being summed up are in no checkpoint
        point = ResumePoint(trainer.current_epoch, batch_idx)
        new_epoch = batch_idx == 0 and trainer.current_epoch > 0
        cause, due = self._agreed(trainer, new_epoch)
        if cause or due:
            self._save(trainer, point)
        if cause:
            raise Stopped(cause)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save before a validation that may be long."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        self._restore_streams(trainer)
        batches = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        boundary = not trainer.fit_loop.epoch_loop._should_accumulate()
        # the ranks measure differently: the first one's watch decides
        long = trainer.strategy.broadcast(self._validation_s > _LONG_VALIDATION_S)
        self._safe = boundary and long
        if self._safe:
            self._save(trainer, ResumePoint(trainer.current_epoch, batches, validation=True))
        self._validation_start = time.monotonic()

    @override
    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Leave a long validation where it was asked for: its start is saved."""
        if self._safe:
            cause, _ = self._agreed(trainer, new_epoch=False)
            if cause:
                raise Stopped(cause)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember how long a validation is; steps may take longer than its batches did."""
        self._agreement.end()
        self._validation_s = time.monotonic() - self._validation_start
        self._safe = False

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the end."""
        self._agreement.end()
        epochs: int = vars(trainer.fit_loop.epoch_progress.current)["processed"]
        self._save(trainer, ResumePoint(epochs, complete=True))
        self._stop.interruption.deferred = False

    @override
    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the ranks' own state and the point; every rank is here."""
        point = self._point
        checkpoint[KEY] = {
            "ranks": self._agreement.gather(rank_state(pl_module)),
            "point": None if point is None else point.plain(),
            "accumulate_grad_batches": trainer.accumulate_grad_batches,
            "made_on": made_on(trainer),
        }
        if point is not None:
            point.write(checkpoint, iterates=trainer.max_steps != -1)

    @override
    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Find the point, and have the data start there."""
        loaded = checkpoint.get(KEY)
        if loaded is None or loaded["point"] is None:
            return
        self._loaded = loaded
        self._changed = Changes() if self._changes is None else self._changes(checkpoint)
        point = ResumePoint(**loaded["point"])
        if self._changed.batches and not point.complete:
            point = ResumePoint(point.epoch)
            point.write(checkpoint, iterates=trainer.max_steps != -1)
        start_at = getattr(trainer.datamodule, "start_at", None)  # type: ignore[attr-defined]  # set by fit
        if start_at is not None:
            start_at(point.epoch, point.batches)

    def _agreed(self, trainer: Trainer, new_epoch: bool) -> tuple[Cause, bool]:
        """Ask all ranks who wants the end, and whether it is time to save: the first one alone knows what it costs."""
        now = time.monotonic()
        passed_s = now - self._saved_s
        cost_s = self._saving_s + self._writing_s
        due = passed_s >= self._every_s or (new_epoch and passed_s >= _LEAST_SHARE * cost_s)
        cause = self._stop.cause(_run_folder(trainer))
        # the number of the save that is due: a message that was on its way while it was made asks for no second one
        wanted = self._saves + 1 if due and trainer.is_global_zero else 0
        agreed = self._agreement.largest([int(cause), wanted], now - self._called_s)
        self._called_s = now
        return Cause(agreed[0]), agreed[1] > self._saves

    def _save(self, trainer: Trainer, point: ResumePoint) -> None:
        """Save in the background; what the writing costs is known later, see `_written`."""
        start = time.monotonic()
        path = _run_folder(trainer) / "checkpoints" / step_file(trainer.global_step)
        self._point = point
        for logger in trainer.loggers:
            logger.save()  # what was recorded up to here is on the disk before the checkpoint is
        try:
            trainer.save_checkpoint(path, storage_options=self._written)
        finally:
            self._point = None
        self._saves += 1
        self._saved_s = time.monotonic()
        self._saving_s = self._saved_s - start

    def _written(self, path: Path, seconds: float) -> None:
        """Let the new checkpoint be the last one; called in the writing thread of the first rank.

        Raises:
            CheckpointError: The first one cannot be read again: a callback of the user's keeps more than plain data.
        """
        if not self._readable:
            _refuse_unreadable(path)
            self._readable = True
        keep_newest(path, self._keep)
        self._writing_s = seconds

    def _restore_streams(self, trainer: Trainer) -> None:
        """Go on with the random streams where the checkpoint was made; once."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            # Lightning leaves the plateau schedulers out at the end of an epoch that it has restarted, metrics or not
            trainer.fit_loop._restarting = False
            set_random_streams(loaded["ranks"][trainer.global_rank % len(loaded["ranks"])]["streams"])


def made_on(trainer: Trainer) -> dict[str, str | int]:
    """Say on what a run computes: floating-point sums are rounded as these have it."""
    return {
        "ranks": trainer.world_size,
        "device": trainer.strategy.root_device.type,
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }


def _refuse_unreadable(path: Path) -> None:
    """See that a later attempt can read a checkpoint, whose reader takes plain data only, and runs no code from it."""
    try:
        read_checkpoint(path)
    except CheckpointError as error:
        path.unlink()
        found = re.search(r"GLOBAL (\S+)", str(error.__cause__))
        got = str(error) if found is None else f"an object of {found[1]}"
        expected, todo = "plain data and tensors in every state_dict", "Mend the callback or schedule that keeps it"
        raise CheckpointError(expected_got("checkpoints", "one cannot be read again", expected, got, todo)) from error


@rank_zero_only
def _say_what_differs(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Warn where the run goes on elsewhere: it is the same one, but no longer to the last bit."""
    other = [f"{name} {now[name]} instead of {before[name]}" for name in now if before.get(name) != now[name]]
    if other:
        _LOG.warning(
            "the run goes on with %s: in the same order, but sums are rounded differently from here on, so that its "
            "numbers are not to the last bit those of an uninterrupted run.",
            ", ".join(other),
        )


def _run_folder(trainer: Trainer) -> Path:
    """Give the folder that the run's logger writes to (`trainer.log_dir` is a message between the ranks)."""
    return Path(str(trainer.loggers[0].log_dir))
