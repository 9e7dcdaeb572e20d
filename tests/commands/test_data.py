import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from lit_medseg.catalogue.split import Split
from lit_medseg.commands.data_check import fault_kind
from lit_medseg.main import main
from tests.catalogue.fake_cases import pair
from tests.catalogue.fake_volumes import image, mask, write_nifti
from tests.commands.data_sets import dirty, volumes, write_config


def call(capsys, *argv):
    status = main(["data", *map(str, argv)])
    out = capsys.readouterr()
    return status, out.out, out.err


def test_a_clean_set(tmp_path, capsys):
    volumes(tmp_path / "set")
    status, out, _ = call(capsys, "check", write_config(tmp_path, tmp_path / "set"), "--out", tmp_path / "o")
    assert status == 0
    assert "0 faults, 0 notes" in out
    assert "6 sound of 6" in out
    plain = json.loads((tmp_path / "o/check.json").read_text())
    assert plain["faults"] == []
    assert plain["facts"]["grid"] == "5 x 6 x 7"
    assert plain["facts"]["masks lie on their image's grid"] == "within 0.2 of the smallest spacing"


def test_every_fault_at_once(tmp_path, capsys):
    dirty(tmp_path / "set")
    status, out, _ = call(capsys, "check", write_config(tmp_path, tmp_path / "set"))
    assert status == 1
    faults = [line for line in out.splitlines() if line.startswith("fault: ")]
    texts = {
        "p0": "1 NaN or infinite",
        "p1": "7 mm apart",
        "p2": "undeclared mask values, expected [0, 1, 2], got [9]",
        "p3": "image without mask",
        "p4": "mask without image",
        "p5": "truncated or corrupt",
        "p6": "expected the shape (5, 6, 7), got (4, 6, 7)",
        "p7": "the volume is empty",
    }
    assert len(faults) == len(texts)
    for name, text in texts.items():
        assert any(name in fault and text in fault for fault in faults), name
    assert "1 cases have an empty mask: p8" in out
    assert "1 sound of 7" in out
    assert str(tmp_path / "set") not in out


def test_the_split_and_doubles_are_checked(tmp_path, capsys):
    volumes(tmp_path / "set")
    write_nifti(tmp_path / "set/images/p5.nii.gz", image(0))
    (tmp_path / "split.json").write_text(json.dumps({"train": ["p0", "p1", "p2"], "val": ["p3", "p9"], "test": ["p5"]}))
    splitter = {
        "class_path": "lit_medseg.catalogue.split_file.SplitFile",
        "init_args": {"path": str(tmp_path / "split.json")},
    }
    config = write_config(tmp_path, tmp_path / "set", splitter=splitter)
    status, out, _ = call(capsys, "check", config)
    assert status == 1
    assert "fault: case p9 in val: unknown" in out
    assert "identical images with contradicting truth" in out
    assert "note: identical images: p0, p5" in out
    status, out, _ = call(capsys, "check", config, "--data.init_args.trust.identical", "drop")
    assert "identical images with contradicting truth" not in out


def test_a_check_reads_anew_and_fit_need_not(tmp_path, capsys):
    volumes(tmp_path / "set")
    config = write_config(tmp_path, tmp_path / "set")
    assert call(capsys, "check", config)[0] == 0
    (kept,) = (tmp_path / "cache").glob("manifest-*.json")
    stamp = kept.stat().st_mtime_ns
    assert call(capsys, "check", config)[0] == 0
    assert kept.stat().st_mtime_ns > stamp


def test_split_is_printed_and_written(tmp_path, capsys):
    volumes(tmp_path / "set", 8)
    splitter = {"class_path": "lit_medseg.catalogue.hold_out.HoldOut", "init_args": {"val": 0.25, "test": 0.25}}
    config = write_config(tmp_path, tmp_path / "set", splitter=splitter)
    status, out, _ = call(capsys, "split", "--config", config, "--out", tmp_path / "o")
    assert status == 0
    split = Split.from_json(tmp_path / "o/split.json")
    assert {name: len(ids) for name, ids in split.sets.items()} == {"train": 4, "val": 2, "test": 2}
    rows = list(csv.DictReader((tmp_path / "o/split.csv").read_text().splitlines()))
    assert {row["case"]: row["set"] for row in rows} == {case: name for name, ids in split.sets.items() for case in ids}
    assert rows[0]["classes"] == "a b"
    assert "rule: " in out


def test_the_fingerprint(tmp_path, capsys):
    volumes(tmp_path / "set")
    config = write_config(tmp_path, tmp_path / "set")
    status, out, _ = call(capsys, "describe", config, "--out", tmp_path / "o")
    assert status == 0
    plain = json.loads((tmp_path / "o/fingerprint.json").read_text())
    assert (plain["cases"], plain["patients"]) == (6, 6)
    assert plain["shape"]["median"] == [5, 6, 7]
    inside = np.concatenate([image(n)[mask(n) > 0] for n in range(6)]).astype(np.float64)
    found = plain["intensities"]["channel 0"]
    assert (found["within"], found["voxels"]) == ("foreground", len(inside))
    assert found["mean"] == pytest.approx(inside.mean(), abs=1e-4)
    assert found["percentiles"]["99.5"] == pytest.approx(np.percentile(inside, 99.5), abs=1e-4)
    voxel_ml = np.prod(plain["spacing_mm"]["median"]) / 1000
    volumes_ml = [float((mask(n) == 2).sum() * voxel_ml) for n in range(6)]
    assert plain["classes"]["b"]["volume_ml"]["median"] == pytest.approx(np.median(volumes_ml), abs=1e-4)
    with Image.open(tmp_path / "o/sheet.png") as sheet:
        assert np.asarray(sheet.convert("L")).std() > 10
    assert "channel 0" in out


def test_channels_on_other_grids_are_looked_up_in_the_patient(tmp_path, capsys):
    ramp = np.arange(8, dtype=np.int16)[:, None, None] * np.ones((8, 8, 8), np.int16)
    codes = np.zeros((8, 8, 8), np.uint8)
    codes[4:6] = 1
    for number in range(3):
        write_nifti(tmp_path / f"set/{number}_a.nii.gz", 10 * ramp + number, np.eye(4))
        coarse = np.diag([2, 2, 2, 1.0])
        write_nifti(tmp_path / f"set/{number}_b.nii.gz", 1000 + ramp[:4, :4, :4] + number, coarse)
        write_nifti(tmp_path / f"set/{number}_m.nii.gz", codes, np.eye(4))
    (tmp_path / "set/t.csv").write_text("id\n0\n1\n2\n")
    source = {
        "class_path": "lit_medseg.catalogue.csv_table.CsvTable",
        "init_args": {
            "root": str(tmp_path / "set"),
            "table": "t.csv",
            "case": "{id}",
            "patient": "{id}",
            "image": {"fine": "{id}_a.nii.gz", "coarse": "{id}_b.nii.gz"},
            "mask": "{id}_m.nii.gz",
        },
    }
    config = write_config(tmp_path, source=source, truth={"masks": {"x": 1}})
    assert call(capsys, "describe", config, "--out", tmp_path / "o")[0] == 0
    found = json.loads((tmp_path / "o/fingerprint.json").read_text())["intensities"]
    assert (found["fine"]["min"], found["fine"]["max"]) == (40, 52)
    assert (found["coarse"]["min"], found["coarse"]["max"]) == (1002, 1004)


def test_pictures_are_described_too(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for number in range(5):
        colours = rng.integers(0, 256, (12, 10, 3), dtype=np.uint8)
        pair(tmp_path / "set", f"p{number}", colours, rng.integers(0, 3, (12, 10), dtype=np.uint8))
    config = write_config(tmp_path, tmp_path / "set")
    assert call(capsys, "describe", config, "--out", tmp_path / "o")[0] == 0
    plain = json.loads((tmp_path / "o/fingerprint.json").read_text())
    assert list(plain["intensities"]) == ["channel 0[0]", "channel 0[1]", "channel 0[2]"]
    assert "volume_ml" not in plain["classes"]["a"]
    assert (tmp_path / "o/sheet.png").stat().st_size > 1000


def test_labels_are_described_too(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for number in range(6):
        pixels = rng.integers(0, 256, (12, 10), dtype=np.uint8)
        folder = tmp_path / f"set/{'ab'[number % 2]}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"p{number}.png")
    source = {
        "class_path": "lit_medseg.catalogue.class_folders.ClassFolders",
        "init_args": {"root": str(tmp_path / "set"), "patient_pattern": "(p[0-9])"},
    }
    config = write_config(tmp_path, source=source, truth={"labels": ["a", "b"]})
    for verb in ("check", "split", "describe"):
        assert call(capsys, verb, config, "--out", tmp_path / "o")[0] == 0
    plain = json.loads((tmp_path / "o/fingerprint.json").read_text())
    assert plain["classes"] == {"a": {"cases": 3}, "b": {"cases": 3}}
    assert plain["intensities"]["channel 0"]["within"] == "image"


def test_images_without_truth(tmp_path, capsys):
    volumes(tmp_path / "set", 3)
    config = write_config(tmp_path, tmp_path / "set", truth={})
    status, out, _ = call(capsys, "check", config)
    assert status == 0
    assert "note: `truth` declares no classes" in out
    assert call(capsys, "describe", config, "--out", tmp_path / "o")[0] == 0
    assert json.loads((tmp_path / "o/fingerprint.json").read_text())["intensities"]["channel 0"]["within"] == "image"
    assert call(capsys, "split", config)[0] == 2


@pytest.mark.parametrize("verb", ["check", "split", "describe"])
def test_a_folder_that_cannot_be_written(tmp_path, capsys, verb):
    volumes(tmp_path / "set")
    (tmp_path / "file").write_text("")
    config = write_config(tmp_path, tmp_path / "set")
    status, _, err = call(capsys, verb, config, "--out", tmp_path / "file/below")
    assert status == 2
    assert "a file cannot be written, expected room" in err


def test_a_set_with_faults_is_not_described(tmp_path, capsys):
    dirty(tmp_path / "set")
    status, _, err = call(capsys, "describe", write_config(tmp_path, tmp_path / "set"))
    assert status == 2
    assert "8 faults in 7 cases" in err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "no configuration"),
        (("nowhere.yaml",), "--config: no such file"),
        (("{config}", "--data.init_args.source.root", "/no/such/folder"), "the data set's folder is missing"),
        (("{config}", "--data.init_args.source.rooot", "x"), "Did you mean 'root'"),
        (("{config}", "--data.init_args.trust.patients", "x"), "expected one of ['required', 'unknown']"),
        (("{empty}",), "no `data`"),
        (("{broken}",), "not a YAML"),
        (("{other}",), "keys are missing"),
    ],
)
def test_unusable_configurations(tmp_path, capsys, words, text):
    volumes(tmp_path / "set", 3)
    (tmp_path / "empty.yaml").write_text("- 1\n")
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "other.yaml").write_text("trainer: {max_epochs: 1}\n")
    files = {name: str(tmp_path / f"{name}.yaml") for name in ("empty", "broken", "other")}
    files["config"] = write_config(tmp_path, tmp_path / "set")
    status, _, err = call(capsys, "check", *(word.format(**files) for word in words))
    assert status == 2
    assert text in err
    assert err.count("\n") == 1


def test_later_files_win_and_data_may_be_a_file(tmp_path, capsys):
    volumes(tmp_path / "set", 6)
    whole = yaml.safe_load(Path(write_config(tmp_path, "nowhere")).read_text())
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(whole["data"]))
    (tmp_path / "first.yaml").write_text("data: data.yaml\n")
    over = {"data": {"init_args": {"source": {"init_args": {"root": str(tmp_path / "set")}}}}}
    (tmp_path / "second.yaml").write_text(yaml.safe_dump(over))
    (tmp_path / "third.yaml").write_text("trainer: {max_epochs: 1}\n")
    files = [word for name in ("first", "second", "third") for word in ("--config", tmp_path / f"{name}.yaml")]
    assert call(capsys, "check", *files)[0] == 0
    other = {"class_path": "lit_medseg.catalogue.phantom.Phantom", "init_args": {"root": str(tmp_path), "patients": 6}}
    (tmp_path / "second.yaml").write_text(yaml.safe_dump({"data": {"init_args": {"source": other}}}))
    truth = ("--data.init_args.truth.masks", "{organ: 1, lesion: 2}")
    status, _, err = call(capsys, "check", *files, *truth)
    assert (status, err) == (0, "")


def test_lightning_is_not_needed(tmp_path):
    volumes(tmp_path / "set", 6)
    config = write_config(tmp_path, tmp_path / "set")
    code = (
        "import sys; from lit_medseg.main import main; status = main(['data', 'check', sys.argv[1]]);"
        "heavy = {'torch', 'lightning', 'monai', 'mlflow', 'matplotlib', 'SimpleITK', 'highdicom'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else status)"
    )
    done = subprocess.run([sys.executable, "-c", code, config], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("case a, image b.nii.gz: unusable pixels, expected finite, got 1. Do.", "unusable pixels"),
        ("no house form", "no house form"),
    ],
)
def test_faults_are_counted_by_kind(fault, kind):
    assert fault_kind(fault) == kind
