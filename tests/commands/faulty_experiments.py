"""Small whole experiments on files, to be broken one way at a time, and the command line that must refuse them."""

import re
import sys
from pathlib import Path

import numpy as np
import yaml

from lit_medseg.imaging.write_png import write_png
from lit_medseg.main import main
from lit_medseg.tracking.run_folder import all_runs

GONE = object()
"""Stands for a key that is taken out."""
NETWORKS = "tests.commands.tiny_experiments"
_HOUSE = re.compile(r".+?: .+, expected .+,? got:? .+[.?`] .+[.?`]|.+?: .+, expected .+,? got .+\. .+\?", re.DOTALL)


def write_pairs(root, ids=None, grid=(32, 32)):
    """Write twelve images with a square organ (255) each; the first three letters of a name are its patient."""
    ids = [f"p{number:02}_0" for number in range(12)] if ids is None else ids
    rng = np.random.default_rng(0)
    for case_id in ids:
        image, mask = rng.integers(0, 100, (1, *grid)).astype(np.uint8), np.zeros((1, *grid), np.uint8)
        mask[0, 4:14, 4:14] = 255
        write_png(root / "images" / f"{case_id}.png", image + mask // 3)
        write_png(root / "masks" / f"{case_id}.png", mask)


def write_classes(root, names=("normal", "ill")):
    """Write eight images a class."""
    rng = np.random.default_rng(1)
    for number in range(16):
        image = rng.integers(0, 100, (1, 28, 28)).astype(np.uint8)
        write_png(root / names[number % 2] / f"q{number:02}_0.png", image + np.uint8(90 * (number % 2)))


def segmentation(root="pairs", **changes):
    """Settings of a segmentation; `changes` are given as `data__truth={...}`, without `init_args`."""
    settings = {
        "trainer": {"max_epochs": 1, "accelerator": "cpu", "devices": 1},
        "model": {
            "class_path": "lit_medseg.tasks.segmentation.SegmentationTask",
            "init_args": {
                "network": {"class_path": "torch.nn.Conv2d", "init_args": {"kernel_size": 1}},
                "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.001}},
            },
        },
        "data": {
            "class_path": "data_modules.mri_slices.MRISlicesDataModule",
            "init_args": {
                "source": {
                    "class_path": "lit_medseg.catalogue.folder_pairs.FolderPairs",
                    "init_args": {"root": root, "patient_pattern": "^(p[0-9]+)"},
                },
                "truth": {"masks": {"organ": 255}},
                "loading": {"batch_size": 4, "workers": 0},
            },
        },
    }
    return changed(settings, **changes)


def classification(root="classes", **changes):
    """Settings of a classification."""
    settings = segmentation(
        model__class_path="lit_medseg.tasks.classification.ClassificationTask",
        model__init_args__network={"class_path": f"{NETWORKS}.TinyClassifier"},
        data__init_args__source={
            "class_path": "lit_medseg.catalogue.class_folders.ClassFolders",
            "init_args": {"root": root, "patient_pattern": "^(q[0-9]+)"},
        },
        data__init_args__truth={"labels": ["normal", "ill"]},
    )
    return changed(settings, **changes)


def changed(settings, **changes):
    """Set dotted keys, written with two underscores for each dot; GONE takes one out."""
    for key, value in changes.items():
        *way, last = key.split("__")
        level = settings
        for part in way:
            level = level.setdefault(part, {})
        if value is GONE:
            del level[last]
        else:
            level[last] = value
    return settings


def call(*argv):
    """Run a command as a process would: SystemExit is its status."""
    saved, sys.argv = sys.argv, ["lit_medseg", *argv]
    try:
        return main(list(argv))
    except SystemExit as end:
        return end.code
    finally:
        sys.argv = saved


def write_yaml(settings, name="exp.yaml"):
    Path(name).write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return name


def states():
    return {str(run.path): run.read().status for run in all_runs(Path("runs"))}


def refusal(capsys, settings, *argv, verb="fit"):
    """Call, and see that it is refused as it should be; gives the text."""
    before, capsys_before = states(), capsys.readouterr()
    assert capsys_before.err == ""
    given = [] if settings is None else ["--config", write_yaml(settings)]
    assert call(verb, *given, *argv) == 2
    assert states() == before, "a refused command left a run"
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("error: ") == 1
    assert "Traceback" not in captured.err
    text = captured.err.removeprefix("error: ").removesuffix("\n")
    for fault in [line[4:] for line in text.splitlines() if line.startswith("  - ")] or [text]:
        assert "checkpoint: " in text or _HOUSE.fullmatch(fault), fault
    return text
