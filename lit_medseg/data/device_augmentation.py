"""Augmentation of whole batches on the device."""

from typing import Any, cast

import torch

from lit_medseg.batch import Batch
from lit_medseg.data.crops import Crops
from lit_medseg.data.one_thread import one_thread


def augmented_on_device(batch: Batch, device: torch.device, overlapping: bool) -> Batch:
    """Turn the crops of a batch (`training.augment_on: device`) into patches.

    Args:
        batch: With `crops`; one without is given back as it is (evaluation, augmentation on the workers).
        device: Where the network is.
        overlapping: Whether masks are planes.

    Returns:
        The batch with `image` and `mask` on the device, and without `crops`.
    """
    parts = cast("dict[str, Any]", batch)
    if "crops" not in parts:
        return batch
    crops: Crops = parts["crops"]
    with torch.no_grad(), one_thread():
        image, mask = crops.to(device).patches()
    changed: dict[str, Any] = {key: value for key, value in parts.items() if key != "crops"}
    changed["image"] = image
    if mask is not None:
        changed["mask"] = mask if overlapping else mask[:, 0]
    return cast("Batch", changed)
