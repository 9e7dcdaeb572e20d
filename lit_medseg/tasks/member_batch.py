"""One member's part of an ensemble's batch."""

from typing import cast

import torch

from lit_medseg.batch import Batch

_SEEN = ("image", "mask")


def member_batch(batch: Batch, member: int, device: torch.device) -> Batch:
    """Give the cases as a member's own preprocessing has them.

    Args:
        batch: Of an ensemble: its `ways` stay where they are, so that the device holds one member's images at a time.
        member: Its number.
        device: Where the member is; image and mask are moved there.
    """
    way = batch["ways"][batch["way_of"][member]]
    moved = {key: value.to(device) for key, value in way.items() if key in _SEEN and isinstance(value, torch.Tensor)}
    labels = {"label": batch["label"]} if "label" in batch else {}
    return cast("Batch", {**way, **moved, **labels, "case_id": batch["case_id"]})
