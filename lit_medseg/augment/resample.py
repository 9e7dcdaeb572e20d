"""One resampling for all that moves: images linear, masks nearest."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lit_medseg.augment.geometry import Geometry


def resampled(
    geometry: Geometry, offset: Sequence[float], image: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Make a patch of its box.

    The eight (four) neighbours of every voxel are gathered and mixed axis by axis: half the time of `grid_sample` on a
    CPU, whose grid would have to be made first, and masks of any integer type need no detour through floats.

    Args:
        geometry: What was drawn.
        offset: The patch's centre in voxels of the box (`Geometry.offset`).
        image: `(C, *box)` float32.
        mask: `(K, *box)` of any dtype, or None; no value appears that is not in it.

    Returns:
        `(C, *size)` and `(K, *size)`, contiguous; the given tensors themselves where nothing changes.
    """
    if geometry.exact:
        if not geometry.mirrored:
            return image, mask
        axes = [axis + 1 for axis in geometry.mirrored]
        return image.flip(axes), None if mask is None else mask.flip(axes)
    below, parts = _neighbours(_coordinates(geometry, offset, image.device), image.shape[1:])
    strides = _strides(image.shape[1:])
    base = _summed(below[-1], below[:-1], strides[:-1]).expand(geometry.size).contiguous()
    patch = torch.stack([_mixed(plane.reshape(-1), base, parts, strides) for plane in image])
    if mask is None:
        return patch, None
    nearer = _summed(base, [(part > 0.5).to(base) for part in parts], strides)
    codes = [plane.reshape(-1).index_select(0, nearer.reshape(-1)).view(geometry.size) for plane in mask]
    return patch, torch.stack(codes)


def _coordinates(geometry: Geometry, offset: Sequence[float], device: torch.device) -> list[Tensor]:
    """Give the source of every voxel along each axis of the box, in voxels; each broadcasts to the patch's size."""
    axes = len(geometry.size)
    lines = [
        (torch.arange(side, dtype=torch.float32, device=device) - (side - 1) / 2).view(
            [-1 if at == axis else 1 for at in range(axes)]
        )
        for axis, side in enumerate(geometry.size)
    ]
    matrix = [] if geometry.matrix is None else geometry.matrix.tolist()
    found = []
    for start, factors in zip(offset, matrix, strict=True):
        used = [(line, factor) for line, factor in zip(lines, factors, strict=True) if factor != 0]
        place = torch.full([1] * axes, start, device=device)  # `torch.tensor` would wait for the device
        found.append(_summed(place, [line for line, _ in used], [factor for _, factor in used]))
    if geometry.bend is None:
        return found
    return [line + moved for line, moved in zip(found, geometry.bend.field(geometry.size, device), strict=True)]


def _neighbours(coordinates: Sequence[Tensor], box: Sequence[int]) -> tuple[list[Tensor], list[Tensor]]:
    """Give the lower neighbour along each axis and how far towards the upper one the source lies, 0 to 1."""
    place = torch.int32 if math.prod(box) < 2**31 else torch.int64  # half the memory to go through
    below, parts = [], []
    for line, side in zip(coordinates, box, strict=True):
        inside = line.clamp(0, side - 1)  # the box holds all but roundings
        low = inside.floor().clamp_(max=max(side - 2, 0))
        parts.append(inside.sub_(low))
        below.append(low.to(place))
    return below, parts


def _strides(box: Sequence[int]) -> list[int]:
    """Give the step in memory along each axis."""
    steps = [1]
    for side in reversed(box[1:]):
        steps.insert(0, steps[0] * side)
    return steps


def _summed(start: Tensor, terms: Sequence[Tensor], factors: Sequence[float]) -> Tensor:
    """Add terms times factors; what varies along few axes is added first, while the sum is small."""
    total = start
    for term, factor in zip(terms, factors, strict=True):
        total = torch.add(total, term, alpha=factor)
    return total


def _mixed(plane: Tensor, base: Tensor, parts: Sequence[Tensor], strides: Sequence[int]) -> Tensor:
    """Mix the neighbours along the first axis; those along the others are mixed before."""
    if not parts:
        return plane.index_select(0, base.reshape(-1)).view(base.shape)
    low = _mixed(plane, base, parts[1:], strides[1:])
    high = _mixed(plane[strides[0] :], base, parts[1:], strides[1:])
    return low.lerp_(high, parts[0].expand_as(low))
