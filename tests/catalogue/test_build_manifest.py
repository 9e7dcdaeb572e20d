import os
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lit_medseg.catalogue import build_manifest as module
from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.classes import LabelClasses, MaskClasses
from lit_medseg.errors import DataError
from tests.catalogue.fake_cases import FakeSource, pair, source_of_pairs, write_png

CLASSES = MaskClasses({"organ": 7, "lesion": 9})


@pytest.fixture
def scans(monkeypatch):
    """Counts how often files are read."""
    counted = []
    real = module.scan
    monkeypatch.setattr(module, "scan", lambda *args: counted.append(1) or real(*args))
    return counted


def test_facts_are_those_of_the_files(tmp_path):
    source = source_of_pairs(tmp_path, 5)
    manifest = build_manifest(source, CLASSES, None)
    assert [entry.case for entry in manifest.entries] == list(source.cases)
    for entry in manifest.entries:
        mask = np.asarray(Image.open(tmp_path / entry.case.masks[0].path))
        assert (entry.grid, entry.channels, entry.dtype) == ((12, 10), 1, "uint8")
        assert entry.pixels == {"organ": int((mask == 7).sum()), "lesion": int((mask == 9).sum())}
        assert entry.present == ("organ", "lesion")
    assert len({entry.pixel_hash for entry in manifest.entries}) == 5


def test_absent_classes_count_zero(tmp_path):
    case = pair(tmp_path, "a", np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 9, np.uint8))
    entry = build_manifest(FakeSource(str(tmp_path), (case,)), CLASSES, None).entries[0]
    assert (entry.channels, entry.present, dict(entry.pixels)) == (3, ("lesion",), {"organ": 0, "lesion": 16})


def test_overlapping_masks_are_counted_each(tmp_path):
    write_png(tmp_path / "i.png", np.zeros((3, 4), np.uint8))
    write_png(tmp_path / "a.png", np.array([[1, 1, 1, 1]] * 3, np.uint8))
    write_png(tmp_path / "b.png", np.array([[1, 0, 0, 0]] * 3, np.uint8))
    case = Case("i", "p", (Ref("i.png"),), (Ref("a.png"), Ref("b.png")))
    classes = MaskClasses({"organ": 1, "lesion": 1}, overlapping=True)
    manifest = build_manifest(FakeSource(str(tmp_path), (case,)), classes, None)
    assert dict(manifest.entries[0].pixels) == {"organ": 12, "lesion": 3}


def test_channels_of_several_files_are_stacked(tmp_path):
    for name in "abc":
        write_png(tmp_path / f"{name}.png", np.full((3, 4), ord(name), np.uint8))
    case = Case("i", "p", (Ref("a.png"), Ref("b.png"), Ref("c.png")))
    assert build_manifest(FakeSource(str(tmp_path), (case,)), None, None).entries[0].channels == 3


def _dirty(folder):
    """One case of each fault; gives the source and what must be named per case."""
    rng = np.random.default_rng(0)
    image, mask = rng.integers(0, 256, (40, 40), dtype=np.uint8), np.zeros((40, 40), np.uint8)
    cases = [pair(folder, f"{i:02d}", image, mask) for i in range(8)]
    (folder / "images/00.png").unlink()
    (folder / "masks/01.png").unlink()
    whole = (folder / "images/02.png").read_bytes()
    (folder / "images/02.png").write_bytes(whole[: len(whole) // 2])
    write_png(folder / "masks/03.png", mask[:39])
    write_png(folder / "masks/04.png", mask + 5)
    for name, bad in (("05", np.nan), ("06", np.inf)):
        pixels = image.astype(np.float32)
        pixels[3, 4] = bad
        np.save(folder / f"images/{name}.npy", pixels)
        cases[int(name)] = replace(cases[int(name)], images=(Ref(f"images/{name}.npy"),))
    cases[7] = replace(cases[7], masks=())
    named = ["missing file", "missing file", "02.png", "not of the image's size, expected (40, 40), got (39, 40)"]
    named += ["undeclared mask values, expected [0, 7, 9], got [5]", "1 NaN or infinite", "1 NaN or infinite", "masks"]
    return FakeSource(str(folder), tuple(cases), ("masks/lost.png: mask without image",)), named


def test_all_faults_are_reported_at_once(tmp_path):
    source, named = _dirty(tmp_path)
    with pytest.raises(DataError) as caught:
        build_manifest(source, CLASSES, tmp_path / "cache")
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("9 faults in 8 cases")
    assert lines[1] == "  - masks/lost.png: mask without image"
    for i, text in enumerate(named):
        assert f"case {i:02d}" in lines[i + 2]
        assert text in lines[i + 2]
    assert not list(tmp_path.glob("cache/*"))


def test_a_case_can_have_several_faults(tmp_path):
    case = pair(tmp_path, "a", np.zeros((4, 4), np.uint8), np.full((5, 4), 3, np.uint8))
    (tmp_path / "images/a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="2 faults in 1 cases") as caught:
        build_manifest(FakeSource(str(tmp_path), (case,)), CLASSES, None)
    assert "got [3]" in str(caught.value)


def test_ten_are_named_and_the_rest_counted(tmp_path):
    source = source_of_pairs(tmp_path, 13)
    with pytest.raises(DataError, match="13 faults in 13 cases") as caught:
        build_manifest(source, MaskClasses({"organ": 7}), None)
    assert str(caught.value).count("case c") == 10
    assert "and 3 more" in str(caught.value)


def test_a_faulty_data_set_is_refused_again(tmp_path):
    source, cache = source_of_pairs(tmp_path / "data", 3), tmp_path / "cache"
    for _ in range(2):
        with pytest.raises(DataError, match="3 faults in 3 cases"):
            build_manifest(source, MaskClasses({"organ": 7}), cache)


def test_labels_are_checked(tmp_path):
    write_png(tmp_path / "i.png", np.zeros((4, 4), np.uint8))
    cases = [Case(str(i), "p", (Ref("i.png"),), labels=labels) for i, labels in enumerate([("1",), ("3",), None, ()])]
    classes = LabelClasses({"no": "0", "yes": "1"})
    with pytest.raises(DataError, match="3 faults in 4 cases") as caught:
        build_manifest(FakeSource(str(tmp_path), tuple(cases)), classes, None)
    assert "case 1, label: undeclared label, expected ['0', '1'], got ['3']" in str(caught.value)
    assert "case 2, label: missing" in str(caught.value)
    entry = build_manifest(FakeSource(str(tmp_path), (cases[0],)), classes, None).entries[0]
    assert (entry.label, entry.present) == (1, ("yes",))


def test_channels_on_different_grids_are_refused(tmp_path):
    write_png(tmp_path / "a.png", np.zeros((4, 4), np.uint8))
    write_png(tmp_path / "b.png", np.zeros((4, 5), np.uint8))
    case = Case("i", "p", (Ref("a.png"), Ref("b.png")))
    with pytest.raises(DataError, match=r"image b.png: channels differ in size, expected \(4, 4\) like a.png"):
        build_manifest(FakeSource(str(tmp_path), (case,)), None, None)


def test_missing_patients_must_be_declared(tmp_path):
    source = source_of_pairs(tmp_path, 3)
    source = replace(source, cases=(*source.cases[:2], replace(source.cases[2], patient_id=None)))
    with pytest.raises(DataError, match=r"none for 1 of 3 cases \(c02\).*patients: unknown"):
        build_manifest(source, CLASSES, None)
    assert len(build_manifest(source, CLASSES, None, patients="unknown").entries) == 3


def test_no_cases_are_refused(tmp_path):
    with pytest.raises(DataError, match="no cases found"):
        build_manifest(FakeSource(str(tmp_path)), CLASSES, None)


def test_prediction_reads_no_truth(tmp_path):
    source = source_of_pairs(tmp_path, 2)
    (tmp_path / "masks/c00.png").unlink()
    entries = build_manifest(source, None, None).entries
    assert [(entry.truth_hash, entry.present, entry.label) for entry in entries] == [("", (), None)] * 2


def test_the_result_is_kept_while_nothing_changes(tmp_path, scans):
    source, cache = source_of_pairs(tmp_path / "data", 4), tmp_path / "cache"
    first = build_manifest(source, CLASSES, cache)
    assert build_manifest(source, CLASSES, cache) == first
    assert len(scans) == 1
    assert [path.suffix for path in cache.iterdir()] == [".json"]


def test_every_change_is_seen(tmp_path, scans):
    source, cache = source_of_pairs(tmp_path / "data", 4), tmp_path / "cache"
    first = build_manifest(source, CLASSES, cache)
    mask = tmp_path / "data/masks/c01.png"
    stat = mask.stat()
    os.utime(mask, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    assert build_manifest(source, CLASSES, cache).data_hash == first.data_hash
    write_png(tmp_path / "data/images/c00.png", np.zeros((12, 10), np.uint8))
    assert build_manifest(source, CLASSES, cache).data_hash != first.data_hash
    build_manifest(source, MaskClasses({"lesion": 9, "organ": 7}), cache)
    build_manifest(replace(source, cases=source.cases[:3]), CLASSES, cache)
    build_manifest(
        replace(source, cases=(replace(source.cases[0], patient_id="other"), *source.cases[1:])), CLASSES, cache
    )
    assert len(scans) == 6


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"entries": [], "source": {}, "data_hash": "0"}'])
def test_a_damaged_result_is_read_again(tmp_path, scans, damage):
    source, cache = source_of_pairs(tmp_path / "data", 2), tmp_path / "cache"
    first = build_manifest(source, CLASSES, cache)
    kept = next(cache.iterdir())
    kept.write_bytes(damage)
    assert build_manifest(source, CLASSES, cache) == first
    assert len(scans) == 2
    assert build_manifest(source, CLASSES, cache) == first
    assert len(scans) == 2


def test_a_kept_result_does_not_hide_missing_patients(tmp_path):
    source, cache = source_of_pairs(tmp_path / "data", 2), tmp_path / "cache"
    source = replace(source, cases=tuple(replace(case, patient_id=None) for case in source.cases))
    build_manifest(source, CLASSES, cache, patients="unknown")
    with pytest.raises(DataError, match="patients"):
        build_manifest(source, CLASSES, cache)


def test_a_full_disk_leaves_no_half_result(tmp_path, monkeypatch):
    source, cache = source_of_pairs(tmp_path / "data", 2), tmp_path / "cache"

    def no_space(self, path):
        path.write_text('{"entries": [')
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.Manifest, "to_json", no_space)
    with pytest.raises(DataError, match="cache_dir"):
        build_manifest(source, CLASSES, cache)
    assert not list(cache.iterdir())
