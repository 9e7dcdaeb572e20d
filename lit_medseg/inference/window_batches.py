"""Windows through the network, as many at once as the memory holds."""

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.inference.window_grid import Corner
from lit_medseg.networks.full_resolution import full_resolution

_LOG = logging.getLogger(__name__)
Network = Callable[[Tensor], Tensor]
"""From `(B, C, *patch)` to logits `(B, K, *patch)`."""


class WindowBatches:
    """Runs windows of one image; a batch that does not fit is tried again in halves.

    Attributes:
        size: How many windows go at once; it only ever falls.
        device: Of the network.
    """

    def __init__(
        self, network: Network, patch: Sequence[int], mirror_axes: Sequence[int], device: torch.device, size: int | None
    ) -> None:
        """Take the settings.

        Args:
            network: See `Network`.
            patch: Sides of a window.
            mirror_axes: Spatial axes, 0 the first, over whose mirror images the logits are averaged.
            device: Of the network; windows are moved there.
            size: Windows at once, for the start; None for as many as keep the device busy.
        """
        self.size = (4 if device.type == "cuda" else 1) if size is None else size
        self._network = network
        self._patch = tuple(patch)
        self.device = device
        counts = range(1, len(mirror_axes) + 1)
        self._mirrors = [
            tuple(axis + 2 for axis in chosen)
            for count in counts
            for chosen in itertools.combinations(mirror_axes, count)
        ]

    def run(self, image: Tensor, corners: Iterable[Corner]) -> Iterator[tuple[Corner, Tensor]]:
        """Run all windows in their order.

        Args:
            image: `(C, *S)`, on any device.
            corners: First voxels of the windows.

        Yields:
            Each window's corner and its logits `(K, *patch)` float32 on the network's device; they may be changed.

        Raises:
            ConfigError: The logits have another grid than the window.
        """
        waiting = list(corners)
        while waiting:
            batch = waiting[: self.size]
            logits = self._try(image, batch)
            if logits is None:
                self.size = max(1, len(batch) // 2)
                continue
            del waiting[: len(batch)]
            for number, corner in enumerate(batch):
                yield corner, logits[number]
            del logits  # before the next batch asks for memory

    def _try(self, image: Tensor, batch: Sequence[Corner]) -> Tensor | None:
        """Give the logits of a batch; None where several windows at once are too many."""
        try:
            return self._forward(image, batch)
        except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU's allocator has no class of its own
            if len(batch) == 1 or not _out_of_memory(error):
                raise
            _LOG.info("sliding window: %d windows at once need too much memory, half as many now", len(batch))
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None

    def _forward(self, image: Tensor, batch: Sequence[Corner]) -> Tensor:
        boxes = [tuple(slice(start, start + side) for start, side in zip(c, self._patch, strict=True)) for c in batch]
        windows = torch.stack([image[(slice(None), *box)] for box in boxes]).to(self.device)
        logits = self._logits(windows)
        if not self._mirrors:
            return logits
        total = logits.clone()  # a network may give back its input
        for axes in self._mirrors:
            total += self._logits(windows.flip(axes)).flip(axes)
        return total.div_(len(self._mirrors) + 1)

    def _logits(self, windows: Tensor) -> Tensor:
        logits = full_resolution(self._network(windows), windows.ndim)
        if tuple(logits.shape[2:]) != self._patch:
            todo = "Choose a patch_size that the network can halve often enough"
            got = tuple(logits.shape[2:])
            raise ConfigError(expected_got("sliding window", "logits of another grid", self._patch, got, todo))
        return logits.float()


def network_device(network: Network, otherwise: torch.device) -> torch.device:
    """Give the device of a module's weights; that of the images for anything without weights."""
    weights = network.parameters() if isinstance(network, nn.Module) else iter(())
    return next((weight.device for weight in weights), otherwise)


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
