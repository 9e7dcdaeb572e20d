"""2.5D: networks for pictures on volumes, slice by slice, with the neighbouring slices as further channels."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from typing_extensions import override

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.networks.full_resolution import levels


class SlicesAsChannels(nn.Module):
    """Runs a 2D network on every slice of a volume.

    For volumes whose slices are far apart, or where the network comes with weights from pictures. To everything else it
    is a network for volumes: patches, sliding windows and losses stay as they are.
    """

    def __init__(self, network: nn.Module, neighbours: int = 1) -> None:
        """Wrap a network.

        Args:
            network: From `(N, C * (2 * neighbours + 1), H, W)` to logits `(N, K, H, W)`, several levels of them, or
                `(N, K)`, which are averaged over the slices. The slices of the first channel come first, in the order
                of the volume.
            neighbours: Slices on either side; beyond the ends the last one is repeated.

        Raises:
            ConfigError: A negative number of neighbours.
        """
        super().__init__()
        if neighbours < 0:
            raise ConfigError(expected_got("neighbours", "unusable", ">= 0", neighbours, "Correct it"))
        self.network = network
        self.neighbours = neighbours

    @override
    def forward(self, volumes: Tensor) -> Tensor | list[Tensor]:
        """Compute logits.

        Args:
            volumes: `(B, C, D, H, W)`.

        Returns:
            `(B, K, D, H, W)`; a list of levels, each with all slices, where the network gives several; or `(B, K)`.
        """
        batch, _, depth, height, width = volumes.shape
        ends = (0, 0, 0, 0, self.neighbours, self.neighbours)
        padded = F.pad(volumes, ends, mode="replicate") if self.neighbours else volumes
        stacks = padded.unfold(2, 2 * self.neighbours + 1, 1)  # (B, C, D, H, W, slices)
        pictures = stacks.permute(0, 2, 1, 5, 3, 4).reshape(batch * depth, -1, height, width)
        found = levels(self.network(pictures), pictures.ndim)
        if isinstance(found, list):
            return [_unfolded(level, batch) for level in found]
        return _unfolded(found, batch)


def _unfolded(logits: Tensor, batch: int) -> Tensor:
    """Put the slices of each volume together again."""
    volumes = logits.view(batch, -1, *logits.shape[1:])
    return volumes.mean(1) if logits.ndim == 2 else torch.movedim(volumes, 1, 2)
