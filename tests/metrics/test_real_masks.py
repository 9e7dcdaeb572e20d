"""Distances, volumes and lesions on masks of patients, against MONAI and SimpleITK."""

import os
import time
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
import torch
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance, compute_surface_dice

from lit_medseg.metrics.segmentation_rows import segmentation_rows
from lit_medseg.metrics.segmentation_scoring import SegmentationScoring
from lit_medseg.target import MultiClass

pytestmark = pytest.mark.realdata
SCORING = SegmentationScoring("always", tolerance_mm=1.0, lesions=True)


def _codes(name):
    """Codes from 0 without gaps in the file's order of axes, spacing."""
    file = nibabel.load(Path(os.environ["LIT_MEDSEG_DATA"]) / name)
    values = np.unique(np.asarray(file.dataobj), return_inverse=True)[1]
    return torch.from_numpy(values.reshape(file.shape)), tuple(map(float, file.header.get_zooms()))


def _disturbed(codes, seed):
    """Move every class by a voxel or two, and swap some voxels at random."""
    rng = np.random.default_rng(seed)
    moved = torch.from_numpy(np.roll(codes.numpy(), rng.integers(-2, 3, 3), axis=(0, 1, 2)).copy())
    swapped = torch.from_numpy(rng.random(codes.shape) < 1e-4)
    return torch.where(swapped, codes.max(), moved)


def _agree(codes, spacing, seed):
    target = MultiClass(("background", *(f"c{code}" for code in range(1, int(codes.max()) + 1))))
    prediction = _disturbed(codes, seed)
    rows = segmentation_rows("case", "patient", prediction, codes, target, spacing, SCORING)
    one_hot = [target.planes(one[None]).float() for one in (prediction, codes)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MONAI's own
        expected = {
            "hd95_mm": compute_hausdorff_distance(*one_hot, percentile=95, spacing=spacing),
            "assd_mm": compute_average_surface_distance(*one_hot, symmetric=True, spacing=spacing),
            "surface_dice": compute_surface_dice(*one_hot, [1.0] * len(target.foreground), spacing=spacing),
        }
    for name, values in expected.items():
        np.testing.assert_allclose([row[name] for row in rows], values[0], atol=1e-4)
    for row, plane in zip(rows, one_hot[1][0, 1:].numpy(), strict=True):
        image = SimpleITK.GetImageFromArray(plane.astype(np.uint8))
        image.SetSpacing(spacing[::-1])
        shape = SimpleITK.LabelShapeStatisticsImageFilter()
        shape.Execute(image)
        assert row["reference_volume_ml"] == pytest.approx(shape.GetPhysicalSize(1) / 1000, rel=1e-9)
        shape.Execute(SimpleITK.ConnectedComponent(image, True))
        assert row["lesions"] == shape.GetNumberOfLabels()
    return prediction, target


def test_hippocampus():
    folder = Path(os.environ["LIT_MEDSEG_DATA"]) / "mri_hippocampus_msd" / "labels"
    for seed, file in enumerate(sorted(folder.glob("*.nii*"))[:5]):
        codes, spacing = _codes(file)
        prediction, target = _agree(codes, spacing, seed)
        times = []
        for _ in range(20):
            start = time.perf_counter()
            segmentation_rows("case", "patient", prediction, codes, target, spacing, SCORING)
            times.append(time.perf_counter() - start)
        assert min(times) < 0.02  # 3 ms on an idle machine


def test_many_organs():
    codes, spacing = _codes("ct_totalsegmentator_example/example_seg.nii.gz")
    assert codes.max() > 10
    _agree(codes, spacing, 0)
