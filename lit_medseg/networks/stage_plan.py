"""How deep and how wide a U-Net is, from the size and the spacing of its patches."""

from collections.abc import Sequence
from dataclasses import dataclass

from lit_medseg.errors import ConfigError, expected_got

_SMALLEST_SIDE = 4
"""No axis is halved below this."""
_BLOCKS = (1, 3, 4, 6)
"""Residual blocks of the first stages; every further one has as many as the last."""


@dataclass(frozen=True)
class StagePlan:
    """One entry a stage, the one at full resolution first.

    Attributes:
        features: Channels.
        strides: By how much each axis is made coarser on the way into the stage; 1 along all axes for the first.
        kernel_sizes: Of the convolutions, along each axis.
        blocks: Residual blocks of the encoder.
    """

    features: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernel_sizes: tuple[tuple[int, ...], ...]
    blocks: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse entries that do not belong together."""
        counts = {len(self.features), len(self.strides), len(self.kernel_sizes), len(self.blocks)}
        if len(counts) != 1 or len(self.features) < 2:
            todo = "Give features, strides, kernel_sizes and blocks one entry a stage"
            got = [len(self.features), len(self.strides), len(self.kernel_sizes), len(self.blocks)]
            raise ConfigError(expected_got("stages", "unequal or too few", "one number of at least 2", got, todo))

    def check_patch(self, patch_size: Sequence[int]) -> None:
        """Refuse patches that the strides do not divide.

        Raises:
            ConfigError: With the next larger patch that fits.
        """
        products = [1] * len(patch_size)
        for strides in self.strides:
            products = [product * stride for product, stride in zip(products, strides, strict=True)]
        fitting = tuple(-(-side // product) * product for side, product in zip(patch_size, products, strict=True))
        if fitting != tuple(patch_size):
            todo = "Take that patch_size, or state the stages"
            raise ConfigError(expected_got("patch_size", "cannot be halved so often", fitting, tuple(patch_size), todo))


def plan_stages(
    patch_size: Sequence[int],
    spacing_mm: Sequence[float] | None = None,
    base_features: int = 32,
    most_features: int | None = None,
) -> StagePlan:
    """Halve axes as long as enough voxels are left, those of coarse spacing later than the others.

    An axis is halved while it keeps at least four voxels and its spacing is less than twice the finest of the axes that
    can still be halved; the kernels span one voxel along an axis until its spacing is less than twice the finest of
    all.

    Source: Isensee et al., nnU-Net, 2021, doi:10.1038/s41592-020-01008-z, and its 2.8 code (`get_pool_and_conv_props`);
    blocks and features of its residual encoder: Isensee et al. 2024, doi:10.1007/978-3-031-72114-4_47.

    Args:
        patch_size: Sides of a training patch.
        spacing_mm: Of the voxels, in the order of the sides; None for equal.
        base_features: Channels at full resolution, doubled at each stage.
        most_features: No stage has more; None for 320 in volumes and 512 in pictures.

    Raises:
        ConfigError: The patch is too small to be halved once.
    """
    sizes, spacing = list(patch_size), list(spacing_mm or [1.0] * len(patch_size))
    kernel = [1] * len(sizes)
    strides, kernels = [(1,) * len(sizes)], []
    while True:
        halved = _axes_to_halve(sizes, spacing)
        if not halved:
            break
        kernel = [3 if k == 3 or own / min(spacing) < 2 else 1 for k, own in zip(kernel, spacing, strict=True)]
        kernels.append(tuple(kernel))
        strides.append(tuple(2 if axis in halved else 1 for axis in range(len(sizes))))
        for axis in halved:
            spacing[axis] *= 2
            sizes[axis] = -(-sizes[axis] // 2)
    kernels.append((3,) * len(sizes))
    if len(strides) < 2:
        todo = "Take larger patches, or state the stages"
        raise ConfigError(expected_got("patch_size", "too small for a U-Net", "sides >= 8", tuple(patch_size), todo))
    most = most_features or (320 if len(sizes) == 3 else 512)
    return StagePlan(
        features=tuple(min(most, base_features * 2**stage) for stage in range(len(strides))),
        strides=tuple(strides),
        kernel_sizes=tuple(kernels),
        blocks=tuple(_BLOCKS[min(stage, len(_BLOCKS) - 1)] for stage in range(len(strides))),
    )


def _axes_to_halve(sizes: list[int], spacing: list[float]) -> list[int]:
    """Give the axes that can and should be halved next; a lone one only while it is clearly long enough."""
    long = [axis for axis, side in enumerate(sizes) if side >= 2 * _SMALLEST_SIDE]
    if not long:
        return []
    finest = min(spacing[axis] for axis in long)
    fine = [axis for axis in long if spacing[axis] / finest < 2]
    if len(fine) == 1 and sizes[fine[0]] < 3 * _SMALLEST_SIDE:
        return []
    return fine
