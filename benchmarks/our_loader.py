"""Our side of `loader.py`: the real cache, dataset, sampler and DataLoader; and a plain DataLoader. Prints JSON."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import albumentations
import numpy as np
import torch
from albumentations.pytorch import ToTensorV2
from loader_clock import clock, report
from torch.utils.data import DataLoader, Dataset

from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.data.augmentation import Augmentation
from lit_medseg.data.collate import collate
from lit_medseg.data.device_augmentation import augmented_on_device
from lit_medseg.data.loaders import start_worker
from lit_medseg.data.placement import Placement
from lit_medseg.data.rank_batches import RankBatches
from lit_medseg.data.training_dataset import TrainingDataset
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.cache import CaseCache, open_cache
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.processed_case import process_case
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.standardize import Standardize

# nnU-Net's default augmentation in albumentations' words.
PICTURES: list[tuple[str, dict[str, Any]]] = [
    ("Affine", {"rotate": (-180, 180), "scale": (0.7, 1.4), "p": 0.36}),
    ("HorizontalFlip", {"p": 0.5}),
    ("VerticalFlip", {"p": 0.5}),
    ("GaussNoise", {"std_range": (0.0, 0.03), "p": 0.1}),
    ("GaussianBlur", {"sigma_limit": (0.5, 1.0), "p": 0.1}),
    ("RandomBrightnessContrast", {"brightness_limit": 0.25, "contrast_limit": 0.0, "p": 0.15}),
    ("RandomBrightnessContrast", {"brightness_limit": 0.0, "contrast_limit": 0.25, "p": 0.15}),
    ("Downscale", {"scale_range": (0.5, 1.0), "p": 0.125}),
    ("RandomGamma", {"gamma_limit": (70, 150), "p": 0.4}),
]
MEAN, STD = (110.0, 100.0, 110.0), (60.0, 60.0, 60.0)


def main() -> None:
    """Measure: arguments are the folder, patch size, batch size, processes, seconds and the side."""
    torch.set_num_threads(1)
    folder, patch = Path(sys.argv[1]), [int(side) for side in sys.argv[2].split("x")]
    batch, processes, seconds, side = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), sys.argv[6]
    data: Dataset[Any] = Plain(folder, patch) if side == "plain" else ours(folder, patch, batch, side)
    batches: Any = RankBatches(len(data), batch, 0, repeats=4000 // len(data))  # type: ignore[arg-type]
    if side == "plain":
        batches = [[key.case for key in keys] for keys in batches]
    loader = DataLoader(
        data, batch_sampler=batches, collate_fn=None if side == "plain" else collate, num_workers=processes,
        worker_init_fn=start_worker, persistent_workers=True, pin_memory=torch.cuda.is_available(),
    )  # fmt: skip
    report(clock(endless(loader, side == "device"), batch, seconds, 8 + 4 * processes))


def ours(folder: Path, patch: list[int], batch: int, side: str) -> TrainingDataset:
    """Make the dataset as the data module does."""
    pictures, albumented = len(patch) == 2, side == "albumentations"
    cache = cached(folder, "picture" if pictures else "image")
    words = [{"class_path": f"albumentations.{name}", "init_args": arguments} for name, arguments in PICTURES]
    return TrainingDataset(
        cache=cache,
        rows=range(len(cache)),
        labels=None,
        overlapping=False,
        patch_size=patch,
        placement=Placement(0.0) if albumented else Placement(0.33, "balanced", "last", batch),
        augmentation=Augmentation(words) if albumented else BatchAugmentation(),
        normalize=Pipeline((Standardize(MEAN, STD),) if pictures else ()),
        seed=0,
        on_device=side == "device",
    )


def cached(folder: Path, image: str) -> CaseCache:
    """Open the cache of the cases; make it the first time."""
    files = {file.stem: file for file in sorted(folder.glob("*.npz"))}

    def make(case_id: str) -> Any:
        arrays = np.load(files[case_id])
        ones = (1.0,) * (arrays["mask"].ndim - 1)
        return process_case(case_id, Sample((Volume(arrays[image], ones),), Volume(arrays["mask"], ones)), Pipeline(()))

    return open_cache(folder / "cache", f"{image:x>40}", list(files), make)


class Plain(Dataset[Any]):
    """What one writes without a platform: decoded pictures in memory, albumentations, tensors."""

    def __init__(self, folder: Path, patch: list[int]) -> None:
        loaded = [np.load(file) for file in sorted(folder.glob("*.npz"))]
        self.cases = [(np.ascontiguousarray(a["picture"].transpose(1, 2, 0)), a["mask"][0]) for a in loaded]
        crop = albumentations.RandomCrop(*patch)
        changes = [getattr(albumentations, name)(**arguments) for name, arguments in PICTURES]
        last = [albumentations.Normalize(MEAN, STD, max_pixel_value=1.0), ToTensorV2()]
        self.transform = albumentations.Compose([crop, *changes, *last])

    def __len__(self) -> int:
        """Count the cases."""
        return len(self.cases)

    def __getitem__(self, index: int) -> Any:
        """Give image and mask."""
        image, mask = self.cases[index]
        changed = self.transform(image=image, mask=mask)
        return changed["image"], changed["mask"].long()


def endless(loader: Any, on_device: bool) -> Iterator[Any]:
    """Go through the epochs; make the patches where a GPU is."""
    device = torch.device("cuda")
    while True:
        for batch in loader:
            yield augmented_on_device(batch, device, False) if on_device and torch.cuda.is_available() else batch


if __name__ == "__main__":
    main()
