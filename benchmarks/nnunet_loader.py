"""nnU-Net's own training loader over cases that `loader.py` has written; runs in the peers' environment.

Its dataset (blosc2), its loader with the enlarged source patch, its default trainer's transforms, its background
processes; without the smaller masks of deep supervision, which ours leaves to the loss. Prints JSON.
"""

import os

# nnU-Net asks for its folders at import.
for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ.setdefault(name, os.curdir)

import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from types import SimpleNamespace  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from batchgenerators.dataloading.nondet_multi_threaded_augmenter import NonDetMultiThreadedAugmenter  # noqa: E402
from loader_clock import clock, report  # noqa: E402
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader  # noqa: E402
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2  # noqa: E402
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402


def main() -> None:
    """Measure: arguments are the folder, the patch size, the batch size, processes and seconds."""
    torch.set_num_threads(1)
    cases, patch = Path(sys.argv[1]), tuple(map(int, sys.argv[2].split("x")))
    batch, processes, seconds = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    stored = cases / f"nnunet{len(patch)}"
    if not stored.exists():
        store(cases, stored, patch)
    rotation, dummy, source_patch, mirror = _settings(patch)
    transforms = nnUNetTrainer.get_training_transforms(patch, rotation, None, mirror, dummy)
    labels = SimpleNamespace(all_labels=[0, 1, 2] if len(patch) == 3 else [0, 1], has_ignore_label=False)
    loader = nnUNetDataLoader(
        nnUNetDatasetBlosc2(str(stored)), batch, source_patch, patch, labels, 0.33, transforms=transforms
    )
    augmenter = NonDetMultiThreadedAugmenter(
        loader, None, processes, num_cached=max(6, processes // 2), seeds=None, pin_memory=False, wait_time=0.002
    )
    report(clock(augmenter, batch, seconds, 8 + 4 * processes))


def store(cases: Path, stored: Path, patch: tuple[int, ...]) -> None:
    """Write the cases as nnU-Net keeps preprocessed ones, with the voxels of each class."""
    stored.mkdir()
    for file in sorted(cases.glob("*.npz")):
        arrays = np.load(file)
        image, mask = arrays["image"], arrays["mask"].astype(np.int16)
        if len(patch) == 2:
            image, mask = image[:, None], mask[:, None]
        rng = np.random.default_rng(0)
        locations: dict[int, Any] = {}
        for code in np.unique(mask[mask > 0]).tolist():
            voxels = np.argwhere(mask == code)
            locations[code] = voxels[rng.permutation(len(voxels))[:10000]]
        properties = {"class_locations": locations}
        nnUNetDatasetBlosc2.save_case(image, mask, properties, str(stored / file.stem))


def _settings(patch: tuple[int, ...]) -> tuple[Any, ...]:
    """Let the trainer choose rotation, size of the source patch and mirrored axes."""
    trainer = SimpleNamespace(
        configuration_manager=SimpleNamespace(patch_size=patch), print_to_log_file=lambda *_args: None
    )
    found = nnUNetTrainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size(trainer)
    rotation, dummy, source_patch, mirror = found
    return rotation, dummy, source_patch, mirror


if __name__ == "__main__":
    main()
