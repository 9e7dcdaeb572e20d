"""Samples to a batch."""

from collections.abc import Sequence
from typing import Any, cast

from torch.utils.data import default_collate

from lit_medseg.batch import Batch
from lit_medseg.data.crops import joined

_STACKED = ("image", "mask", "label")


def collate(samples: Sequence[dict[str, Any]]) -> Batch:
    """Stack images, masks and labels; put crops (`training.augment_on: device`) end to end; list the rest.

    Args:
        samples: All with the same keys, and images of one size.

    Returns:
        The batch with the keys that the samples have; without samples an empty list of case ids alone.
    """
    batch: dict[str, Any] = {"case_id": []}
    for key in samples[0] if samples else ():
        values = [sample[key] for sample in samples]
        if key == "crop":
            batch["crops"] = joined(values)
        else:
            # torch's own stacks straight into the memory that processes share; `torch.stack` costs a copy more.
            batch[key] = default_collate(values) if key in _STACKED else values
    return cast("Batch", batch)
