"""How cases are prepared once, before training."""

from dataclasses import dataclass

from lit_medseg.preprocess.step import Step


@dataclass(frozen=True)
class Preparation:
    """The deterministic part of the way from file to network.

    Attributes:
        steps: Preprocessing, applied once and cached; None for the modality's default, an empty list for none.
        normalize: The last step, applied to each sample after augmentation; None for the modality's default.
        cache_dir: Folder for processed cases, on a disk of this machine; made if need be.
    """

    steps: list[Step] | None = None
    normalize: Step | None = None
    cache_dir: str = "cache"
