"""Training samples: cut, augmented, normalised."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lit_medseg.data.augmentation import Augmentation
from lit_medseg.data.case_tensors import label_tensor, mask_tensor
from lit_medseg.data.normalization import normalized
from lit_medseg.data.random_patch import random_patch
from lit_medseg.data.rank_batches import SampleKey
from lit_medseg.preprocess.cache import CaseCache
from lit_medseg.preprocess.pipeline import Pipeline

_SAMPLE = 3
"""Keeps the random stream of samples apart from those of the epoch's order."""


@dataclass(frozen=True)
class TrainingDataset(Dataset[dict[str, Any]]):
    """What a key of `RankBatches` stands for; the same bytes in any process.

    Attributes:
        cache: The processed cases.
        rows: Rows of the training cases in the cache.
        labels: One per training case, code or bits; None for segmentation.
        overlapping: Whether masks are planes.
        patch_size: Size of a random patch; None for the whole image.
        foreground: Share of patches around foreground.
        augmentation: May be empty.
        normalize: The last step.
        seed: Of patches and augmentation.
    """

    cache: CaseCache
    rows: Sequence[int]
    labels: Sequence[int | tuple[int, ...]] | None
    overlapping: bool
    patch_size: Sequence[int] | None
    foreground: float
    augmentation: Augmentation
    normalize: Pipeline
    seed: int

    def __len__(self) -> int:
        """Count the training cases."""
        return len(self.rows)

    def __getitem__(self, key: SampleKey) -> dict[str, Any]:
        """Make the sample of a key: `image`, `case_id`, and `mask` or `label`."""
        row = self.rows[key.case]
        image, mask = self.cache.image(row), self.cache.mask(row)
        rng = np.random.default_rng((self.seed, key.epoch, _SAMPLE, key.position))
        if self.patch_size is not None:
            image, mask = random_patch(image, mask, self.patch_size, self.foreground, rng)
        image, mask = self.augmentation(image, mask, rng)
        sample: dict[str, Any] = {"case_id": self.cache.case_ids[row], "image": _tensor(image, self.normalize)}
        if mask is not None:
            sample["mask"] = mask_tensor(mask, self.overlapping)
        if self.labels is not None:
            sample["label"] = label_tensor(self.labels[key.case])
        return sample


def _tensor(image: np.ndarray[Any, Any], normalize: Pipeline) -> Tensor:
    """Normalise and share memory with torch."""
    return torch.from_numpy(normalized(image, normalize))
