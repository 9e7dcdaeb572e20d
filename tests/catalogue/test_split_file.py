import hashlib
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lit_medseg.catalogue.classes import LabelClasses, MaskClasses
from lit_medseg.catalogue.csv_table import CsvTable
from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.folder_pairs import FolderPairs
from lit_medseg.catalogue.hold_out import HoldOut
from lit_medseg.catalogue.numpy_archive import NumpyArchive
from lit_medseg.catalogue.prepared import catalogue
from lit_medseg.catalogue.split import check_split
from lit_medseg.catalogue.split_file import SplitFile
from lit_medseg.errors import ConfigError, DataError, SplitError
from tests.catalogue.fake_cases import entry, manifest_of, random_manifest

CLASSES = LabelClasses({"a": "0", "b": "1"})


def _write(folder: Path, plain: object) -> str:
    (folder / "split.json").write_text(json.dumps(plain), encoding="utf-8")
    return str(folder / "split.json")


def test_our_own_split_comes_back(tmp_path):
    manifest = random_manifest(0, 12, 3)
    split = HoldOut(seed=4).split(manifest, CLASSES)
    split.to_json(tmp_path / "split.json")
    again = SplitFile(str(tmp_path / "split.json"), seed=9).split(manifest, CLASSES)
    assert (again.sets, again.seed, again.split_hash) == (split.sets, 4, split.split_hash)
    assert again.rule == f"split.json: {split.rule}"


def test_an_empty_val_of_the_file_stays_empty(tmp_path):
    path = _write(tmp_path, {"train": ["a"], "val": [], "test": ["b"]})
    assert SplitFile(path).split(manifest_of([entry("a"), entry("b")]), CLASSES).val == ()


@pytest.mark.parametrize("seed", range(6))
def test_val_is_cut_from_train_by_patient_and_class(tmp_path, seed):
    manifest = random_manifest(seed, 30, 4)
    ids = sorted(manifest.by_id)
    test = [case_id for case_id in ids if case_id < "p010"]
    path = _write(tmp_path, {"train": [case_id for case_id in ids if case_id >= "p010"], "test": test})
    split = SplitFile(path, val=0.2, seed=seed).split(manifest, CLASSES)
    assert list(split.test) == test
    assert sorted([*split.train, *split.val]) == [case_id for case_id in ids if case_id >= "p010"]
    assert {c[:4] for c in split.train}.isdisjoint({c[:4] for c in split.val})
    assert abs(len(split.val) - 0.2 * (len(ids) - len(test))) <= 3
    check_split(split, manifest, CLASSES)
    assert SplitFile(path, val=0.2, seed=seed).split(manifest, CLASSES) == split


@pytest.mark.parametrize("form", ["{0}", "{0}.png", "{0}.dcm.png", "{0}.nii.gz"])
@pytest.mark.parametrize("known", ["{0}", "{0}.png", "{0}.dcm", "train/{0}.dcm"])
def test_ids_are_found_with_and_without_endings(tmp_path, form, known):
    path = _write(tmp_path, {"train": [form.format("c1.5")], "test": [form.format("c1.6")]})
    manifest = manifest_of([entry(known.format(name)) for name in ("c1.5", "c1.6")])
    split = SplitFile(path, val=0).split(manifest, CLASSES)
    assert split.sets == {"train": (known.format("c1.5"),), "val": (), "test": (known.format("c1.6"),)}


def test_ids_that_could_mean_two_cases_are_not_guessed(tmp_path):
    manifest = manifest_of([entry("x/1"), entry("y/1"), entry("y/2")])
    split = SplitFile(_write(tmp_path, {"train": ["1.png", "y/1.png", "2"]}), val=0).split(manifest, CLASSES)
    assert split.train == ("1.png", "y/1", "y/2")
    with pytest.raises(SplitError, match=r"case 1.png in train: unknown"):
        check_split(split, manifest, LabelClasses({"x": "0", "y": "1"}))


def test_an_id_as_it_is_comes_first(tmp_path):
    path = _write(tmp_path, {"train": ["1.png"], "test": ["1.dcm"]})
    split = SplitFile(path, val=0).split(manifest_of([entry("1.png"), entry("1.dcm")]), CLASSES)
    assert (split.train, split.test) == (("1.png",), ("1.dcm",))


def test_unknown_and_doubled_ids_are_left_for_the_check(tmp_path):
    path = _write(tmp_path, {"train": ["a", "a", "b", "c", "d", "lost"], "test": ["gone"]})
    manifest = manifest_of([entry(name, name, ("ab"[name in "ac"],)) for name in "abcd"])
    with pytest.raises(SplitError) as caught:
        check_split(SplitFile(path, val=0.4).split(manifest, CLASSES), manifest, CLASSES)
    assert "case lost in train: unknown" in str(caught.value)
    assert "case gone in test: unknown" in str(caught.value)


def test_a_leaking_file_is_refused(tmp_path):
    path = _write(tmp_path, {"train": ["a1", "b1"], "test": ["a2"], "val": []})
    manifest = manifest_of([entry("a1", "A"), entry("a2", "A"), entry("b1", "B")])
    with pytest.raises(SplitError, match="patient A: leaks between sets"):
        check_split(SplitFile(path).split(manifest, CLASSES), manifest, CLASSES)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "not JSON"),
        ("[]", "not a split, .* got list"),
        ('{"test": []}', "not a split"),
        ('{"train": "a"}', "not a split"),
        ('{"train": [1]}', "not a split"),
        ('{"train": ["a"], "val": 0.2}', "not a split"),
    ],
)
def test_files_that_are_no_splits_are_refused(tmp_path, text, match):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(SplitError, match=match):
        SplitFile(str(tmp_path / "split.json")).split(manifest_of([entry("a")]), CLASSES)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SplitError, match="missing split file"):
        SplitFile(str(tmp_path / "none.json")).split(manifest_of([entry("a")]), CLASSES)


def test_relative_paths_start_where_roots_start(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    _write(tmp_path, {"train": ["a"]})
    monkeypatch.setenv("LIT_MEDSEG_DATA", str(tmp_path / "data"))
    assert SplitFile("../split.json", val=0).split(manifest_of([entry("a")]), CLASSES).train == ("a",)


def test_unusable_fractions_are_refused():
    with pytest.raises(ConfigError, match="unusable fractions"):
        SplitFile("x.json", val=1.0)


def _archive(folder: Path, counts: object = None, **change: object) -> tuple[str, list[Entry]]:
    """Write an archive and its split: 3 + 1 training, 1 + 1 validation, 1 + 2 test cases."""
    (folder / "all.npz").write_bytes(b"not read")
    labels = {"train": "0010", "val": "01", "test": "101"}
    entries = [
        entry(f"{name}_images-{i}", None, ("ab"[int(label)],), metadata={"array": f"{name}_images"}, labels=(label,))
        for name, row in labels.items()
        for i, label in enumerate(row)
    ]
    digest = hashlib.sha256(b"not read").hexdigest()
    counts = counts or {"train": [3, 1], "val": [1, 1], "test": [1, 2]}
    return _write(folder, {"file": "all.npz", "sha256": digest, "counts": counts, "rule": "r"} | change), entries


def test_the_arrays_of_an_archive_are_the_sets(tmp_path):
    path, entries = _archive(tmp_path)
    split = SplitFile(path).split(manifest_of(entries, str(tmp_path)), CLASSES)
    assert {name: len(ids) for name, ids in split.sets.items()} == {"train": 4, "val": 2, "test": 3}
    assert all(case_id.startswith(f"{name}_images-") for name, ids in split.sets.items() for case_id in ids)
    assert (split.rule, split.seed) == ("split.json: r", None)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sha256": "0" * 64}, "all.npz is another archive"),
        ({"file": "other.npz"}, "archive is missing"),
        ({"counts": {"train": [3, 1], "val": [1, 1], "test": [2, 1]}}, r"test: other number .* \[2, 1\], got \[1, 2\]"),
    ],
)
def test_another_archive_is_refused(tmp_path, change, match):
    path, entries = _archive(tmp_path, **change)
    with pytest.raises(SplitError, match=match):
        SplitFile(path).split(manifest_of(entries, str(tmp_path)), CLASSES)


def test_cases_of_other_arrays_are_refused(tmp_path):
    path, entries = _archive(tmp_path)
    stray = entry("extra-0", metadata={"array": "extra_images"})
    with pytest.raises(SplitError, match="case extra-0: in no set"):
        SplitFile(path).split(manifest_of([*entries, stray], str(tmp_path)), CLASSES)


@pytest.fixture(scope="module")
def splits():
    """The folder of given splits beside the real data."""
    root = os.environ.get("LIT_MEDSEG_DATA", "")
    folder = Path(root).resolve().parent / "splits"
    if not root or not (folder / "nuclei.json").is_file():
        pytest.skip("no real data: LIT_MEDSEG_DATA is unset, or no splits/ beside it")
    return folder


@pytest.mark.realdata
def test_nuclei(splits):
    source = FolderPairs("nuclei_dsb2018")
    manifest, split = catalogue(source, MaskClasses({"nucleus": 255}), SplitFile("../splits/nuclei.json"), "unknown")
    given = json.loads((splits / "nuclei.json").read_text())
    assert list(split.test) == sorted(given["test"])
    assert sorted([*split.train, *split.val]) == sorted(given["train"])
    assert (len(manifest.entries), len(split.val), len(split.test)) == (171, 21, 34)
    assert {one.channels for one in manifest.entries} == {3}


@pytest.mark.realdata
@pytest.mark.parametrize("kind", ["masks", "groups"])
def test_cardiac(splits, kind):
    given = json.loads((splits / "cardiac.json").read_text())
    if kind == "masks":
        source = FolderPairs("cardiac_sunnybrook", "*/images", "*/labels", patient_pattern="^(.+)-IM")
        classes = MaskClasses({"left_ventricle": 255})
    else:
        columns = {"image": "{split}/images/{file}", "case": "{file}", "patient": "{patient_id}", "label": "{group}"}
        source = CsvTable("cardiac_sunnybrook", "metadata.csv", **columns)
        classes = LabelClasses({name: name for name in ("HF-I", "HF-NI", "HYP", "N")})
    manifest, split = catalogue(source, classes, SplitFile("../splits/cardiac.json"))
    patients = {name: {manifest.by_id[c].case.patient_id for c in ids} for name, ids in split.sets.items()}
    assert patients["test"] == set(given["patients"]["test"])
    assert patients["train"] | patients["val"] == set(given["patients"]["train"])
    assert not patients["train"] & patients["val"]
    assert (len(split.train) + len(split.val), len(split.test)) == (135, 162)


@pytest.mark.realdata
def test_pneumonia(splits):
    names = ("train", "val", "test")
    images, labels = [f"{name}_images" for name in names], [f"{name}_labels" for name in names]
    source = NumpyArchive("xray_pneumoniamnist", "pneumoniamnist.npz", images, labels)
    classes, splitter = LabelClasses({"normal": "0", "pneumonia": "1"}), SplitFile("../splits/pneumonia.json")
    manifest, split = catalogue(source, classes, splitter, "unknown", identical="allow")
    given = json.loads((splits / "pneumonia.json").read_text())
    for name, ids in split.sets.items():
        counts = Counter(manifest.by_id[case_id].label for case_id in ids)
        assert [counts[0], counts[1]] == given["counts"][name]
    with pytest.raises(DataError, match=r"train_images-0492 \(train\), case val_images-236 \(val\)"):
        catalogue(source, classes, splitter, "unknown")
    archive = np.load(source.folder / "pneumoniamnist.npz")
    held_out = {image.tobytes() for name in ("val", "test") for image in archive[f"{name}_images"]}
    copies = {f"train_images-{i:04d}" for i, one in enumerate(archive["train_images"]) if one.tobytes() in held_out}
    dropped = catalogue(source, classes, splitter, "unknown", identical="drop")[1]
    assert set(split.train) - set(dropped.train) == copies
    assert (dropped.val, dropped.test) == (split.val, split.test)


@pytest.mark.realdata
def test_hippocampus_ids(splits):
    """Volumes are not read yet: the ids of the files alone."""
    root = Path(os.environ["LIT_MEDSEG_DATA"]) / "mri_hippocampus_msd"
    found = [entry(path.name.removesuffix(".nii.gz"), path.name, ("a", "b")) for path in root.glob("images/*.nii.gz")]
    manifest = manifest_of(found)
    split = SplitFile("../splits/hippocampus.json").split(manifest, CLASSES)
    check_split(split, manifest, CLASSES)
    assert (len(split.train) + len(split.val), len(split.test)) == (90, 30)
