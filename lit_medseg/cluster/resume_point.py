"""Where in training a checkpoint stands, written so that Lightning goes on exactly there."""

from dataclasses import dataclass
from typing import Any

_FIT = "fit_loop"
_EPOCHS, _BATCHES = "epoch_progress", "epoch_loop.batch_progress"
_EVALUATED, _STEPS = "epoch_loop.val_loop.batch_progress", "epoch_loop.state_dict"


@dataclass(frozen=True)
class ResumePoint:
    """A point between two batches.

    Attributes:
        epoch: From 0: the epoch that the next batch, or the validation, belongs to. At the end: the epochs done.
        batches: Batches of that epoch that are done.
        validation: Whether the validation after these batches is what comes next, and not a batch.
        complete: Whether training has ended.
    """

    epoch: int
    batches: int = 0
    validation: bool = False
    complete: bool = False

    def plain(self) -> dict[str, Any]:
        """Give the point as plain data."""
        return dict(vars(self))

    def write(self, checkpoint: dict[str, Any], iterates: bool) -> None:
        """Change the loops' progress in a checkpoint, so that a Trainer that loads it goes on at this point.

        Lightning 2.6 notes its progress in the middle of hooks and guesses from the differences between four counters
        where it was. It has a place for "after a batch" (the batch is not counted as completed) and one for "within a
        validation" (its first batch is started and not processed); everything else it would do once too often, or
        leave out.

        Args:
            checkpoint: As `Trainer.dump_checkpoint` gives it, at this point.
            iterates: Whether the length of training is given in steps (`max_steps`), which Lightning always restarts.
        """
        loops = checkpoint["loops"][_FIT]
        started = self.batches > 0
        loops[_EPOCHS] = {part: _counts(self.epoch + started, self.epoch, self.epoch) for part in ("total", "current")}
        done = loops[_BATCHES]["total"]["processed"]
        after_batch = not self.validation and not self.complete and (started or iterates)
        loops[_BATCHES] = {
            "total": _counts(done, done, done - after_batch),
            "current": _counts(self.batches, self.batches, self.batches - after_batch),
            "is_last_batch": loops[_BATCHES]["is_last_batch"] and self.validation,
        }
        loops[_STEPS]["_batches_that_stepped"] -= int(after_batch)
        if self.validation:
            loops[_EVALUATED] = {part: _counts(1, 0, 0) for part in ("total", "current")} | {"is_last_batch": False}


def _counts(started: int, processed: int, completed: int) -> dict[str, int]:
    return {"ready": started, "started": started, "processed": processed, "completed": completed}
