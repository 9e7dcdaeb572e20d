"""MONAI's `CacheDataset` with dictionary transforms over cases that `loader.py` has written; in the peers' environment.

The same changes with the same probabilities and ranges as nnU-Net's, as near as MONAI's transforms come; rotation and
scaling come together in one resampling with the probability that either comes in nnU-Net's. Prints JSON.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loader_clock import clock, report
from monai import transforms as mt
from monai.data import CacheDataset, DataLoader
from nnunetv2.training.data_augmentation.compute_initial_patch_size import get_patch_size

BOTH = ["image", "mask"]


def main() -> None:
    """Measure: arguments are the folder, the patch size, the batch size, processes and seconds."""
    torch.set_num_threads(1)
    cases, patch = Path(sys.argv[1]), [int(side) for side in sys.argv[2].split("x")]
    batch, processes, seconds = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    data = [{key: np.load(file)[key] for key in BOTH} for file in sorted(cases.glob("*.npz"))]
    dataset = CacheDataset(data, mt.Compose(pipeline(patch)), progress=False)
    loader = DataLoader(dataset, batch_size=batch, shuffle=True, num_workers=processes, persistent_workers=True)
    report(clock(endless(loader), batch, seconds, 8 + 4 * processes))


def endless(loader: Any) -> Iterator[Any]:
    """Go through the cases again and again."""
    while True:
        for found in loader:
            if len(found["image"]) == loader.batch_size:
                yield found


def pipeline(patch: list[int]) -> list[Any]:
    """List the transforms: what is cached, the cut, what moves, what changes intensities."""
    angle = np.pi / 6 if len(patch) == 3 else np.pi
    # The part that is cut first, as large as nnU-Net's trainer cuts it.
    source = get_patch_size(patch, angle, angle, angle, (0.85, 1.25)).tolist()
    turn = [angle] * 3 if len(patch) == 3 else angle
    return [
        mt.EnsureTyped(BOTH),
        mt.SpatialPadd(BOTH, source),
        mt.FgBgToIndicesd("mask"),
        mt.RandCropByPosNegLabeld(
            BOTH, "mask", source, pos=1, neg=2, fg_indices_key="mask_fg_indices", bg_indices_key="mask_bg_indices"
        ),
        mt.RandAffined(
            BOTH, patch, prob=0.36, rotate_range=turn, scale_range=[(-0.3, 0.4)] * len(patch),
            mode=["bilinear", "nearest"], padding_mode="zeros",
        ),
        *[mt.RandFlipd(BOTH, prob=0.5, spatial_axis=axis) for axis in range(len(patch))],
        mt.RandGaussianNoised("image", prob=0.1, std=0.1, sample_std=True),
        mt.RandGaussianSmoothd("image", prob=0.1, sigma_x=(0.5, 1.0), sigma_y=(0.5, 1.0), sigma_z=(0.5, 1.0)),
        mt.RandScaleIntensityd("image", factors=0.25, prob=0.15),
        mt.RandScaleIntensityFixedMeand("image", factors=0.25, prob=0.15, preserve_range=True),
        mt.RandSimulateLowResolutiond("image", prob=0.125, zoom_range=(0.5, 1.0)),
        mt.RandAdjustContrastd("image", prob=0.1, gamma=(0.7, 1.5), invert_image=True, retain_stats=True),
        mt.RandAdjustContrastd("image", prob=0.3, gamma=(0.7, 1.5), retain_stats=True),
        mt.SelectItemsd(BOTH),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
