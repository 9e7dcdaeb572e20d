"""Channels of different grids on one."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.same_grid import grid_difference_mm, grid_tolerance_mm
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.label_sizes import size_trace
from lit_medseg.preprocess.outside_values import outside_values
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.through_affine import codes_through, index_map, sample_linear
from lit_medseg.preprocess.trace import Trace


@dataclass(frozen=True)
class OntoChannel(Step):
    """Every channel, and the mask, is resampled onto the grid of one named channel, through their affines.

    Images linearly (smoothed first where they are finer), masks label by label; what lies outside of a channel's field
    of view gets that channel's least value, and 0 in the mask. The channels stay apart, in the case's order, so that
    later steps can still name them. Predictions return to the mask's own grid; without a mask to the named channel's.

    Attributes:
        channel: Name of the channel whose grid is taken.
    """

    channel: str

    def main_image(self, sample: Sample) -> int:
        """Give the place of the named channel.

        Raises:
            DataError: The case has no channel of this name.
        """
        if self.channel not in sample.channels:
            got = list(sample.channels) or "channels without names"
            todo = "Correct `channel`, or name the channels in the source"
            raise DataError(expected_got("onto_channel", "no such channel", repr(self.channel), got, todo))
        return sample.channels.index(self.channel)

    def apply(self, sample: Sample) -> tuple[Sample, Trace]:
        """Resample what lies elsewhere; volumes on the same grid within the tolerance are not touched.

        Raises:
            DataError: No such channel, or a volume elsewhere whose place in space is unknown.
        """
        reference = sample.images[self.main_image(sample)]
        images = tuple(
            image if _same(image, reference) else _image_onto(image, reference, name)
            for image, name in zip(sample.images, sample.channels, strict=True)
        )
        if sample.mask is None or _same(sample.mask, reference):
            return sample.with_images(images), {}
        matrix = index_map(_affine(sample.mask, "mask"), _affine(reference, self.channel))
        codes = codes_through(sample.mask.array, matrix, reference.grid)
        mask = Volume(codes, reference.spacing_mm, reference.affine)
        places = {"native": _place(sample.mask, "mask"), "reference": _place(reference, self.channel)}
        return replace(sample, images=images, mask=mask), {**places, **size_trace(sample.mask, mask)}

    def invert(self, volume: Volume, trace: Trace) -> Volume:
        """Bring a prediction from the channel's grid to the mask's, linearly or label by label; background outside."""
        if not trace:
            return volume
        native, reference = trace["native"], trace["reference"]
        matrix = index_map(np.array(reference["affine"]), np.array(native["affine"]))
        array, grid = volume.array, tuple(native["grid"])
        if array.dtype.kind in "iu":
            moved = codes_through(array, matrix, grid)
        else:
            moved = sample_linear(array, matrix, grid, outside_values(array))
        return Volume(moved, (1.0,) * len(grid))


def _same(volume: Volume, reference: Volume) -> bool:
    return volume is reference or grid_difference_mm(volume, reference) <= grid_tolerance_mm(reference)


def _image_onto(image: Volume, reference: Volume, name: str) -> Volume:
    matrix = index_map(_affine(image, name), _affine(reference, "reference"))
    low: Any = image.array.reshape(len(image.array), -1).min(axis=1)
    return Volume(sample_linear(image.array, matrix, reference.grid, low), reference.spacing_mm, reference.affine)


def _affine(volume: Volume, name: str) -> Any:
    """Give an affine that is known.

    Raises:
        DataError: It is not, or the volume is a picture.
    """
    if volume.affine is None or len(volume.grid) != 3:
        todo = "Use files that hold their place in space, or save all channels on one grid"
        got = "a picture" if volume.affine is None else f"{len(volume.grid)} dimensions"
        raise DataError(expected_got(f"onto_channel: {name}", "lies elsewhere", "a volume with an affine", got, todo))
    return volume.affine


def _place(volume: Volume, name: str) -> dict[str, Any]:
    return {"grid": list(volume.grid), "affine": [[float(x) for x in row] for row in _affine(volume, name)]}
