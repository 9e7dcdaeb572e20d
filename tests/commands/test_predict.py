"""`predict` on folders of new studies, and the post-processing that it shares with `test`, called in this process."""

import json
import shutil

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lit_medseg.catalogue.phantom_volumes import PhantomVolumes
from lit_medseg.imaging.read_array import read_mask
from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.write_png import write_png
from lit_medseg.main import main
from tests.commands.tiny_experiments import other_data, segmentation
from tests.data.fake_sets import write_classes
from tests.imaging.fake_dicom import numbers, save, slices

OWN = "tests.commands.test_predict"
PHANTOMS = {"root": "phantom_volumes", "patients": 8, "slices": 8, "size": 32}


class Threshold(nn.Module):
    """Bright is organ, very bright lesion; one study, known by a voxel, is too much for it."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.channels, self.classes = in_channels, classes

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if image.max() > 40:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        seen = image[:, :1]
        return torch.cat([-seen, seen - 0.5, 2 * seen - 2.0], dim=1)[:, : self.classes] + self.weight


def volumes(channels=1, **changes):
    """Phantom volumes through windows; nothing is learnt in the two steps."""
    settings = segmentation(optimizer={"class_path": "torch.optim.SGD", "init_args": {"lr": 0.0}})
    settings["trainer"]["max_epochs"] = 1
    settings["model"]["init_args"]["network"] = {"class_path": f"{OWN}.Threshold"}
    source = {
        "class_path": "lit_medseg.catalogue.phantom_volumes.PhantomVolumes",
        "init_args": {**PHANTOMS, "channels": channels},
    }
    settings["data"] = {
        "class_path": "data_modules.mri.MRIDataModule",
        "init_args": {
            **settings["data"]["init_args"],
            "source": source,
            "training": {"patch_size": [8, 16, 16], "augmentation": []},
            **changes,
        },
    }
    return settings


@pytest.fixture(scope="module")
def fitted(workplace):
    return workplace.fit("predict_volumes", volumes())


@pytest.fixture(scope="module")
def phantoms(workplace):
    source = PhantomVolumes(str(workplace.folder / "phantom_volumes"), patients=8, slices=8, size=32)
    source.prepare()
    return source.folder


@pytest.fixture(autouse=True)
def _place(workplace, monkeypatch, tmp_path):
    monkeypatch.chdir(workplace.folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def predict(run, *arguments):
    return main(["predict", "--ckpt_path", str(run.path / "checkpoints/best.ckpt"), *map(str, arguments)])


@pytest.fixture(scope="module")
def done(workplace, fitted, phantoms, tmp_path_factory):
    """All eight phantoms, with probabilities."""
    output = tmp_path_factory.mktemp("masks")
    workplace.call(
        "predict", "--ckpt_path", str(fitted.path / "checkpoints/best.ckpt"), "--input", str(phantoms / "images"),
        "--output", str(output), "--probabilities", "true",
    )  # fmt: skip
    return output


def test_masks_lie_over_their_images(done, phantoms):
    files = sorted(done.glob("*.nii.gz"))
    assert [file.name for file in files] == [f"patient{number:03d}.nii.gz" for number in range(8)]
    for file in files:
        mask = nibabel.load(file)
        image = nibabel.load(phantoms / "images" / file.name.replace(".nii", "_0000.nii"))
        assert mask.shape == image.shape
        np.testing.assert_allclose(mask.affine, image.affine, atol=1e-5)
        codes, values = np.asarray(mask.dataobj), image.get_fdata()
        assert set(np.unique(codes)) == {0, 1, 2}
        # what was found is bright there and nowhere else
        assert values[codes == 2].mean() > values[codes == 1].mean() > values[codes == 0].mean()


def test_masks_are_those_that_were_tested(workplace, fitted, phantoms, done):
    workplace.call("test", "--ckpt_path", str(fitted.path / "checkpoints/best.ckpt"))
    table = pd.read_csv(fitted.path / "cases/test.csv", dtype={"case_id": str})
    for row in table.itertuples():
        mask, truth = (
            np.asarray(nibabel.load(folder / f"{row.case_id}.nii.gz").dataobj) for folder in (done, phantoms / "masks")
        )
        code = {"organ": 1, "lesion": 2}[row[3]]
        assert (row.tp, row.fp) == (((mask == code) & (truth == code)).sum(), ((mask == code) & (truth != code)).sum())


def test_probabilities_decide_as_the_masks_do(done):
    for number in range(8):
        name = f"patient{number:03d}.nii.gz"
        codes = np.asarray(nibabel.load(done / name).dataobj)
        organ, lesion = (nibabel.load(done / "probabilities" / one / name).get_fdata() for one in ("organ", "lesion"))
        sure = np.abs(organ - lesion) > 1e-3
        assert (organ > lesion)[sure & (codes == 1)].all()
        assert (lesion > organ)[sure & (codes == 2)].all()
        assert (organ + lesion).max() <= 1.001


def test_measurements(done):
    table = pd.read_csv(done / "measurements.csv")
    assert list(table.columns) == [
        "case_id", "class", "voxels", "components", "volume_ml", "largest_diameter_mm", "mean_image"
    ]  # fmt: skip
    assert list(table["case_id"]) == [f"patient{number:03d}" for number in range(8) for _ in range(2)]
    for row in table.itertuples():
        mask = nibabel.load(done / f"{row.case_id}.nii.gz")
        found = np.asarray(mask.dataobj) == {"organ": 1, "lesion": 2}[row[2]]
        assert row.voxels == found.sum()
        assert row.volume_ml == pytest.approx(found.sum() * abs(np.linalg.det(mask.affine[:3, :3])) / 1000, rel=1e-4)
    assert not (done / "failed.csv").exists()


@pytest.fixture(scope="module")
def broken(tmp_path_factory, phantoms):
    """Two sound studies, and one of each way to be broken."""
    folder = tmp_path_factory.mktemp("studies")
    sound = nibabel.load(phantoms / "images/patient000_0000.nii.gz")
    values = np.asarray(sound.dataobj)
    (folder / "sub").mkdir()
    nibabel.save(sound, folder / "good.nii.gz")
    nibabel.save(nibabel.load(phantoms / "images/patient002_0000.nii.gz"), folder / "sub/x_0000.nii.gz")
    (folder / "torn.nii.gz").write_bytes((folder / "good.nii.gz").read_bytes()[:2000])
    faulty = values.astype(np.float32)
    faulty[3, 4, 5] = np.nan
    nibabel.save(nibabel.Nifti1Image(faulty, sound.affine), folder / "nan.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.zeros_like(values), sound.affine), folder / "empty.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.stack([values] * 2, -1), sound.affine), folder / "two.nii.gz")
    huge = values.copy()
    huge[5, 5, 5] = 32000
    nibabel.save(nibabel.Nifti1Image(huge, sound.affine), folder / "large.nii.gz")
    write_png(folder / "flat.png", np.arange(1024, dtype=np.uint8).reshape(32, 32))
    return folder


def test_broken_studies_are_told_and_skipped(fitted, broken, tmp_path, capsys):
    assert predict(fitted, "--input", broken, "--output", tmp_path / "out") == 1
    out, err = capsys.readouterr()
    table = pd.read_csv(tmp_path / "out/failed.csv", keep_default_na=False).set_index("case_id")
    assert table["stage"].to_dict() == {
        "torn": "reading", "nan": "reading", "empty": "reading", "two": "reading",
        "flat": "preprocessing", "large": "prediction",
    }  # fmt: skip
    assert "out of memory in its prediction" in table["reason"]["large"]
    assert "1 NaN or infinite" in table["reason"]["nan"]
    assert all(f"skipped: {reason}" in err.replace("\n", "") for reason in table["reason"])
    assert "predicted   2 of 8 cases" in out
    files = {file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*.*")}
    assert files == {"good.nii.gz", "sub/x.nii.gz", "measurements.csv", "failed.csv"}
    assert set(pd.read_csv(tmp_path / "out/measurements.csv")["case_id"]) == {"good", "sub/x"}


def test_mended_studies_leave_no_table_of_failures(fitted, broken, tmp_path, capsys):
    studies, output = tmp_path / "studies", tmp_path / "out"
    shutil.copytree(broken, studies)
    assert predict(fitted, "--input", studies, "--output", output) == 1
    for name in ("torn.nii.gz", "nan.nii.gz", "empty.nii.gz", "two.nii.gz", "large.nii.gz", "flat.png"):
        (studies / name).unlink()
    capsys.readouterr()
    assert predict(fitted, "--input", studies, "--output", output) == 0
    assert not (output / "failed.csv").exists()
    assert "predicted   2 of 2 cases, 2 earlier files replaced" in capsys.readouterr().out


def test_nothing_done(fitted, broken, tmp_path, capsys):
    only = tmp_path / "studies"
    only.mkdir()
    shutil.copy(broken / "torn.nii.gz", only)
    assert predict(fitted, "--input", only, "--output", tmp_path / "out") == 2
    assert "no study can be read, expected images, got 1 faults" in capsys.readouterr().err
    shutil.copy(broken / "large.nii.gz", only)
    assert predict(fitted, "--input", only, "--output", tmp_path / "out") == 2
    assert "predicted   0 of 2 cases" in capsys.readouterr().out
    assert fitted.status == "FINISHED"


def test_two_channels_by_number_and_by_name(workplace, tmp_path):
    run = workplace.fit("predict_channels", volumes(channels=2))
    made = PhantomVolumes(**PHANTOMS, channels=2)
    folder = tmp_path / "studies" / "someone"
    folder.mkdir(parents=True)
    for channel, name in enumerate(("T1", "T2")):
        shutil.copy(made.folder / f"images/patient000_{channel:04d}.nii.gz", folder / f"{name}_axial.nii.gz")
    assert predict(run, "--input", made.folder / "images", "--output", tmp_path / "a") == 0
    assert predict(run, "--input", tmp_path / "studies", "--output", tmp_path / "b") == 0
    assert len(list((tmp_path / "a").glob("*.nii.gz"))) == 8
    masks = [np.asarray(nibabel.load(tmp_path / name).dataobj) for name in ("a/patient000.nii.gz", "b/someone.nii.gz")]
    np.testing.assert_array_equal(*masks)
    table = pd.read_csv(tmp_path / "b/measurements.csv")
    assert list(table.columns[-2:]) == ["mean_t1", "mean_t2"]


def test_dicom_series(fitted, tmp_path):
    studies = tmp_path / "studies"
    save(slices(numbers((9, 24, 26), low=0, high=900), gap=3.0), studies / "one")
    tilted = slices(
        numbers((9, 24, 26), low=0, high=900), series="1.2.3.4.5.6.99", heights=[0, 3, 6, 9, 12, 20, 23, 26, 29]
    )
    save(tilted, studies / "PAT-77" / "two")
    assert predict(fitted, "--input", studies, "--output", tmp_path / "out") == 1
    files = {file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*.*")}
    assert files == {"one.dcm", "one.nii.gz", "measurements.csv", "failed.csv"}
    image = read_volume(studies / "one")
    segments = read_mask_volume(tmp_path / "out/one.dcm", reference=image)
    mask = nibabel.load(tmp_path / "out/one.nii.gz")
    np.testing.assert_array_equal(segments.array[0], np.asarray(mask.dataobj).T)
    np.testing.assert_allclose(mask.affine, image.affine[:, [2, 1, 0, 3]], atol=1e-4)
    (failed,) = pd.read_csv(tmp_path / "out/failed.csv").to_dict("records")
    assert failed["case_id"].endswith("/two")
    assert "3.00 mm" in failed["reason"]
    assert "PAT-77" not in (tmp_path / "out/failed.csv").read_text() + (tmp_path / "out/measurements.csv").read_text()


def test_a_series_without_identifiers_has_its_nifti_alone(fitted, tmp_path, capsys):
    stack = slices(numbers((9, 24, 26), low=0, high=900), gap=3.0)
    for data in stack:
        del data.FrameOfReferenceUID
    save(stack, tmp_path / "studies" / "one")
    assert predict(fitted, "--input", tmp_path / "studies", "--output", tmp_path / "out") == 1
    out, err = capsys.readouterr()
    assert "predicted   1 of 1 cases" in out
    assert "no DICOM-SEG: case one, one.dcm: the series does not carry what a DICOM-SEG needs" in err
    assert pd.read_csv(tmp_path / "out/failed.csv")["stage"].tolist() == ["DICOM-SEG"]
    assert len(pd.read_csv(tmp_path / "out/measurements.csv")) == 2
    assert (tmp_path / "out/one.nii.gz").is_file()
    assert not (tmp_path / "out/one.dcm").exists()


def test_what_goes_to_mlflow_names_no_patient(fitted, tmp_path):
    studies = tmp_path / "studies"
    save(slices(numbers((9, 24, 26), low=0, high=900), gap=3.0), studies / "one")
    assert predict(fitted, "--input", studies) == 0
    assert (fitted.predictions / "one.dcm").is_file()
    found = fitted.artifacts()
    assert "predictions/one.nii.gz" in found
    assert not [name for name in found if name.endswith(".dcm")]


def test_pictures(workplace, tmp_path):
    run = workplace.fit("predict_pictures", segmentation())
    image = np.random.default_rng(0).integers(0, 255, (40, 44)).astype(np.uint8)
    write_png(tmp_path / "studies/deep/a.png", image)
    (tmp_path / "studies/torn.png").write_bytes((tmp_path / "studies/deep/a.png").read_bytes()[:300])
    assert predict(run, "--input", tmp_path / "studies", "--output", tmp_path / "out") == 1
    mask = read_mask(tmp_path / "out/deep/a.png")
    assert mask.shape == (40, 44)
    organ, lesion = pd.read_csv(tmp_path / "out/measurements.csv").to_dict("records")
    assert (organ["pixels"], lesion["pixels"]) == ((mask == 1).sum(), (mask == 2).sum())
    if organ["pixels"]:
        assert organ["mean_image"] == pytest.approx(image[mask == 1].mean())


def test_labels(workplace, tmp_path, capsys):
    write_classes(workplace.folder / "predict_classes")
    source = {
        "class_path": "lit_medseg.catalogue.class_folders.ClassFolders",
        "init_args": {"root": "predict_classes", "patient_pattern": r"(q\d+)_"},
    }
    task = "lit_medseg.tasks.classification.ClassificationTask"
    run = workplace.fit("predict_labels", other_data(source, {"labels": ["dark", "bright"]}, task, "TinyClassifier"))
    shutil.copytree(workplace.folder / "predict_classes", tmp_path / "studies")
    colour = np.random.default_rng(0).integers(0, 200, (3, 28, 28)).astype(np.uint8)
    write_png(tmp_path / "studies/colour.png", colour)
    capsys.readouterr()
    assert predict(run, "--input", tmp_path / "studies", "--output", tmp_path / "out") == 1
    assert "predicted   21 of 22 cases" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out/predictions.csv").set_index("case_id")
    assert len(table) == 21
    np.testing.assert_allclose(table["p_dark"] + table["p_bright"], 1.0)
    assert list(table.index[:2]) == ["bright/q14_0", "bright/q15_1"]
    (failed,) = pd.read_csv(tmp_path / "out/failed.csv").to_dict("records")
    assert (failed["case_id"], failed["stage"]) == ("colour", "preprocessing")
    assert "other channels than in training, expected 1, got 3" in failed["reason"]
    assert predict(run, "--input", tmp_path / "studies", "--probabilities", "true") == 2
    assert "--probabilities: it is for masks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--input", "nowhere", "--output", "o"], "nowhere: the folder of studies is missing, expected a folder"),
        (["--input", ".", "--output", "runs/x"], "--output: it lies within --input, expected a folder outside"),
        (["--input", "{run}"], "--output: it lies within --input, expected a folder outside"),
        (["--input", ".", "--output", "../o", "--trainer.fast_dev_run", "true"], "--input: there is no checkpoint"),
        (["--choose_post_processing", "true"], "--choose_post_processing: it is for validate"),
    ],
)
def test_refusals(fitted, capsys, arguments, text):
    assert predict(fitted, *(argument.format(run=fitted.path.parent) for argument in arguments)) == 2
    assert text in capsys.readouterr().err


def test_input_is_for_predict(fitted, capsys):
    assert main(["test", "--ckpt_path", str(fitted.path / "checkpoints/best.ckpt"), "--input", "."]) == 2
    assert "--input: it is for predict, expected the verb predict, got test" in capsys.readouterr().err


class Bright(nn.Module):
    """What is bright is the organ."""

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.channels, self.classes = in_channels, classes

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, :1] - 1 + self.weight


def write_speckled(root):
    """A bright box in each volume, which is the organ, and bright voxels that are not."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(12):
        rng = np.random.default_rng(number)
        image, mask = rng.normal(0, 5, (20, 18, 12)), np.zeros((20, 18, 12), np.uint8)
        low = rng.integers(2, 5, 3)
        mask[tuple(slice(first, first + side) for first, side in zip(low, (8, 7, 5), strict=True))] = 1
        image[mask == 1] = 200
        image[tuple(rng.integers(0, side, 30) for side in image.shape)] = 200
        affine = np.diag([1.0, 1.0, 2.0, 1.0])
        nibabel.save(nibabel.Nifti1Image(image.astype(np.int16), affine), root / f"images/p{number:02d}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(mask, affine), root / f"masks/p{number:02d}.nii.gz")


@pytest.fixture(scope="module")
def speckled(workplace):
    write_speckled(workplace.folder / "speckled")
    return workplace.folder / "speckled"


@pytest.fixture(scope="module")
def chosen_run(workplace, speckled):
    settings = volumes()
    settings["model"]["init_args"]["network"] = {"class_path": f"{OWN}.Bright"}
    data = settings["data"]
    data["class_path"] = "tests.data.fake_sets.BareDataModule"
    data["init_args"]["source"] = {
        "class_path": "lit_medseg.catalogue.folder_pairs.FolderPairs",
        "init_args": {"root": "speckled", "patient_pattern": "(p.*)"},
    }
    data["init_args"]["truth"] = {"masks": {"organ": 1}}
    return workplace.fit("predict_chosen", settings)


class TestPostProcessing:
    def test_it_is_chosen_once_and_applied_by_test_and_predict(self, workplace, chosen_run, speckled, tmp_path, capsys):
        run, best = chosen_run, str(chosen_run.path / "checkpoints/best.ckpt")
        workplace.call("test", "--ckpt_path", best)
        assert pd.read_csv(run.path / "cases/test.csv")["dice"].max() < 0.99
        before = torch.load(best, weights_only=True)
        workplace.call("validate", "--ckpt_path", best, "--choose_post_processing", "true")
        assert "1 steps, chosen on 3 validation cases of 3 patients" in capsys.readouterr().out
        after = torch.load(best, weights_only=True)
        chosen = after["lit_medseg"]["post_processing"]
        assert json.loads(json.dumps(chosen)) == chosen
        assert [step["class_path"].split(".")[-1] for step in chosen["steps"]] == ["LargestComponent"]
        assert all(torch.equal(weights, before["state_dict"][name]) for name, weights in after["state_dict"].items())
        assert not list(run.path.glob("checkpoints/.*"))
        assert run.download("checkpoints/best.ckpt").read_bytes() == (run.path / "checkpoints/best.ckpt").read_bytes()
        # the specks are gone from what is tested and from what is written
        workplace.call("test", "--ckpt_path", best)
        table = pd.read_csv(run.path / "cases/test.csv")
        assert table["dice"].min() > 0.99
        assert predict(run, "--input", speckled / "images", "--output", tmp_path / "out") == 0
        for row in table.itertuples():
            mask, truth = (
                np.asarray(nibabel.load(folder / f"{row.case_id}.nii.gz").dataobj)
                for folder in (tmp_path / "out", speckled / "masks")
            )
            assert (row.tp, row.fp) == ((mask & truth).sum(), (mask & ~truth).sum())
        assert (pd.read_csv(tmp_path / "out/measurements.csv")["components"] == 1).all()

    def test_a_yaml_that_names_some_is_obeyed(self, workplace, phantoms, tmp_path, capsys):
        settings = volumes()
        small = {"class_path": "lit_medseg.inference.post_process.remove_small.RemoveSmall"}
        settings["model"]["init_args"]["evaluating"] = {
            "post_processing": [{**small, "init_args": {"minimum_voxels": 40, "classes": ["organ"]}}]
        }
        run = workplace.fit("predict_named", settings)
        assert predict(run, "--input", phantoms / "images", "--output", tmp_path / "out") == 0
        from scipy import ndimage

        for number in range(8):
            mask = np.asarray(nibabel.load(tmp_path / f"out/patient{number:03d}.nii.gz").dataobj)
            labels, count = ndimage.label(mask == 1, np.ones((3, 3, 3)))
            assert count
            assert np.bincount(labels.ravel())[1:].min() >= 40
        best = str(run.path / "checkpoints/best.ckpt")
        assert main(["validate", "--ckpt_path", best, "--choose_post_processing", "true"]) == 2
        assert "expected a free choice, got post_processing in the YAML" in capsys.readouterr().err

    def test_an_unknown_class_is_refused_before_training(self, workplace, capsys):
        settings = volumes()
        fill = {"class_path": "lit_medseg.inference.post_process.fill_holes.FillHoles", "init_args": {"classes": ["x"]}}
        settings["model"]["init_args"]["evaluating"] = {"post_processing": [fill]}
        assert main(["fit", "--config", workplace.write("predict_unknown", settings)]) == 2
        assert "FillHoles: unknown class" in capsys.readouterr().err
        assert workplace.runs("predict_unknown") == []
