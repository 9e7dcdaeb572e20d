"""Checkpoints that are written while training goes on."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from pickle import PicklingError
from typing import Any

from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor
from typing_extensions import override

from lit_medseg.cluster.atomic_checkpoint_io import AtomicCheckpointIO
from lit_medseg.errors import CheckpointError, expected_got

Written = Callable[[Path, float], None]
"""Told when a checkpoint stands on the disk: its path, and the seconds that its writing took."""


class BackgroundCheckpointIO(AtomicCheckpointIO):
    """Copies what is saved into the CPU's memory, and writes the copy in a thread: one file after the other.

    At most one copy waits: where the disk is slower than the saving, training waits for it and memory stays bounded.
    """

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._last: Future[None] | None = None

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Save soon.

        Args:
            checkpoint: Tensors on any device and plain data; may change after the call.
            path: The file.
            storage_options: None, or a `Written` that is called in the thread after the file.

        Raises:
            CheckpointError: An earlier checkpoint could not be written.
        """
        self.wait()
        copy = apply_to_collection(checkpoint, Tensor, _copied)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._last = self._thread.submit(self._write, copy, Path(path), storage_options)

    def wait(self) -> None:
        """Return when everything is written.

        Raises:
            CheckpointError: A checkpoint could not be written, or could not be read again.
        """
        last, self._last = self._last, None
        if last is None:
            return
        try:
            last.result()
        except (OSError, RuntimeError, PicklingError, AttributeError, TypeError) as error:
            todo = "Free some space, or mend the callback that keeps what cannot be written; the same command goes on"
            got = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            what, expected = "a checkpoint cannot be written", "room on the disk, and plain data"
            raise CheckpointError(expected_got("checkpoints", what, expected, got, todo)) from error

    @override
    def remove_checkpoint(self, path: Any) -> None:
        self.wait()
        super().remove_checkpoint(path)

    @override
    def teardown(self) -> None:
        try:
            self.wait()
        finally:
            if self._thread is not None:
                self._thread.shutdown()
                self._thread = None

    def _write(self, checkpoint: dict[str, Any], path: Path, written: Written | None) -> None:
        start = time.monotonic()
        super().save_checkpoint(checkpoint, path)
        if written is not None:
            written(path, time.monotonic() - start)


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True)
