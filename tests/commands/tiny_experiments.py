"""Settings that fit in about a second, and the networks and witnesses that they name."""

from pathlib import Path

import torch
from lightning.pytorch import Callback
from torch import nn

OWN = "tests.commands.tiny_experiments"


class TinyUNet(nn.Module):
    """An encoder of two parts and a head, for images of any size."""

    def __init__(self, in_channels: int, classes: int, norm: bool = True) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(in_channels, 6, 3, padding=1), nn.BatchNorm2d(6) if norm else nn.Identity())
        self.encoder = nn.ModuleDict({"stem": stem, "body": nn.Conv2d(6, 6, 5, padding=2)})
        self.head = nn.Conv2d(6, classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.encoder["body"](torch.tanh(self.encoder["stem"](image)))))


class TinyClassifier(nn.Module):
    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(in_channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(4, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(image))


class Weights(Callback):
    """Keeps the trained weights before training and after each step, as one vector each."""

    def __init__(self, file: str) -> None:
        self.file = Path(file)
        self.seen = []

    def _note(self, module):
        self.seen.append(nn.utils.parameters_to_vector(module.network.parameters()).detach().clone())
        torch.save(self.seen, self.file)

    def on_train_start(self, trainer, pl_module):
        self._note(pl_module)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self._note(pl_module)


def segmentation(network=None, optimizer=None, data=None, trainer=None, **model):
    """Phantoms: four patients train (eight slices, two steps), two validate, two test."""
    phantoms = {"root": "phantoms", "patients": 8, "slices": 2, "size": 48}
    return {
        "seed_everything": 3,
        "trainer": {"max_epochs": 2, "accelerator": "cpu", "devices": 1, **(trainer or {})},
        "model": {
            "class_path": "lit_medseg.tasks.segmentation.SegmentationTask",
            "init_args": {
                "network": {"class_path": f"{OWN}.TinyUNet", "init_args": network or {}},
                "optimizer": optimizer or {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.01}},
                **model,
            },
        },
        "data": {
            "class_path": "data_modules.mri_slices.MRISlicesDataModule",
            "init_args": {
                "source": {"class_path": "lit_medseg.catalogue.phantom.Phantom", "init_args": phantoms},
                "truth": {"masks": {"organ": 1, "lesion": 2}},
                "splitter": {
                    "class_path": "lit_medseg.catalogue.hold_out.HoldOut",
                    "init_args": {"val": 0.25, "test": 0.25},
                },
                "loading": {"batch_size": 4, "eval_batch_size": 3, "workers": 0},
                **(data or {}),
            },
        },
    }


def other_data(source, truth, task, network, **model):
    """Settings on files that a test has written; no augmentation, no patients."""
    settings = segmentation(**model)
    settings["model"]["class_path"] = task
    settings["model"]["init_args"]["network"] = {"class_path": f"{OWN}.{network}"}
    own = {"class_path": "tests.data.fake_sets.BareDataModule"}
    rest = {key: settings["data"]["init_args"][key] for key in ("splitter", "loading")}
    own["init_args"] = {"source": source, "truth": truth, **rest}
    return {**settings, "data": own}


def sgd(lr):
    return {"class_path": "torch.optim.SGD", "init_args": {"lr": lr}}
