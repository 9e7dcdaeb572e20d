"""Exact pixel counts behind every segmentation score."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lit_medseg.errors import DataError, expected_got


def confusion_counts(prediction: Tensor, reference: Tensor) -> NDArray[np.int64]:
    """Count agreeing and disagreeing pixels of each plane, in integers: no sum order can change the result.

    Args:
        prediction: `(K, *S)` bool planes, on any device.
        reference: `(K, *S)` bool planes, on the same device.

    Returns:
        `(K, 4)`: true positives, false positives, false negatives, true negatives.

    Raises:
        DataError: The shapes differ.
    """
    if prediction.shape != reference.shape:
        todo = "Score a prediction on the grid of its reference"
        got = tuple(prediction.shape)
        raise DataError(
            expected_got("counts", "prediction not on the reference's grid", tuple(reference.shape), got, todo)
        )
    flat_prediction = prediction.bool().flatten(1)
    flat_reference = reference.bool().flatten(1)
    hits = (flat_prediction & flat_reference).sum(1)
    false_positives = flat_prediction.sum(1) - hits
    false_negatives = flat_reference.sum(1) - hits
    rest = flat_reference.shape[1] - hits - false_positives - false_negatives
    counts: NDArray[np.int64] = torch.stack([hits, false_positives, false_negatives, rest], dim=1).cpu().numpy()
    return counts
