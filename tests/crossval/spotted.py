"""Pictures of one bright structure among bright specks: a threshold finds both, and the largest part is the truth."""

import numpy as np
import torch
import yaml
from torch import nn

from lit_medseg.imaging.write_png import write_png

SIDE = 40


class Bright(nn.Module):
    """What is brighter than a threshold, which is learnt; the steps of training can be made long."""

    def __init__(self, in_channels: int, classes: int, step_s: float = 0.0) -> None:
        super().__init__()
        self.gain, self.threshold = nn.Parameter(torch.tensor(4.0)), nn.Parameter(torch.tensor(0.9))
        self.step_s = step_s

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.training and self.step_s:
            import time

            time.sleep(self.step_s)
        return self.gain * (image - self.threshold)


def write_pictures(root, patients=9):
    for number in range(patients):
        rng = np.random.default_rng(number)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        row, column = rng.integers(2, 12, 2)
        mask[row : row + 12, column : column + 12] = 255
        image = rng.integers(20, 90, (SIDE, SIDE)).astype(np.uint8)
        image[mask > 0] = rng.integers(180, 250, int((mask > 0).sum()))
        for _ in range(6):
            image[rng.integers(28, SIDE), rng.integers(0, SIDE)] = 255
        write_png(root / "images" / f"p{number:02}.png", image)
        write_png(root / "masks" / f"p{number:02}.png", mask)


def settings(step_s=0.0, epochs=4):
    """An experiment on these pictures: two steps an epoch."""
    return {
        "seed_everything": 5,
        "trainer": {"max_epochs": epochs, "accelerator": "cpu", "devices": 1, "log_every_n_steps": 1},
        "model": {
            "class_path": "lit_medseg.tasks.segmentation.SegmentationTask",
            "init_args": {
                "network": {"class_path": "tests.crossval.spotted.Bright", "init_args": {"step_s": step_s}},
                "loss": {"class_path": "lit_medseg.losses.cross_entropy.CrossEntropy"},
                "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.05, "momentum": 0.9}},
            },
        },
        "data": {
            "class_path": "tests.data.fake_sets.BareDataModule",
            "init_args": {
                "source": {
                    "class_path": "lit_medseg.catalogue.folder_pairs.FolderPairs",
                    "init_args": {"root": "pictures", "patient_pattern": "(p[0-9]+)"},
                },
                "truth": {"masks": {"organ": 255}},
                "splitter": {"class_path": "lit_medseg.catalogue.hold_out.HoldOut", "init_args": {"seed": 7}},
                "loading": {"batch_size": 4, "workers": 0},
            },
        },
    }


def write_experiment(folder, name="spotted", **arguments):
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(settings(**arguments), sort_keys=False))
    return path
