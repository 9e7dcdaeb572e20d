"""Training samples: cut, augmented, normalised."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.augment.mirror import Mirror
from lit_medseg.augment.rotation import Rotation
from lit_medseg.augment.scaling import Scaling
from lit_medseg.data.augmentation import Augmentation
from lit_medseg.data.case_tensors import label_tensor, mask_tensor
from lit_medseg.data.crops import Crop
from lit_medseg.data.normalization import normalized
from lit_medseg.data.one_thread import one_thread
from lit_medseg.data.padded_box import padded_box
from lit_medseg.data.placement import Placement, corner_around
from lit_medseg.data.random_patch import random_patch
from lit_medseg.data.rank_batches import SampleKey
from lit_medseg.errors import DataError, expected_got
from lit_medseg.preprocess.cache import CaseCache
from lit_medseg.preprocess.pipeline import Pipeline

_SAMPLE = 3
"""Keeps the random stream of samples apart from those of the epoch's order."""

NOTHING = BatchAugmentation(Rotation(0.0), Scaling(0.0), mirror=Mirror(0.0), intensity=[])
"""Patches as they are."""


@dataclass(frozen=True)
class TrainingDataset(Dataset[dict[str, Any]]):
    """What a key of `RankBatches` stands for; the same bytes in any process.

    Pictures that albumentations change are cut, augmented and normalised. Everything else is planned first, so that
    only the voxels that the patch is made of are read; they are normalised, and then augmented.

    Attributes:
        cache: The processed cases.
        rows: Rows of the training cases in the cache.
        labels: One per training case, code or bits; None for segmentation.
        overlapping: Whether masks are planes.
        patch_size: Size of a random patch; None for the whole image.
        placement: Where patches are put.
        augmentation: albumentations (pictures; may be empty), or ours.
        normalize: The last step.
        seed: Of patches and augmentation.
        spacings: Millimetres along the axes, one per training case; None where unknown (1 along all).
        on_device: Whether ours is left to the device: samples have `crop` instead of `image` and `mask`.
    """

    cache: CaseCache
    rows: Sequence[int]
    labels: Sequence[int | tuple[int, ...]] | None
    overlapping: bool
    patch_size: Sequence[int] | None
    placement: Placement
    augmentation: Augmentation | BatchAugmentation
    normalize: Pipeline
    seed: int
    spacings: Sequence[tuple[float, ...]] | None = None
    on_device: bool = False

    def __len__(self) -> int:
        """Count the training cases."""
        return len(self.rows)

    def __getitem__(self, key: SampleKey) -> dict[str, Any]:
        """Make the sample of a key: `case_id`, `image` and `mask` (or `crop`), or `label`."""
        row = self.rows[key.case]
        rng = np.random.default_rng((self.seed, key.epoch, _SAMPLE, key.position))
        sample: dict[str, Any] = {"case_id": self.cache.case_ids[row]}
        if isinstance(self.augmentation, Augmentation) and len(self.cache.grid(row)) == 2:
            sample.update(self._picture(self.augmentation, row, key, rng))
        elif self.on_device:
            sample["crop"] = self._crop(key, rng)
        else:
            sample.update(self._patch(key, rng))
        if self.labels is not None:
            sample["label"] = label_tensor(self.labels[key.case])
        return sample

    def _picture(
        self, augmentation: Augmentation, row: int, key: SampleKey, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """Cut, augment with albumentations, normalise."""
        image, mask = self.cache.image(row), self.cache.mask(row)
        if self.patch_size is not None:
            share, balanced = self.placement.share(key.position), self.placement.classes == "balanced"
            image, mask = random_patch(image, mask, self.patch_size, share, rng, balanced)
        image, mask = augmentation(image, mask, rng)
        found = {"image": torch.from_numpy(normalized(image, self.normalize))}
        return found if mask is None else {**found, "mask": mask_tensor(mask, self.overlapping)}

    def _patch(self, key: SampleKey, rng: np.random.Generator) -> dict[str, Tensor]:
        """Cut, normalise, augment."""
        with one_thread():
            image, mask = self._crop(key, rng).patch()
        if mask is None:
            return {"image": image}
        return {"image": image, "mask": mask if self.overlapping else mask[0]}

    def _crop(self, key: SampleKey, rng: np.random.Generator) -> Crop:
        """Draw a patch and everything that happens to it, and read what it is made of."""
        row = self.rows[key.case]
        grid = self.cache.grid(row)
        size = grid if self.patch_size is None else tuple(self.patch_size)
        centre = None
        if size != grid and rng.random() < self.placement.share(key.position):
            centre = self.placement.centre(self.cache.locations(row), rng)
        corner = corner_around(centre, grid, size, rng)
        ours = self.augmentation if isinstance(self.augmentation, BatchAugmentation) else NOTHING
        spacing_mm = (1.0,) * len(grid) if self.spacings is None else self.spacings[key.case]
        plan = ours.plan(rng, size, self.cache.channels(row), spacing_mm)
        start, stop = plan.geometry.box(corner)
        image = torch.from_numpy(padded_box(partial(self._image_part, row), grid, start, stop))
        mask = None
        if self.labels is None:
            mask = torch.from_numpy(padded_box(partial(self._mask_part, row), grid, start, stop))
        return Crop(image, mask, plan.geometry.offset(corner), plan)

    def _image_part(self, row: int, start: Sequence[int], stop: Sequence[int]) -> NDArray[np.float32]:
        """Read and normalise a part of an image."""
        return normalized(self.cache.image_patch(row, start, stop), self.normalize)

    def _mask_part(self, row: int, start: Sequence[int], stop: Sequence[int]) -> NDArray[np.uint8]:
        """Read a part of a mask into memory of its own.

        Raises:
            DataError: The case has none.
        """
        part = self.cache.mask_patch(row, start, stop)
        if part is None:
            where, todo = f"case {self.cache.case_ids[row]}", "Take the case out of the training set"
            raise DataError(expected_got(where, "nothing to learn from", "a mask", "none", todo))
        return np.array(part)
