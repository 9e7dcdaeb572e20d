"""`ensemble`, and `validate`, `test` and `predict` on what it wrote, called in this process."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.phantom_volumes import PhantomVolumes
from lit_medseg.catalogue.seen_cases import seen_cases
from lit_medseg.catalogue.split import Split
from lit_medseg.data.fitted_state import FittedState
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.volume import Volume
from lit_medseg.inference.sliding_window import SlidingWindow
from lit_medseg.main import main
from lit_medseg.preprocess.cache_index import CacheIndex
from lit_medseg.preprocess.cache_writer import INDEX
from lit_medseg.preprocess.sample import Sample
from tests.commands.test_predict import PHANTOMS, volumes
from tests.commands.tiny_experiments import other_data, segmentation, sgd
from tests.commands.workplace import Run
from tests.data.fake_sets import write_classes

OWN = "tests.commands.test_ensemble"
WINDOW = (8, 16, 16)
SPLITS = (11, 10, 12)
"""Seeds of splits whose training cases have other median spacings: 18.0, 17.4 and 17.1 mm from slice to slice."""


class OfSpacing(nn.Module):
    """As wide as the training images are coarse: members differ in shape. Bright is organ or lesion."""

    def __init__(self, in_channels: int, classes: int, spacing_mm: tuple[float, ...] = ()) -> None:
        super().__init__()
        width = 2 + int(1000 * sum(spacing_mm)) % 5
        self.layers = nn.Sequential(
            nn.Conv3d(in_channels, width, 3, padding=1), nn.Tanh(), nn.Conv3d(width, classes, 3, padding=1)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if image.max() > 40:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        seen = image[:, :1]
        return self.layers(image) + torch.cat([-seen, seen - 0.5, 2 * seen - 2.0], dim=1)


def fold(seed, channels=1, **truth):
    """Phantoms whose spacings differ: what is fitted, and the network with it, follows from who trains."""
    settings = volumes(channels)
    settings["trainer"]["max_epochs"] = 2
    settings["seed_everything"] = seed
    settings["model"]["init_args"] |= {"network": {"class_path": f"{OWN}.OfSpacing"}, "optimizer": sgd(0.01)}
    settings["data"]["init_args"]["splitter"] = {
        "class_path": "lit_medseg.catalogue.hold_out.HoldOut",
        "init_args": {"val": 0.25, "test": 0.5, "seed": SPLITS[seed]},
    }
    settings["data"]["init_args"]["truth"] |= truth
    return settings


def best(run):
    return run.path / "checkpoints/best.ckpt"


def card_of(path):
    return torch.load(path, weights_only=True)["lit_medseg"]


@pytest.fixture(scope="module")
def members(workplace):
    return [best(workplace.fit(f"ensemble_fold{seed}", fold(seed))) for seed in range(3)]


@pytest.fixture(scope="module")
def phantoms(workplace):
    source = PhantomVolumes(**{**PHANTOMS, "root": str(workplace.folder / PHANTOMS["root"])})
    source.prepare()
    return source.folder


@pytest.fixture(autouse=True)
def _place(workplace, monkeypatch, tmp_path):
    monkeypatch.chdir(workplace.folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def put_together(target, *members):
    assert main(["ensemble", *map(str, members), "--output", str(target)]) == 0
    return target


@pytest.fixture(scope="module")
def ensemble(workplace, members, tmp_path_factory):
    target = tmp_path_factory.mktemp("ensemble") / "ensemble.ckpt"
    workplace.call("ensemble", *map(str, members), "--output", str(target))
    return target


def predict(checkpoint, studies, output, *arguments):
    argv = ["--ckpt_path", checkpoint, "--input", studies, "--output", output, *arguments]
    return main(["predict", *map(str, argv)])


@pytest.fixture(scope="module")
def predicted(workplace, members, ensemble, phantoms, tmp_path_factory):
    """Masks and probabilities of each member and, last, of the ensemble."""
    folders = []
    for checkpoint in (*members, ensemble):
        folders.append(tmp_path_factory.mktemp("masks"))
        workplace.call(
            "predict", "--ckpt_path", str(checkpoint), "--input", str(phantoms / "images"),
            "--output", str(folders[-1]), "--probabilities", "true",
        )  # fmt: skip
    return folders


def probabilities(folder, name):
    read = [nibabel.load(folder / "probabilities" / kind / name).get_fdata() for kind in ("organ", "lesion")]
    return np.stack([1 - sum(read), *read])


def test_members_have_other_spacings_and_other_networks(members):
    cards = [card_of(path) for path in members]
    spacings = [card["data"]["pipeline"][-1]["init_args"]["spacing_mm"][0] for card in cards]
    assert spacings == pytest.approx([18.0, 17.4, 17.1], abs=1e-3)
    shapes = [torch.load(path, weights_only=True)["state_dict"]["network.layers.0.weight"].shape for path in members]
    assert len(set(shapes)) > 1


def test_probabilities_are_the_mean_of_the_members(predicted):
    """NumPy's mean of the members' files; the files have 16 bits."""
    *folders, together = predicted
    decided = set()
    for file in sorted(together.glob("*.nii.gz")):
        mean = np.mean([probabilities(folder, file.name) for folder in folders], axis=0)
        np.testing.assert_allclose(probabilities(together, file.name), mean, atol=1e-3)
        codes = np.asarray(nibabel.load(file).dataobj)
        ordered = np.sort(mean, axis=0)
        sure = ordered[-1] - ordered[-2] > 2e-3
        assert sure.mean() > 0.9
        np.testing.assert_array_equal(codes[sure], mean.argmax(axis=0)[sure])
        decided |= set(np.unique(codes))
    assert decided == {0, 1, 2}


def member_probabilities(path, image):
    """One member's probabilities on the native grid, float64, step by step as `fit` says that they are made."""
    content = torch.load(path, weights_only=True)
    card = content["lit_medseg"]
    state = FittedState.from_plain(card["data"])
    network = OfSpacing(1, 3, tuple(card["config"]["model"]["init_args"]["network"]["init_args"]["spacing_mm"]))
    network.load_state_dict(
        {key.removeprefix("network."): value for key, value in content["state_dict"].items() if "network" in key}
    )
    processed, trace = state.pipeline.apply(Sample((image,)))
    seen = torch.from_numpy(processed.images[0].array.astype(np.float32))[None]
    with torch.no_grad():
        logits = SlidingWindow(WINDOW)(seen, network.eval())[0]
    shares = logits.softmax(dim=0).numpy()
    native = [state.pipeline.invert(Volume(plane[None], (1.0,) * 3), trace).array[0] for plane in shares]
    return np.stack(native).astype(np.float64)


def test_masks_are_those_of_the_mean_up_to_ties(members, predicted, phantoms):
    together = predicted[-1]
    for name in ("patient000", "patient003"):
        image = read_volume(phantoms / "images" / f"{name}_0000.nii.gz")
        mean = np.mean([member_probabilities(path, image) for path in members], axis=0)
        # files are read as our own reader does, in the order of the image's axes
        codes = read_volume(together / f"{name}.nii.gz").array[0]
        ordered = np.sort(mean, axis=0)
        sure = ordered[-1] - ordered[-2] > 1e-6
        assert sure.mean() > 0.999
        np.testing.assert_array_equal(codes[sure], mean.argmax(axis=0)[sure])


def test_masks_without_probabilities_are_the_same(ensemble, predicted, phantoms, tmp_path):
    assert predict(ensemble, phantoms / "images", tmp_path) == 0
    for file in sorted(tmp_path.glob("*.nii.gz")):
        assert file.read_bytes() == (predicted[-1] / file.name).read_bytes()


def scores(workplace, verb, checkpoint, tmp_path, *arguments):
    """The table and the run of a verb on a checkpoint that lies in no run folder."""
    where = tmp_path / "runs"
    assert main([verb, "--ckpt_path", str(checkpoint), "--runs_dir", str(where), *map(str, arguments)]) == 0
    (state,) = where.glob("*/*/state.json")
    stage = {"test": "test", "validate": "val"}[verb]
    return pd.read_csv(state.parent / f"cases/{stage}.csv", dtype={"case_id": str}), Run(state.parent, workplace.store)


@pytest.mark.parametrize("times", [1, 2])
def test_equal_members_are_the_checkpoint_itself(workplace, members, phantoms, tmp_path, times):
    """On the cases of the YAML, and on new studies."""
    copied = tmp_path / "moved.ckpt"
    shutil.copy(members[0], copied)
    same = put_together(tmp_path / "same.ckpt", *[members[0]] * times)
    tables, runs = zip(*(scores(workplace, "test", one, tmp_path / one.stem) for one in (copied, same)), strict=True)
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    assert not [run for run in runs if "seen_by_test" in run.mlflow.data.tags]  # a fold's own test cases are unseen
    folders = [tmp_path / f"masks-{one.stem}" for one in (copied, same)]
    given = ["--input", phantoms / "images"] if times == 1 else []
    for checkpoint, folder in zip((copied, same), folders, strict=True):
        argv = ["--ckpt_path", checkpoint, "--output", folder, *given]
        assert main(["predict", *map(str, argv)]) == 0
    files = [{file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders]
    assert files[0] == files[1]
    assert len(files[0]) == (9 if given else 5)


def test_a_score_of_seen_cases_says_so(workplace, ensemble, members, capsys):
    """The first fold's test cases trained the other members. Scores go to the run that the ensemble lies in."""
    run = Run(members[2].parent.parent, workplace.store)
    shutil.copy(ensemble, members[2].parent / "ensemble.ckpt")
    assert main(["test", "--ckpt_path", str(members[2].parent / "ensemble.ckpt")]) == 0
    table = pd.read_csv(run.path / "cases/test.csv")
    assert table["case_id"].nunique() == 4
    text = capsys.readouterr().err
    assert "WARNING: 4 of 4 cases (patient003, patient004, patient005, ...) were training or" in text
    assert run.mlflow.data.tags["seen_by_test"].startswith("4 of 4 cases (patient003")
    assert {"test/dice", "test/loss", "test/dice/ci_low"} <= set(run.mlflow.data.metrics)
    assert [item for item in run.artifacts() if item.startswith("overlays/test/")]


def test_unseen_cases_need_no_warning(workplace, ensemble, tmp_path, capsys):
    """Phantoms of another seed: of them only what is evaluated is processed for the further members."""
    other = ["--data.init_args.source.init_args.seed", "6"]
    before = set(Path("cache").glob(f"*/{INDEX}"))
    _, run = scores(workplace, "test", ensemble, tmp_path, *other)
    assert "seen_by_test" not in run.mlflow.data.tags
    assert "WARNING" not in capsys.readouterr().err
    made = [CacheIndex.from_json(path.read_text()) for path in set(Path("cache").glob(f"*/{INDEX}")) - before]
    assert sorted(len(index.records) for index in made) == [4, 4, 8]


def test_members_of_unknown_training_are_told(workplace, members, tmp_path, capsys):
    content = torch.load(members[0], weights_only=True)
    del content["lit_medseg"]["seen"]
    bare = tmp_path / "bare.ckpt"
    torch.save(content, bare)
    ensemble = put_together(tmp_path / "ensemble.ckpt", bare, members[1])
    assert "unknown     the cases that trained bare.ckpt" in capsys.readouterr().out
    _, run = scores(workplace, "test", ensemble, tmp_path, "--data.init_args.source.init_args.seed", "5")
    assert run.mlflow.data.tags["seen_by_test"].startswith("nothing is known of the cases that trained 1 members")


def test_what_was_seen_is_read_from_the_run_folder_where_a_card_does_not_say(members, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(members[0].parent.parent, folder)
    content = torch.load(members[0], weights_only=True)
    expected = content["lit_medseg"].pop("seen")
    torch.save(content, folder / "checkpoints/best.ckpt")
    ensemble = put_together(tmp_path / "ensemble.ckpt", folder / "checkpoints/best.ckpt", members[1])
    assert card_of(ensemble)["members"][0]["seen"] == expected


def test_the_file_names_nobody(ensemble, members):
    content = torch.load(ensemble, weights_only=True)
    assert set(content) == {"state_dict", "lit_medseg", "pytorch-lightning_version"}
    card = content["lit_medseg"]
    assert len(card["members"]) == 3
    text = json.dumps(card)  # plain data
    assert str(Path.cwd()) not in text
    assert "patient0" not in text
    for number, path in enumerate(members):
        for name, value in torch.load(path, weights_only=True)["state_dict"].items():
            torch.testing.assert_close(content["state_dict"][f"network.{number}.{name}"], value, rtol=0, atol=0)


def test_its_own_yaml_may_be_given_and_another_may_not(workplace, ensemble, predicted, phantoms, tmp_path, capsys):
    own = workplace.write("ensemble_own", fold(2))
    assert predict(ensemble, phantoms / "images", tmp_path / "own", "--config", own) == 0
    for file in sorted((tmp_path / "own").glob("*.nii.gz")):
        assert file.read_bytes() == (predicted[-1] / file.name).read_bytes()
    settings = fold(0)
    settings["model"]["init_args"]["network"] = {"class_path": "tests.commands.test_predict.Threshold"}
    other = workplace.write("ensemble_other", settings)
    assert predict(ensemble, phantoms / "images", tmp_path / "other", "--config", other) == 2
    assert "ensemble.ckpt: of another network: network.class_path differs, expected" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_broken_studies_are_skipped(ensemble, predicted, phantoms, tmp_path, capsys):
    studies = tmp_path / "studies"
    shutil.copytree(phantoms / "images", studies)
    sound = nibabel.load(studies / "patient000_0000.nii.gz")
    bright = np.asarray(sound.dataobj).astype(np.float32)
    bright[0, 0, 0] = 1e9
    nibabel.Nifti1Image(bright, sound.affine).to_filename(studies / "large_0000.nii.gz")
    (studies / "torn_0000.nii.gz").write_bytes((studies / "patient000_0000.nii.gz").read_bytes()[:1500])
    assert predict(ensemble, studies, tmp_path / "masks") == 1
    failed = pd.read_csv(tmp_path / "masks/failed.csv", dtype=str)
    assert dict(zip(failed["case_id"], failed["stage"], strict=True)) == {
        "large": "prediction",
        "torn": "reading",
    }
    assert "predicted   8 of 10 cases" in capsys.readouterr().out


def test_post_processing_is_the_ensembles(workplace, members, ensemble, tmp_path, capsys):
    """Chosen for the ensemble and applied; what was chosen for a member is not."""
    own = tmp_path / "own.ckpt"
    shutil.copy(ensemble, own)
    _, run = scores(workplace, "validate", own, tmp_path, "--choose_post_processing", "true")
    assert card_of(own)["post_processing"]["cases"] == 2
    assert run.mlflow.data.tags["seen_by_validate"].startswith("1 of 2 cases (patient007)")
    step = {"class_path": "lit_medseg.inference.post_process.remove_small.RemoveSmall",
            "init_args": {"minimum_mm3": 1e9, "classes": ["organ", "lesion"]}}  # fmt: skip
    chosen = tmp_path / "chosen.json"
    chosen.write_text(json.dumps({"steps": [step]}))
    arguments = [*map(str, members), "--output", str(tmp_path / "empty.ckpt"), "--post_processing", str(chosen)]
    assert main(["ensemble", *arguments]) == 0
    table, _ = scores(workplace, "test", tmp_path / "empty.ckpt", tmp_path / "empty")
    assert (table["tp"] + table["fp"] == 0).all()
    chosen.write_text("{}")
    assert main(["ensemble", *arguments]) == 2
    assert "--post_processing: unusable, expected chosen post-processing, got" in capsys.readouterr().err


def test_members_that_do_not_fit_are_refused(workplace, members, ensemble, tmp_path, capsys):
    settings = fold(0, channels=2)
    two = best(workplace.fit("ensemble_two_channels", settings))
    settings = fold(0, masks={"liver": 1, "lesion": 2})
    renamed = best(workplace.fit("ensemble_renamed", settings))
    target = tmp_path / "ensemble.ckpt"
    capsys.readouterr()
    assert main(["ensemble", *map(str, (members[0], two, renamed, ensemble)), "--output", str(target)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if f"other channels than {members[0]}, expected 1, got 2" in line]
    assert [line for line in lines if "other classes than" in line and "liver" in line]
    assert [line for line in lines if f"{ensemble}: an ensemble, expected a single checkpoint, got 3 members" in line]
    assert not target.exists()


def test_only_an_ensemble_is_replaced(members, tmp_path, capsys):
    target = put_together(tmp_path / "ensemble.ckpt", *members)
    put_together(target, *members[:2])
    assert len(card_of(target)["members"]) == 2
    single = tmp_path / "single.ckpt"
    shutil.copy(members[0], single)
    before = single.read_bytes()
    assert main(["ensemble", *map(str, members), "--output", str(single)]) == 2
    assert "single.ckpt: it is no ensemble, expected a new file, got a single checkpoint" in capsys.readouterr().err
    assert single.read_bytes() == before
    assert main(["ensemble", str(tmp_path / "none.ckpt"), "--output", str(target)]) == 2
    assert "none.ckpt: no such checkpoint" in capsys.readouterr().err


def test_pictures_in_batches(workplace, tmp_path):
    """One member is the checkpoint to the last bit, in batches of three; two have another mean."""
    runs = []
    for seed in (0, 1):
        settings = segmentation()
        settings["seed_everything"] = seed
        settings["data"]["init_args"]["splitter"]["init_args"]["seed"] = seed
        runs.append(best(workplace.fit(f"ensemble_pictures{seed}", settings)))
    moved = tmp_path / "moved.ckpt"
    shutil.copy(runs[0], moved)
    files = [moved, put_together(tmp_path / "one.ckpt", runs[0]), put_together(tmp_path / "two.ckpt", *runs)]
    plain, one, two = (scores(workplace, "test", file, tmp_path / file.stem)[0] for file in files)
    pd.testing.assert_frame_equal(plain, one, check_exact=True)
    assert list(two["case_id"]) == list(plain["case_id"])
    assert not two["fp"].equals(plain["fp"])


def test_classification(workplace, tmp_path):
    """The ensemble's probabilities are the mean of the members' on the same cases; its loss is the mean of theirs."""
    root = workplace.folder / "ensemble_classes"
    write_classes(root)
    source = {"class_path": "lit_medseg.catalogue.class_folders.ClassFolders"}
    source["init_args"] = {"root": str(root), "patient_pattern": r"(q\d+)_"}
    task = "lit_medseg.tasks.classification.ClassificationTask"
    runs = []
    for seed in (0, 1):
        settings = other_data(source, {"labels": ["dark", "bright"]}, task, "TinyClassifier", optimizer=sgd(0.1))
        settings["seed_everything"] = seed
        settings["data"]["init_args"]["splitter"]["init_args"]["seed"] = seed
        runs.append(best(workplace.fit(f"ensemble_classes{seed}", settings)))
    tables = []
    for number, file in enumerate(runs):
        split = ["--data.init_args.splitter.init_args.seed", "0"]
        assert main(["predict", "--ckpt_path", str(file), "--output", str(tmp_path / str(number)), *split]) == 0
        tables.append(pd.read_csv(tmp_path / str(number) / "predictions.csv", index_col="case_id"))
    ensemble = put_together(tmp_path / "ensemble.ckpt", *runs)
    table, run = scores(workplace, "test", ensemble, tmp_path)
    shares = [one.loc[table["case_id"], ["p_dark", "p_bright"]].to_numpy() for one in tables]
    mean = table[["p_dark", "p_bright"]].to_numpy()
    np.testing.assert_allclose(mean, (shares[0] + shares[1]) / 2, atol=1e-7)
    assert list(table["prediction"]) == [("dark", "bright")[code] for code in mean.argmax(axis=1)]
    codes = (table["label"] == "bright").to_numpy()
    losses = [-np.log(np.where(codes, share[:, 1], share[:, 0])).mean() for share in shares]
    assert run.mlflow.data.metrics["test/loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_first_members_cases_are_in_its_card(members):
    folder = members[0].parent.parent
    manifest, split = Manifest.from_json(folder / "manifest.json"), Split.from_json(folder / "split.json")
    seen = card_of(members[0])["seen"]
    assert seen == seen_cases(manifest, split)
    assert (len(seen["train"]), len(seen["val"])) == (len(split.train), len(split.val))
