"""Settings of training that do not fit the data or the task."""

import numpy as np

from lit_medseg.data.augmentation import Augmentation
from lit_medseg.data.normalization import normalized
from lit_medseg.data.training import Training
from lit_medseg.data.training_dataset import TrainingDataset
from lit_medseg.errors import ConfigError, expected_got

_TRIED = 32
"""Side of the part of an image that the last step is tried on."""


def check_training(dataset: TrainingDataset, training: Training) -> None:
    """Refuse them before the first step.

    Raises:
        ConfigError: Images of several sizes without a patch, a patch of other dimensions, albumentations for volumes, a
            last step that looks at the whole image where it sees patches, a setting of the other task.
    """
    grids = sorted({dataset.cache.grid(row) for row in dataset.rows})
    _check_patch(training, grids)
    if training.patch_size is not None and grids != [tuple(training.patch_size)]:
        _check_normalize(dataset)
    specs = dataset.augmentation.specs if isinstance(dataset.augmentation, Augmentation) else []
    if len(grids[0]) == 3 and specs:
        todo = "Name lit_medseg.augment.batch_augmentation.BatchAugmentation"
        got = f"albumentations for {grids[0]}"
        raise ConfigError(f"data.training.augmentation: for pictures, expected ours for volumes, got {got}. {todo}.")
    if training.augment_on == "device" and isinstance(dataset.augmentation, Augmentation):
        todo = "Name lit_medseg.augment.batch_augmentation.BatchAugmentation, or leave augment_on out"
        text = "data.training.augment_on: only ours runs on the device, expected workers, got device"
        raise ConfigError(f"{text}. {todo}.")
    if training.balanced and dataset.labels is None:
        todo = "Use class weights or data.training.foreground"
        raise ConfigError(f"data.training.balanced: for classification, expected labels, got masks. {todo}.")
    if training.foreground > 0 and (dataset.labels is not None or training.patch_size is None):
        todo = "Give masks and a patch_size, or leave it at 0"
        raise ConfigError(f"data.training.foreground: needs masks and a patch, expected both, got not both. {todo}.")


def _check_patch(training: Training, grids: list[tuple[int, ...]]) -> None:
    """Refuse a patch size that cannot be cut, and none where one is needed."""
    if training.patch_size is None and len(grids) > 1:
        got = f"{len(grids)}: {grids[:3]} ..."
        todo = "Set it, or add preprocess.resize.Resize to data.preparation.steps"
        raise ConfigError(
            f"data.training.patch_size: training images differ in size, expected one size, got {got}. {todo}."
        )
    if training.patch_size is not None and len(training.patch_size) != len(grids[0]):
        expected = f"{len(grids[0])} numbers"
        raise ConfigError(
            f"data.training.patch_size: unusable, expected {expected}, got {training.patch_size}. Correct it."
        )


def _check_normalize(dataset: TrainingDataset) -> None:
    """Refuse a last step that gives a voxel another value in a patch than in the whole image that is evaluated.

    It is tried on the middle of the first image, and on a part of that.
    """
    row = dataset.rows[0]
    sides = [(side, min(side, _TRIED)) for side in dataset.cache.grid(row)]
    start = [(side - tried) // 2 for side, tried in sides]
    stop = [first + tried for first, (_, tried) in zip(start, sides, strict=True)]
    image = dataset.cache.image_patch(row, start, stop)
    half = (slice(None), *(slice((tried + 1) // 2) for _, tried in sides))
    whole, part = normalized(image, dataset.normalize)[half], normalized(image[half], dataset.normalize)
    if not np.allclose(whole, part, rtol=1e-3, atol=1e-3):
        todo = "Move it to data.preparation.steps, or leave data.training.patch_size out"
        got = " and ".join(type(step).__name__ for step in dataset.normalize.steps)
        what = "it looks at the whole image, and patches are parts of it"
        expected = "a step that takes each voxel alone"
        raise ConfigError(expected_got("data.preparation.normalize", what, expected, got, todo))
