"""What a user can get wrong: each ends before training with exit status 2 and one text, and leaves no run behind."""

import json
import os
import shutil
import socket
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from lit_medseg.imaging.read_array import read_mask
from lit_medseg.imaging.write_png import write_png
from tests.commands.faulty_experiments import (
    GONE,
    call,
    classification,
    refusal,
    segmentation,
    states,
    write_classes,
    write_pairs,
    write_yaml,
)

FLIP = "albumentations.HorizontalFlip"
HOLD_OUT = "lit_medseg.catalogue.hold_out.HoldOut"
CROSS_ENTROPY = "lit_medseg.losses.cross_entropy.CrossEntropy"
SPLIT_FILE = {"class_path": "lit_medseg.catalogue.split_file.SplitFile", "init_args": {"path": "split.json"}}
IDS = [f"p{number:02}_0" for number in range(12)]


def spec(class_path, **init_args):
    return {"class_path": class_path, "init_args": init_args}


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    write_pairs(folder / "pairs")
    write_classes(folder / "classes")
    return folder


@pytest.fixture
def place(originals, tmp_path, monkeypatch):
    """Stand in a fresh folder with both data sets."""
    shutil.copytree(originals, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


# ---- keys and values of the YAML

WRONG_KEYS = [
    ("ema_dekay", 0.9, "ema_dekay: unknown key", "ema_decay"),
    ("trianer", {}, "trianer: unknown key", "trainer"),
    ("trainer__max_epoch", 1, "trainer.max_epoch: unknown key", "max_epochs"),
    ("trainer__max_epoc", {}, "trainer.max_epoc: unknown key", "max_epochs"),
    ("model__init_arg", {}, "model.init_arg: unknown key", "init_args"),
    ("data__clas_path", "x", "data.clas_path: unknown key", "class_path"),
    ("data__init_args__sorce", None, "data.init_args.sorce: unknown key", "source"),
    ("data__init_args__sorce", {}, "data.init_args.sorce: unknown key", "source"),
    ("data__init_args__training", {"pach_size": [8, 8]}, "data.init_args.training.pach_size: unknown", "patch_size"),
    ("data__init_args__truth__mask", {}, "data.init_args.truth.mask: unknown key", "masks"),
    ("data__init_args__source__init_args__rot", "x", "data.init_args.source.init_args.rot: unknown", "root"),
    ("data__init_args__splitter", spec(HOLD_OUT, vall=0.1), "data.init_args.splitter.init_args.vall: unknown", "val"),
    (
        "data__init_args__preparation",
        {"steps": [spec("lit_medseg.preprocess.resize.Resize", hight=8, width=8)]},
        "data.init_args.preparation.steps.init_args.hight: unknown key of lit_medseg.preprocess.resize.Resize",
        "height",
    ),
    (
        "model__init_args__network__init_args__kernelsize",
        3,
        "model.init_args.network.init_args.kernelsize: unknown key of torch.nn.Conv2d",
        "kernel_size",
    ),
    (
        "model__init_args__network",
        spec("segmentation_models_pytorch.Unet", encoder_nam="resnet18"),
        "model.init_args.network.init_args.encoder_nam: unknown key of segmentation_models_pytorch.Unet",
        "encoder_name",
    ),
    (
        "model__init_args__optimizer__init_args__weight_decy",
        0.1,
        "model.init_args.optimizer.init_args.weight_decy: unknown key of torch.optim.AdamW",
        "weight_decay",
    ),
    (
        "model__init_args__lr_scheduler",
        spec("lit_medseg.tasks.warmup_cosine.WarmupCosine", warmpu=0.1),
        "model.init_args.lr_scheduler.init_args.warmpu: unknown key",
        "warmup",
    ),
    ("model__init_args__loss", spec(CROSS_ENTROPY, label_smothing=0.1), "label_smothing: unknown", "label_smoothing"),
    ("model__init_args__fine_tuning", {"freeze": []}, "model.init_args.fine_tuning.freeze: unknown key", "frozen"),
    ("data__init_args__training", {"augmentation": [spec(FLIP, pp=1.0)]}, f"{FLIP}: wrong key", "'p'"),
]


@pytest.mark.parametrize(("key", "value", "named", "right"), WRONG_KEYS)
def test_wrong_key_is_named_with_the_nearest(place, capsys, key, value, named, right):
    text = refusal(capsys, segmentation(**{key: value}))
    assert named in text
    assert right in text.split("expected")[1]


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("--trainer.max_epoch=4", "trainer.max_epoch: unknown key"),  # argparse would take a unique beginning
        ("--model.network.init_args.kernel_siz=3", "model.init_args.network.init_args.kernel_siz: unknown key"),
        ("--data.init_args.loading.batchsize=4", "data.init_args.loading.batchsize: unknown key"),
        ("--foo=3", "foo: unknown key"),
        ("word", "command line: a word without a key"),
        ("--data.init_args.source.init_args.patient_pattern=null", "null cannot be given here"),
    ],
)
def test_wrong_word_on_the_command_line(place, capsys, argument, named):
    assert named in refusal(capsys, segmentation(), argument)


WRONG_VALUES = [
    ("data__init_args__loading__batch_size", "many", "data.init_args.loading.batch_size: a value of the wrong type"),
    ("data__init_args__loading__batch_size", 0, "data.loading.batch_size: unusable, expected 1 or more, got 0"),
    ("model__init_args__optimizer__init_args__lr", "fast", "model.init_args.optimizer.init_args.lr: a value of the wr"),
    ("model__init_args__optimizer__init_args__lr", -1.0, "Invalid learning rate"),
    ("model__init_args__network__init_args__kernel_size", "big", "network.init_args.kernel_size: a value of the wrong"),
    ("model__init_args__network__class_path", "torch.nn.Conv2dd", "Did you mean 'torch.nn.Conv2d'?"),
    ("model__init_args__network__class_path", "torhc.nn.Conv2d", "model.init_args.network.class_path: no such class"),
    ("model__init_args__network__class_path", "torch.optim.AdamW", "a class of another kind, expected a child of Mod"),
    ("model__init_args__network", GONE, "are missing, expected network"),
    ("model__class_path", "lit_medseg.tasks.segmentation.SegmentatonTask", "Did you mean 'lit_medseg.tasks.segmentat"),
    ("model", "foo", "model: no class with arguments"),
    ("model", GONE, "keys are missing, expected 'model'"),
    ("data__class_path", "data_modules.mri_slice.MRISlicesDataModule", "Did you mean 'data_modules.mri_slices."),
    ("data__init_args__trust", {"patients": "unknwon"}, "expected one of ['required', 'unknown'], got unknwon"),
    ("data__init_args__truth", {"masks": {True: 255}}, "put the name in quotes"),
    ("data__init_args__truth", {"labels": [True, False]}, "Put it in quotes"),
    ("data__init_args__truth", {"masks": {"": 255}}, "not a class's name"),
    ("data__init_args__truth", {"masks": {"a\nb": 255}}, "not a class's name"),
    ("data__init_args__truth", {"labels": ["a", "a"]}, "a class is named twice"),
    (
        "data__init_args__truth",
        {"masks": {"organ": 255}, "labels": ["a", "b"]},
        "expected `masks` or `labels`, got both",
    ),
    ("data__init_args__truth", {"masks": {"organ": 0}}, "unusable value"),
    ("data__init_args__training", {"augmentation": [spec("albumentations.Flipp")]}, "no such transform"),
    ("data__init_args__training", {"augmentation": [spec(FLIP, p=3)]}, "unusable values"),
    ("model__init_args__lr_scheduler", spec("torch.optim.lr_scheduler.StepLR"), "missing, expected step_size"),
    (
        "model__init_args__loss",
        spec(CROSS_ENTROPY, class_weights=[1.0, 2.0, 3.0]),
        "wrong number of weights, expected 2",
    ),
    ("model__init_args__loss", {"class_path": "torch.nn.CrossEntropyLoss"}, "model.loss: it cannot compare"),
    ("model__init_args__fine_tuning", {"frozen": ["encodr"]}, "no such part of the network"),
    ("model__init_args__fine_tuning", {"encoder_lr_factor": 0.1}, "no such trained part"),
    ("model__init_args__fine_tuning", {"start_from": "nope.ckpt"}, "nope.ckpt: no such checkpoint"),
    ("model__init_args__network__init_args__in_channels", 3, "cannot take the data's images"),
    (
        "model__init_args__network__init_args__out_channels",
        3,
        "its logits do not fit the data, expected (1, 1, 32, 32)",
    ),
    ("model__init_args__network__init_args__stride", 2, "its logits do not fit the data"),
    ("ema_decay", 1.5, "ema_decay: out of range"),
    ("early_stopping", 0, "early_stopping: out of range"),
    ("overlay_every", 0, "overlay_every: out of range"),
    ("seed_everything", -1, "seed_everything: unusable seed"),
    ("experiment", "a/b", "experiment: unusable name"),
    ("run", "../x", "--run: unusable name"),
    ("trainer__accelerator", "cpuu", "trainer: unusable settings"),
    ("trainer__gradient_clip_algorithm", "foo", "trainer: unusable settings"),
    ("trainer__precision", "bf16mixed", "trainer.precision: a value of the wrong type"),
    ("trainer__val_check_interval", 100, "trainer.val_check_interval: too large, expected at most"),
    ("trainer__max_epochs", 0, "nothing to train"),
    ("output", "exp.yaml/x", "output: unusable"),
]


@pytest.mark.parametrize(("key", "value", "named"), WRONG_VALUES)
def test_wrong_value(place, capsys, key, value, named):
    assert named in refusal(capsys, segmentation(**{key: value}))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, "no such file"),
        (b"", "not the YAML of an experiment, expected keys and values, got nothing"),
        (b"just text", "not the YAML of an experiment"),
        (b"- a\n- b\n", "not the YAML of an experiment"),
        (b"a: [1, 2\nb: 3", "at line 2"),
        (b"trainer: {}\n\tmodel: 3", "at line 2"),
        ("trainer: é".encode("latin-1"), "expected text in UTF-8"),
    ],
)
def test_no_yaml(place, capsys, content, named):
    if content is not None:
        Path("given.yaml").write_bytes(content)
    assert named in refusal(capsys, None, "--config", "given.yaml")
    assert "fit.data" not in refusal(capsys, None)


# ---- cases on disk


def _remove(path):
    return lambda root: (root / path).unlink()


def _mask(name, values):
    return lambda root: write_png(root / "masks" / name, values)


def _truncate(root):
    file = root / "images/p03_0.png"
    file.write_bytes(file.read_bytes()[:-20])


def _not_finite(root):
    array = np.zeros((32, 32), np.float32)
    array[2, 2] = np.nan
    (root / "images/p03_0.png").unlink()
    np.save(root / "images/p03_0.npy", array)


def _only(*kept):
    def remove_others(root):
        for file in root.rglob("*.png"):
            if file.stem not in kept:
                file.unlink()

    return remove_others


def _empty_masks(root):
    for case_id in IDS[1:]:
        write_png(root / f"masks/{case_id}.png", np.zeros((1, 32, 32), np.uint8))


BROKEN = [
    (shutil.rmtree, "pairs: the data set's folder is missing"),
    (_remove("masks/p03_0.png"), "images/p03_0.png: image without mask"),
    (_remove("images/p03_0.png"), "masks/p03_0.png: mask without image"),
    (_mask("p03_0.png", np.zeros((1, 16, 32), np.uint8)), "not of the image's size, expected (32, 32), got (16, 32)"),
    (_mask("p03_0.png", np.full((1, 32, 32), 7, np.uint8)), "undeclared mask values, expected [0, 255], got [7]"),
    (_truncate, "p03_0.png: the image is truncated"),
    (_not_finite, "unusable pixels, expected finite, got 1 NaN"),
    (_empty_masks, "class organ has no cases"),
    (_only(), "the folder holds no image"),
    (_only("p03_0"), "too few patients, expected 3 at least, got 1"),
]


@pytest.mark.parametrize(("damage", "named"), BROKEN)
def test_broken_data_set(place, capsys, damage, named):
    damage(place / "pairs")
    assert named in refusal(capsys, segmentation())


def test_all_faults_at_once(place, capsys):
    root = place / "pairs"
    (root / "masks/p00_0.png").unlink()
    (root / "images/p01_0.png").unlink()
    _truncate(root)
    text = refusal(capsys, segmentation())
    assert text.startswith("pairs: 3 faults in 10 cases\n")
    assert all(name in text for name in ("p00_0", "p01_0", "p03_0"))


def test_first_ten_of_twelve(place, capsys):
    for case_id in IDS:
        write_png(place / f"pairs/masks/{case_id}.png", np.full((1, 32, 32), 9, np.uint8))
    text = refusal(capsys, segmentation())
    assert text.startswith("pairs: 12 faults in 12 cases\n")
    assert [name in text for name in IDS] == 10 * [True] + 2 * [False]
    assert text.endswith("\n  and 2 more")


def test_patients_are_needed(place, capsys):
    settings = segmentation(data__init_args__source__init_args__patient_pattern=None)
    assert "set `data.init_args.trust.patients: unknown`" in refusal(capsys, settings)


@pytest.mark.parametrize("other_truth", [False, True])
def test_identical_images(place, capsys, other_truth):
    for case_id in IDS[1:]:
        shutil.copy(place / "pairs/images/p00_0.png", place / f"pairs/images/{case_id}.png")
    if other_truth:
        _mask("p05_0.png", np.full((1, 32, 32), 255, np.uint8))(place / "pairs")
    text = refusal(capsys, segmentation())
    assert ("contradicting truth" if other_truth else "identical images in several sets") in text
    assert "case p00_0 (" in text
    assert "set `data.init_args.trust.identical: drop` (or `allow`)" in text


SPLITS = [
    (None, "missing split file"),
    ("{oops", "not JSON"),
    ({"training": IDS}, "not a split"),
    ({"train": IDS[:8], "val": [*IDS[8:10], "zz"], "test": IDS[10:]}, "case zz in val: unknown"),
    ({"train": IDS[:9], "val": IDS[8:10], "test": IDS[10:]}, "case p08_0: stands twice"),
    ({"train": [], "val": IDS[8:10], "test": IDS[10:]}, "train: the set is empty"),
]


@pytest.mark.parametrize(("split", "named"), SPLITS)
def test_split_file(place, capsys, split, named):
    if split is not None:
        Path("split.json").write_text(split if isinstance(split, str) else json.dumps(split))
    assert named in refusal(capsys, segmentation(data__init_args__splitter=SPLIT_FILE))


def test_patient_in_two_sets(place, capsys):
    ids = [f"p{number // 2:02}_{number % 2}" for number in range(12)]
    write_pairs(place / "twice", ids)
    Path("split.json").write_text(json.dumps({"train": ids[:7], "val": ids[7:9], "test": ids[9:]}))
    text = refusal(capsys, segmentation("twice", data__init_args__splitter=SPLIT_FILE))
    assert "patient p03: leaks between sets, expected one set, got train (case p03_0) and val (case p03_1)" in text


TABLES = [
    ("case;pat\np00_0;1", "separated by another sign, expected commas, got ';'"),
    ("case,patt\np00_0,1", "Did you mean 'patt'?"),
    ("case,pat\n", "the table has no rows"),
    ("case,pat\np00_0", "the row does not fit"),
    ("case,pat\np00_0,", "the cell 'pat' is empty"),
    ("case,pat\np77_0,1", "images/p77_0.png: missing file"),
    ("case,pat\n../../x,1", "lies outside the root"),
]


def _table(text, name="cases.csv", encoding="utf-8"):
    Path("pairs", name).write_bytes(text.encode(encoding))
    templates = {"case": "{case}", "patient": "{pat}", "image": "images/{case}.png", "mask": "masks/{case}.png"}
    source = spec("lit_medseg.catalogue.csv_table.CsvTable", root="pairs", table=name, **templates)
    return segmentation(data__init_args__source=source)


@pytest.mark.parametrize(("text", "named"), TABLES)
def test_table(place, capsys, text, named):
    assert named in refusal(capsys, _table(text))


def test_task_and_truth(place, capsys):
    labels = {"data__init_args__truth": {"labels": ["normal", "ill"]}}
    masks = {"data__init_args__truth": {"masks": {"organ": 255}}}
    assert "case p00_0, label: missing" in refusal(capsys, segmentation(**labels))
    assert "other number of masks" in refusal(capsys, classification(**masks))
    mixed = classification(data=segmentation()["data"])
    assert "ClassificationTask: the data have another truth" in refusal(capsys, mixed)
    mixed = segmentation(data=classification()["data"])
    assert "SegmentationTask: the data have another truth" in refusal(capsys, mixed)


# ---- stores and folders


def test_unreachable_server(place, capsys):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    started = time.monotonic()
    assert f"{address}: the tracking server does not answer" in refusal(capsys, segmentation(tracking=address))
    assert time.monotonic() - started < 15
    assert not Path("runs").exists()


@pytest.mark.parametrize("uri", ["foo", "file:./mlruns", "sqlite:///pairs", "sqlite:///exp.yaml"])
def test_unusable_store(place, capsys, uri):
    text = refusal(capsys, segmentation(tracking=uri))
    assert "kind of store" in text or "cannot be opened" in text
    assert Path("pairs").is_dir()


def test_store_never_takes_the_place_of_a_device(place, capsys):
    path = place / "pipe"
    os.mkfifo(path)
    assert "no regular file" in refusal(capsys, segmentation(tracking=f"sqlite:///{path}"))
    assert path.is_fifo()


def test_no_room_for_the_cache(place, capsys):
    settings = segmentation(data__init_args__preparation={"cache_dir": "exp.yaml/cache"})
    assert "exp.yaml/cache: the cache cannot be written" in refusal(capsys, settings)


# ---- checkpoints and runs: one finished run serves all


@pytest.fixture(scope="module")
def finished(originals, tmp_path_factory):
    """A folder with a finished run, and the path of its best checkpoint there."""
    folder = tmp_path_factory.mktemp("finished") / "here"
    shutil.copytree(originals, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("LIT_MEDSEG_DATA", raising=False)
        assert call("fit", "--config", write_yaml(segmentation())) == 0
        (best,) = Path("runs").rglob("best.ckpt")
        assert call("test", "--config", "exp.yaml") == 0, "the same arguments find the run"
    return folder, best


@pytest.fixture
def best(finished, monkeypatch, capsys):
    folder, path = finished
    monkeypatch.chdir(folder)
    capsys.readouterr()
    before = path.read_bytes()
    yield str(path)
    assert path.read_bytes() == before


OTHERS = [
    (classification, {}, "of another task, expected lit_medseg.tasks.classification.ClassificationTask"),
    (
        segmentation,
        {"model__init_args__network__init_args": {"kernel_size": 3, "padding": 1}},
        "of another network, expected network.weight (1, 1, 3, 3), got network.weight (1, 1, 1, 1)",
    ),
    (segmentation, {"data__init_args__truth": {"masks": {"liver": 255}}}, "data.truth: other classes"),
    (
        segmentation,
        {"data__init_args__preparation": {"steps": [spec("lit_medseg.preprocess.resize.Resize", height=9, width=9)]}},
        "data.preparation.steps: the steps differ",
    ),
    (
        segmentation,
        {
            "data__init_args__preparation": {
                "normalize": spec("lit_medseg.preprocess.standardize.Standardize", std=[9.0])
            }
        },
        "Standardize.std differs",
    ),
]


@pytest.mark.parametrize(("settings", "changes", "named"), OTHERS)
def test_checkpoint_of_something_else(best, capsys, settings, changes, named):
    assert named in refusal(capsys, settings(**changes), "--ckpt_path", best, verb="test")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (None, "no such checkpoint"),
        (lambda whole: whole[: len(whole) // 2], "torn or no checkpoint"),
        (lambda whole: b"", "torn or no checkpoint"),
        (lambda whole: b"hello", "torn or no checkpoint"),
    ],
)
def test_damaged_checkpoint(best, capsys, tmp_path, damage, named):
    path = tmp_path / "given.ckpt"
    if damage is not None:
        path.write_bytes(damage(Path(best).read_bytes()))
    assert named in refusal(capsys, segmentation(), "--ckpt_path", str(path), verb="test")
    assert named in refusal(capsys, None, "--ckpt_path", str(path), verb="predict")


def test_checkpoint_of_another_program(best, capsys, tmp_path):
    content = torch.load(best, weights_only=True)
    path = str(tmp_path / "given.ckpt")
    torch.save({"state_dict": content["state_dict"]}, path)
    assert "of another program" in refusal(capsys, None, "--ckpt_path", path, verb="test")
    torch.save({**content, "lit_medseg": {"task": "x"}}, path)
    assert "its card is incomplete" in refusal(capsys, None, "--ckpt_path", path, verb="test")


def test_no_run(best, capsys):
    settings = segmentation(experiment="other")
    assert "expected a finished run of this YAML" in refusal(capsys, settings, verb="test")
    assert "expected a run 'zz'" in refusal(capsys, segmentation(), "--run", "zz", verb="test")
    assert "--ckpt_path: no value" in refusal(capsys, None, "--ckpt_path", verb="test")


def test_run_exists(best, capsys):
    name = Path(best).parents[1].name
    assert "--run: the run is finished" in refusal(capsys, segmentation(), "--run", name)


def test_no_room_for_the_run(best, capsys):
    assert "no run can be kept there" in refusal(capsys, segmentation(runs_dir="exp.yaml/runs"))


def test_nothing_to_score(best, capsys):
    Path("split.json").write_text(json.dumps({"train": IDS[:8], "val": IDS[8:], "test": []}))
    settings = segmentation(data__init_args__splitter=SPLIT_FILE)
    for verb in ("test", "predict"):
        text = refusal(capsys, settings, "--ckpt_path", best, verb=verb)
        assert f"{verb}: the split has no test cases" in text


# ---- what looks odd and works


def test_odd_names_work(best, capsys):
    ids = [f"{number:03} Fall Ü" for number in range(12)]
    write_pairs(Path("odd"), ids)
    table = "case,pat\r\n" + "".join(f"{case_id},{case_id[:3]}\r\n" for case_id in ids)
    (Path("odd") / "cases.csv").write_bytes(table.encode("utf-8-sig"))
    source = _table(table)["data"]["init_args"]["source"]
    source["init_args"]["root"] = "odd"
    settings = segmentation(
        experiment="odd", data__init_args__source=source, data__init_args__truth={"masks": {"Läsion > 5 mm": 255}}
    )
    assert call("fit", "--config", write_yaml(settings, "odd.yaml")) == 0
    (table,) = Path("runs/odd").rglob("val.csv")
    (line, *_) = table.read_text(encoding="utf-8").splitlines()[1:]
    assert line.split(",")[0] in ids
    assert line.split(",")[1:3] == [line[:3], "Läsion > 5 mm"]


def test_numbers_as_labels_work(best, capsys):
    rng = np.random.default_rng(0)
    images = rng.random((20, 16, 16)).astype(np.float32) + np.arange(20)[:, None, None] % 2
    np.savez("archive.npz", images=images, labels=np.arange(20) % 2)
    source = spec(
        "lit_medseg.catalogue.numpy_archive.NumpyArchive",
        root=".", file="archive.npz", images=["images"], labels=["labels"],
    )  # fmt: skip
    settings = classification(
        experiment="numbers",
        data__init_args__source=source,
        data__init_args__truth={"labels": {"normal": 0, "ill": 1}},
        data__init_args__trust={"patients": "unknown"},
    )
    assert call("fit", "--config", write_yaml(settings, "numbers.yaml")) == 0
    assert [status for path, status in states().items() if path.startswith("runs/numbers")] == ["FINISHED"]


def test_predict_all_images_without_masks(best, capsys):
    rng = np.random.default_rng(5)
    grids = {f"n{number}": (20 + number, 30) for number in range(3)}
    for name, grid in grids.items():
        write_png(Path("new") / f"{name}.png", rng.integers(0, 200, (1, *grid)).astype(np.uint8))
    source = spec("lit_medseg.catalogue.folder_pairs.FolderPairs", root="new", images=".", masks=None)
    settings = segmentation(
        data__init_args__source=source, data__init_args__truth=GONE, data__init_args__predict_cases="all"
    )
    name = write_yaml(settings, "new.yaml")
    assert call("predict", "--config", name, "--ckpt_path", best, "--output", "found here") == 0
    assert "predictions found here" in capsys.readouterr().out
    files = sorted(Path("found here").glob("*.png"))
    assert {file.stem: read_mask(file).shape for file in files} == grids
    assert all(set(np.unique(read_mask(file))) <= {0, 255} for file in files)


# ---- help


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict", "ui", "doctor"])
def test_help(capsys, verb):
    assert call(verb, "--help") == 0
    captured = capsys.readouterr()
    first = captured.out.splitlines()[0]
    assert first.startswith("usage: python -m lit_medseg ")
    assert f" {verb} [" in first
    assert captured.err == ""


def test_print_config(place, capsys):
    name = write_yaml(segmentation())
    assert call("fit", "--config", name, "--print_config") == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["data"]["init_args"]["training"]["repeats"] == 1
    assert printed["model"]["init_args"]["network"]["class_path"] == "torch.nn.Conv2d"
    assert not Path("runs").exists()
