"""albumentations, with every draw a function of the sample's own generator."""

import difflib
import inspect
import os
import random
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import ConfigError

Array = NDArray[Any]
Spec = dict[str, Any]
"""A transform as data: `class_path`, and `init_args`, where `transforms` may hold further specs (OneOf, SomeOf)."""


class Augmentation:
    """Transforms in a row, each drawing from one generator that is set anew for every sample.

    `Compose.set_random_seed` of albumentations 2.0.8 gives each transform a generator of its own with the same seed:
    a horizontal and a vertical flip of p = 0.5 then always come together. `set_random_state` shares one generator.

    The transforms are made when the first sample comes, in the process that needs them.

    Args:
        specs: The transforms; empty for none.
    """

    def __init__(self, specs: Sequence[Spec]) -> None:
        self.specs = list(specs)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the transforms behind when a process is spawned."""
        return {"specs": self.specs}

    def __call__(self, image: Array, mask: Array | None, rng: np.random.Generator) -> tuple[Array, Array | None]:
        """Transform one sample.

        Args:
            image: `(C, H, W)` uint8, or float32 within [0, 1].
            mask: `(K, H, W)` uint8 or None; resampled by nearest neighbour.
            rng: Draws everything.

        Returns:
            Image and mask, the channels first again.

        Raises:
            ConfigError: A transform that cannot be made, or images of three dimensions.
        """
        if not self.specs:
            return image, mask
        if image.ndim != 3:
            todo = "Set data.training.augmentation: []"
            raise ConfigError(
                f"data.training.augmentation: for pictures, expected (C, H, W), got {image.shape}. {todo}."
            )
        self.compose.set_random_state(rng, random.Random(int(rng.integers(2**63))))
        if mask is None:
            return _channels_first(self.compose(image=_channels_last(image))["image"]), None
        changed = self.compose(image=_channels_last(image), mask=_channels_last(mask))
        return _channels_first(changed["image"]), _channels_first(changed["mask"])

    @cached_property
    def compose(self) -> Any:
        """The transforms, made once in this process.

        Raises:
            ConfigError: A class that cannot be found, or arguments that it does not take.
        """
        # At import, albumentations asks a package index for a newer version unless told not to.
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
        compose = import_module("albumentations").Compose
        return compose([_transform(spec) for spec in self.specs], mask_interpolation=cv2.INTER_NEAREST)


def _transform(spec: Any) -> Any:
    """Make one transform, and those inside it; jsonargparse has made the inner ones already."""
    if hasattr(spec, "set_random_state"):
        return spec
    path, arguments = _checked(spec)
    module, _, name = path.rpartition(".")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        todo = "Correct class_path"
        text = f"{path}: no such transform, expected a class of albumentations, got {error}. {todo}."
        raise ConfigError(text) from error
    known = list(inspect.signature(kind).parameters)
    for key in arguments:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1) or known
            raise ConfigError(f"{path}: wrong key, expected one of {near}, got {key!r}. Correct init_args.")
    if "transforms" in arguments:
        arguments = {**arguments, "transforms": [_transform(inner) for inner in arguments["transforms"]]}
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        got = "; ".join(line.strip() for line in str(error).splitlines()[:4])
        raise ConfigError(f"{path}: unusable values, expected those it takes, got {got}. Correct init_args.") from error


def _checked(spec: Any) -> tuple[str, dict[str, Any]]:
    """Take a spec apart.

    Raises:
        ConfigError: It is not made of `class_path` and `init_args`.
    """
    if not isinstance(spec, dict) or "class_path" not in spec or set(spec) - {"class_path", "init_args"}:
        expected = "class_path and init_args"
        raise ConfigError(
            f"data.training.augmentation: not a transform, expected {expected}, got {spec!r}. Correct it."
        )
    return str(spec["class_path"]), dict(spec.get("init_args") or {})


def _channels_last(array: Array) -> Array:
    """Give `(H, W, C)`, contiguous; cv2 merges several times faster than NumPy copies a transposed array."""
    if len(array) == 1:
        return np.array(array[0][..., None])
    if len(array) > 4:
        return np.ascontiguousarray(array.transpose(1, 2, 0))
    merged: Array = cv2.merge(list(array))
    return merged


def _channels_first(array: Array) -> Array:
    """Give `(C, H, W)`; a transform may have dropped the axis of a single channel.

    Colours are taken apart here: what comes after would go through memory in steps, at half the speed.
    """
    if array.ndim == 3 and 1 < array.shape[-1] <= 4:
        return np.stack(cv2.split(array))
    planes: Array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    return planes
