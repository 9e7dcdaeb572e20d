"""What happens to training samples only."""

from dataclasses import dataclass
from typing import Any

from lit_medseg.errors import ConfigError


@dataclass(frozen=True)
class Training:
    """How training samples are drawn and changed; evaluation sees whole images without any of it.

    Attributes:
        augmentation: albumentations transforms as `class_path` and `init_args`; None for the modality's default, an
            empty list for none.
        patch_size: Height and width of a random patch; None for the whole image (all of one size then).
        foreground: Share of patches that are centred on a foreground pixel, 0 to 1; segmentation only.
        balanced: Whether to draw cases with replacement so that classes come equally often; classification only.
        repeats: How often the training cases are gone through in an epoch (small data sets: fewer validations).
        seed: Of the epochs' order, patches and augmentation.
    """

    augmentation: list[dict[str, Any]] | None = None
    patch_size: list[int] | None = None
    foreground: float = 0.0
    balanced: bool = False
    repeats: int = 1
    seed: int = 0

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
        if self.repeats < 1:
            raise ConfigError(f"data.training.repeats: unusable, expected 1 or more, got {self.repeats}. Correct it.")
        if self.seed < 0:
            raise ConfigError(f"data.training.seed: unusable, expected 0 or more, got {self.seed}. Correct it.")
