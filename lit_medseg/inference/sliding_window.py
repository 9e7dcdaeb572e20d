"""Whole images of any size through a network, window by window."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.inference.decide_logits import code_dtype, decide_logits
from lit_medseg.inference.padded_image import Box, PaddedImage, pad_image
from lit_medseg.inference.rolling_sum import RollingSum
from lit_medseg.inference.stitch import Seen, stitch
from lit_medseg.inference.sum_plan import CHUNK_BYTES, SumPlan
from lit_medseg.inference.window_batches import Network, WindowBatches, network_device
from lit_medseg.inference.window_grid import window_grid
from lit_medseg.target import MultiClass, MultiLabel, Target

_VOXELS = 2**18
"""Labels are decided for so many voxels at once: few enough for a CPU's cache, many enough for a GPU."""
Observe = Callable[[Tensor, int, Box], None]
"""Called with each window's logits `(1, K, *box)`, the number of its case in the batch, and its box in the image."""
Progress = Callable[[int, int], None]
"""Called after each window with how many are done, and how many there are in all."""


@dataclass(frozen=True)
class Slab:
    """A part of one image that no later window changes.

    Attributes:
        case: Number in the batch.
        box: Where it lies in the image.
        values: `(K, *box)`, a positive multiple of the logits, of any type: enough to decide.
        sums: Where the values come from.
    """

    case: int
    box: Box
    values: Tensor
    sums: RollingSum

    @property
    def logits(self) -> Tensor:
        """`(K, *box)` float32, the weighted average of the windows; valid until the next slab is asked for."""
        return self.sums.logits(self.values)


@dataclass(frozen=True)
class SlidingWindow:
    """Averages the logits of overlapping windows with Gaussian weights, and gives away what is finished.

    Windows lie and count as in `monai.inferers.sliding_window_inference(mode="gaussian")`, and what is averaged is what
    the network gives, logits, as there and in nnU-Net: the labels are the same but for ties. Only one layer of windows
    is in memory, with every class; behind it, labels or probabilities leave slab by slab. Called like MONAI's inferers
    it returns the logits of the whole image, for which there must be memory then.

    Nothing here is differentiated.

    Attributes:
        patch_size: Sides of a window; usually those of the training patches.
        overlap: Share of a window's side that the next one covers again, in [0, 1).
        mirror_axes: Average over the mirror images along these spatial axes, 0 the first, and their combinations
            (test-time augmentation, `2 ** n` passes). Only where a mirrored image is a possible image.
        window_batch: Windows at once; None for 4 on a GPU and 1 on a CPU. Halved when they run out of memory.
        memory_limit_gib: Most memory for sums and logits (not for the network's own features, which no one knows
            before); None for half of what the device has free.
        half: True for sums in 16 bits, a rounding of less than 1/64 of a logit (see `FixedPointSum`), False for
            float32; None for 16 bits where float32 exceeds the limit: results then follow from what memory is free.
        padding: How images smaller than a window are filled up: "constant" with zeros, as training patches of volumes
            and MONAI's windows are; "reflect" with their mirror image, as patches of pictures are (tiny ones repeat
            their border).
        sum_device: Where the sums are kept and the results are given; None for the network's device, or the CPU where
            that one's limit is exceeded, and results where the images are.
    """

    patch_size: tuple[int, ...]
    overlap: float = 0.5
    mirror_axes: tuple[int, ...] = ()
    window_batch: int | None = None
    memory_limit_gib: float | None = None
    half: bool | None = False
    padding: Literal["constant", "reflect"] = "constant"
    sum_device: str | None = None

    def __post_init__(self) -> None:
        """Refuse settings that cannot be used."""
        axes = range(len(self.patch_size))
        checks = (
            ("patch_size", bool(axes) and min(self.patch_size) > 0, "sides >= 1", self.patch_size),
            ("overlap", 0 <= self.overlap < 1, "0 <= x < 1", self.overlap),
            ("mirror_axes", set(self.mirror_axes) <= set(axes), f"some of {list(axes)}", self.mirror_axes),
            ("window_batch", self.window_batch is None or self.window_batch > 0, ">= 1", self.window_batch),
            ("memory_limit_gib", (self.memory_limit_gib or 1) > 0, "> 0", self.memory_limit_gib),
        )
        for name, usable, expected, got in checks:
            if not usable:
                raise ConfigError(expected_got(f"sliding window: {name}", "unusable", expected, got, "Correct it"))

    def __call__(self, inputs: Tensor, network: Network) -> Tensor:
        """Compute the logits of whole images.

        Args:
            inputs: `(B, C, *S)`, on any device.
            network: From `(B, C, *patch)` to `(B, K, *patch)`, or to a list of levels with the finest first.

        Returns:
            Logits `(B, K, *S)` float32.
        """
        result = torch.empty(0)
        for slab in self.slabs(inputs, network):
            if not result.numel():
                shape = (len(inputs), len(slab.logits), *inputs.shape[2:])
                result = torch.empty(shape, device=self._results_on(inputs))
            result[slab.case][(slice(None), *slab.box)] = slab.logits.to(result.device)
        return result

    def labels(
        self,
        inputs: Tensor,
        network: Network,
        target: Target,
        observe: Observe | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Decide the classes of whole images without ever holding their logits.

        Args:
            inputs: `(B, C, *S)`, on any device.
            network: See `__call__`.
            target: The coding.
            observe: Gets the logits of each window, for a loss.
            progress: Told after each window.

        Returns:
            Codes as `target.decide` gives them, `(B, *S)` or overlapping `(B, K, *S)`, in the smallest integers
            that hold them: uint8, int16 from 257 classes on.
        """
        planes = (target.channels,) if isinstance(target, MultiLabel) else ()
        shape = (len(inputs), *planes, *inputs.shape[2:])
        codes = torch.empty(shape, dtype=code_dtype(target), device=self._results_on(inputs))
        for slab in self._slabs(inputs, network, target, _Hooks(observe, progress), _VOXELS):
            place = (*(slice(None) for _ in planes), *slab.box)
            codes[slab.case][place] = decide_logits(slab.values[None], target)[0].to(codes.device)
        return codes

    def probabilities(
        self,
        inputs: Tensor,
        network: Network,
        target: Target,
        out: Tensor | None = None,
        observe: Observe | None = None,
        progress: Progress | None = None,
    ) -> Tensor:
        """Compute the probabilities of whole images.

        Args:
            inputs: `(B, C, *S)`, on any device.
            network: See `__call__`.
            target: The coding.
            out: `(B, channels, *S)` of any float type and on any device to write to, such as a float16 tensor over a
                memory-mapped file; None for a new float32 one.
            observe: Gets the logits of each window, for a loss.
            progress: Told after each window.

        Returns:
            `out`, each number in [0, 1].
        """
        if out is None:
            out = torch.empty((len(inputs), target.channels, *inputs.shape[2:]), device=self._results_on(inputs))
        for slab in self.slabs(inputs, network, target, observe, progress):
            out[slab.case][(slice(None), *slab.box)] = target.probabilities(slab.logits[None])[0].to(out)
        return out

    def slabs(
        self,
        inputs: Tensor,
        network: Network,
        target: Target | None = None,
        observe: Observe | None = None,
        progress: Progress | None = None,
    ) -> Iterator[Slab]:
        """Compute the logits of whole images part by part; the parts do not overlap and cover each image.

        Args:
            inputs: `(B, C, *S)`, on any device.
            network: See `__call__`.
            target: The coding; known, 16 bits are better used for exclusive classes, whose logits then have a common
                offset at each voxel.
            observe: Gets the logits of each window.
            progress: Told after each window.

        Yields:
            Finished parts, case by case.

        Raises:
            ConfigError: The images have another number of axes than `patch_size`; the logits do not have the window's
                grid; the memory limit is too small.
            DataError: In 16 bits: the network's logits are not finite.
        """
        return self._slabs(inputs, network, target, _Hooks(observe, progress))

    @torch.no_grad()
    def _slabs(
        self,
        inputs: Tensor,
        network: Network,
        target: Target | None,
        hooks: "_Hooks",
        voxels: int | None = None,
    ) -> Iterator[Slab]:
        """Give slabs of about so many voxels; None for as many as have `CHUNK_BYTES` of logits."""
        if inputs.ndim != len(self.patch_size) + 2:
            todo = "Give patch_size one side an axis of the images"
            raise ConfigError(expected_got("sliding window", "other axes", len(self.patch_size), inputs.ndim - 2, todo))
        device = network_device(network, inputs.device)
        windows = WindowBatches(network, self.patch_size, self.mirror_axes, device, self.window_batch)
        plan = SumPlan(self._sum_devices(device), self.half, self.memory_limit_gib, isinstance(target, MultiClass))
        for case, image in enumerate(inputs):
            padded = pad_image(image, self.patch_size, self.padding)
            grid = window_grid(padded.array.shape[1:], self.patch_size, self.overlap)
            seen = hooks.of(padded, case, len(inputs), len(grid))
            for start, stop, sums in stitch(padded.array, grid, windows, plan, seen):
                for begin, values in sums.take(start, stop, voxels or CHUNK_BYTES // (4 * len(sums.values))):
                    box, inside = padded.inside(grid.slab(begin, values.shape[grid.axis + 1]), values)
                    if inside.numel():
                        yield Slab(case, box, inside, sums)

    def _results_on(self, inputs: Tensor) -> torch.device:
        return inputs.device if self.sum_device is None else torch.device(self.sum_device)

    def _sum_devices(self, network: torch.device) -> tuple[torch.device, ...]:
        if self.sum_device is not None:
            return (torch.device(self.sum_device),)
        cpu = torch.device("cpu")
        return (cpu,) if network.type == "cpu" else (network, cpu)


@dataclass(frozen=True)
class _Hooks:
    """What the caller wants to be told."""

    observe: Observe | None
    progress: Progress | None

    def of(self, padded: PaddedImage, case: int, cases: int, windows: int) -> Seen:
        """Give what is called for each window of one case."""
        done = itertools.count(case * windows + 1)

        def seen(box: Box, logits: Tensor) -> None:
            if self.observe is not None:
                own, inside = padded.inside(box, logits)
                self.observe(inside[None], case, own)
            if self.progress is not None:
                self.progress(next(done), cases * windows)

        return seen
