"""The numbers by which a network meets the data: channels in and out, and the size of its patches."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.networks.full_resolution import full_resolution

INPUT_NAMES = ("in_channels", "in_chans", "input_channels", "n_input_channels")
"""What libraries call the number of image channels: ours, smp and MONAI; timm; dynamic-network-architectures; MONAI's
ResNet."""
OUTPUT_NAMES = ("classes", "num_classes", "out_channels", "n_classes")
"""What libraries call the number of logit channels: smp; timm, torchvision and dynamic-network-architectures; MONAI."""


def fill_ports(
    factory: Callable[..., nn.Module],
    given: dict[str, Any],
    channels_in: int,
    channels_out: int,
    patch_size: Sequence[int] | None = None,
    spacing_mm: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Give a network the numbers of the data where the user gave none.

    An encoder's pretrained weights, which smp downloads unless told otherwise, become an explicit choice in the same
    way: not given means from scratch.

    Args:
        factory: The class or function that builds the network.
        given: The arguments that the user wrote; they are never changed.
        channels_in: Channels of a preprocessed image.
        channels_out: Channels of the logits that the target needs.
        patch_size: Sides of what the network sees in training; None where they differ from image to image.
        spacing_mm: Of the preprocessed images, in the order of the sides; None where it is unknown.

    Returns:
        The arguments to add; empty for a factory without any of the known names.
    """
    known = inspect.signature(factory).parameters
    filled: dict[str, Any] = {}
    for names, value in ((INPUT_NAMES, channels_in), (OUTPUT_NAMES, channels_out), (("encoder_weights",), None)):
        if any(name in given for name in names):
            continue
        filled |= {name: value for name in names if name in known}
    sizes: dict[str, Any] = {}
    if patch_size is not None:
        sizes |= {"spatial_dims": len(patch_size), "img_size": tuple(patch_size)}
        # transformers call their tokens patches: those have a default, or stand beside img_size
        if "img_size" not in known and "patch_size" in known and known["patch_size"].default is inspect.Parameter.empty:
            sizes["patch_size"] = tuple(patch_size)
    if spacing_mm is not None:
        sizes["spacing_mm"] = tuple(spacing_mm)
    return filled | {name: value for name, value in sizes.items() if name in known and name not in given}


def check_ports(network: nn.Module, image_shape: tuple[int, ...], channels_out: int, dense: bool) -> None:
    """Run one blank image through the network and compare the logits' shape with what the target needs.

    Of the levels of deep supervision the finest counts.

    Args:
        network: The network, on the CPU; its mode and its weights are left as they were.
        image_shape: `(C, *S)` of a training image.
        channels_out: Channels of the logits that the target needs.
        dense: True where the logits have the image's grid (segmentation), False for one vector an image.

    Raises:
        ConfigError: The network refuses the image, or its logits have another shape.
    """
    expected = (1, channels_out, *image_shape[1:]) if dense else (1, channels_out)
    mode = network.training
    network.eval()  # batch statistics of one image would be refused by some norms, and must not enter the running ones
    try:
        with torch.no_grad():
            got: Any = full_resolution(network(torch.zeros(1, *image_shape)), len(image_shape) + 1)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        text = str(error).splitlines()[0]
        raise ConfigError(
            f"network: {type(network).__name__} cannot take the data's images, expected shape {image_shape}, "
            f"got: {text}. Leave in_channels out to take it from the data, or choose a patch_size that the network "
            "can halve often enough."
        ) from error
    finally:
        network.train(mode)
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != expected:
        shape = tuple(got.shape) if isinstance(got, torch.Tensor) else type(got).__name__
        todo = "Leave the class and channel numbers out of the YAML to take them from the data"
        raise ConfigError(expected_got("network", "its logits do not fit the data", expected, shape, todo))
