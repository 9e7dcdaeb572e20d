"""What happens to training samples only."""

from dataclasses import dataclass
from typing import Any, Literal

from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.errors import ConfigError


@dataclass(frozen=True)
class Training:
    """How training samples are drawn and changed; evaluation sees whole images without any of it.

    Attributes:
        augmentation: albumentations transforms as `class_path` and `init_args` (pictures); or
            `lit_medseg.augment.batch_augmentation.BatchAugmentation` (volumes and pictures); None for the modality's
            default, an empty list for none.
        augment_on: Where a `BatchAugmentation` is carried out: on the `workers`, or on the `device` of the network, in
            which case the workers only read. The result is the same to rounding.
        patch_size: Size of a random patch along every axis; None for the whole image (all of one size then). Where a
            volume is smaller, it is continued with 0 after normalisation, and with background (pictures that
            albumentations change: mirrored).
        foreground: Share of patches that are put around a foreground voxel, 0 to 1; segmentation only.
        foreground_classes: `any`: around any foreground voxel; `balanced`: a class of the case is drawn first.
        foreground_which: `random`: each patch by itself; `last`: the last share of every batch, as nnU-Net (0.33).
        balanced: Whether to draw cases with replacement so that classes come equally often; classification only.
        repeats: How often the training cases are gone through in an epoch (small data sets: fewer validations).
        seed: Of the epochs' order, patches and augmentation.
    """

    augmentation: list[dict[str, Any]] | BatchAugmentation | None = None
    patch_size: list[int] | None = None
    foreground: float = 0.0
    balanced: bool = False
    repeats: int = 1
    seed: int = 0
    foreground_classes: Literal["any", "balanced"] = "any"
    foreground_which: Literal["random", "last"] = "random"
    augment_on: Literal["workers", "device"] = "workers"

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            ConfigError: A size, share or count is out of range.
        """
        if self.patch_size is not None and (len(self.patch_size) not in (2, 3) or min(self.patch_size) < 1):
            expected, got = "two or three positive numbers", self.patch_size
            raise ConfigError(f"data.training.patch_size: unusable, expected {expected}, got {got}. Correct it.")
        if not 0 <= self.foreground <= 1:
            raise ConfigError(
                f"data.training.foreground: unusable, expected 0 to 1, got {self.foreground}. Correct it."
            )
        if self.augment_on == "device" and isinstance(self.augmentation, list):
            expected, todo = "a BatchAugmentation", "Name lit_medseg.augment.batch_augmentation.BatchAugmentation"
            raise ConfigError(
                f"data.training.augment_on: albumentations have no device, expected {expected}, got a list. {todo}."
            )
        if self.repeats < 1:
            raise ConfigError(f"data.training.repeats: unusable, expected 1 or more, got {self.repeats}. Correct it.")
        if self.seed < 0:
            raise ConfigError(f"data.training.seed: unusable, expected 0 or more, got {self.seed}. Correct it.")
