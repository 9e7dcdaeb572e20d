"""Exact pixel counts behind every segmentation score."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lit_medseg.errors import DataError, expected_got

_BLOCK = 2**22
"""Voxels compared at once: the temporaries stay at some 100 MB however large the volume is."""


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
    _check_grid(prediction, reference)
    flat_prediction = prediction.bool().flatten(1)
    flat_reference = reference.bool().flatten(1)
    hits = (flat_prediction & flat_reference).sum(1)
    false_positives = flat_prediction.sum(1) - hits
    false_negatives = flat_reference.sum(1) - hits
    rest = flat_reference.shape[1] - hits - false_positives - false_negatives
    counts: NDArray[np.int64] = torch.stack([hits, false_positives, false_negatives, rest], dim=1).cpu().numpy()
    return counts


def code_counts(prediction: Tensor, reference: Tensor, classes: int) -> NDArray[np.int64]:
    """Count as `confusion_counts` for exclusive codes, without a plane for each class.

    Args:
        prediction: `(*S)` integer codes, on any device; what is no code of a class belongs to none.
        reference: Codes of the same shape, on the same device.
        classes: Number of codes K, from 0.

    Returns:
        `(K, 4)`: true positives, false positives, false negatives, true negatives.

    Raises:
        DataError: The shapes differ.
    """
    _check_grid(prediction, reference)
    pairs = np.zeros((classes + 1) ** 2, dtype=np.int64)
    truth, found = reference.flatten().cpu().numpy(), prediction.flatten().cpu().numpy()
    for start in range(0, len(truth), _BLOCK):
        block = truth[start : start + _BLOCK], found[start : start + _BLOCK]
        # most of a scan is code 0 in both, and need not be paired
        there = np.flatnonzero((block[0] | block[1]) != 0)
        known = [_known(codes[there], classes) for codes in block]
        pairs += np.bincount(known[0] * (classes + 1) + known[1], minlength=len(pairs))
        pairs[0] += len(block[0]) - len(there)
    table = pairs.reshape(classes + 1, classes + 1)
    hits = table.diagonal()
    false_positives, false_negatives = table.sum(0) - hits, table.sum(1) - hits
    rest = table.sum() - hits - false_positives - false_negatives
    return np.stack([hits, false_positives, false_negatives, rest], axis=1)[:classes]


def _known(codes: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Turn what is no code of a class into the code after the last."""
    codes = codes.astype(np.int64)
    return np.where((codes >= 0) & (codes < classes), codes, classes)


def _check_grid(prediction: Tensor, reference: Tensor) -> None:
    if prediction.shape != reference.shape:
        todo = "Score a prediction on the grid of its reference"
        got = tuple(prediction.shape)
        raise DataError(
            expected_got("counts", "prediction not on the reference's grid", tuple(reference.shape), got, todo)
        )
