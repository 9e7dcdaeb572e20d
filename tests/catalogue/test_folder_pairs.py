"""Pairs are found in every layout; what has no partner is a fault."""

import os

import pytest

from lit_medseg.catalogue.case import Ref
from lit_medseg.catalogue.folder_pairs import FolderPairs
from lit_medseg.errors import ConfigError, DataError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def found(source):
    listing = source.list()
    return {
        case.case_id: (str(case.images[0]), [str(ref) for ref in case.masks]) for case in listing.cases
    }, listing.faults


def test_parallel_folders_with_other_endings(tmp_path):
    touch(tmp_path, "images/b.JPG", "images/a.png", "masks/a.tif", "masks/b.png", "images/.DS_Store", "images/x.txt")
    touch(tmp_path, "masks/._a.png")
    cases, faults = found(FolderPairs(str(tmp_path)))
    assert cases == {"a": ("images/a.png", ["masks/a.tif"]), "b": ("images/b.JPG", ["masks/b.png"])}
    assert list(cases) == ["a", "b"]
    assert faults == ()


def test_suffix_side_by_side_and_apart(tmp_path):
    touch(tmp_path, "a.jpg", "a_mask.png", "b.jpg", "b_mask.png")
    cases, faults = found(FolderPairs(str(tmp_path), images=".", masks=".", mask_suffix="_mask"))
    assert cases == {"a": ("a.jpg", ["a_mask.png"]), "b": ("b.jpg", ["b_mask.png"])}
    assert faults == ()
    touch(tmp_path, "i/c.jpg", "m/c_seg.png", "m/other.txt")
    cases, faults = found(FolderPairs(str(tmp_path), images="i", masks="m", mask_suffix="_seg"))
    assert (cases, faults) == ({"c": ("i/c.jpg", ["m/c_seg.png"])}, ())


def test_globs_replace_the_last_component(tmp_path):
    touch(tmp_path, "train/images/1.png", "train/labels/1.png", "test/images/1.png", "test/labels/1.png")
    cases, faults = found(FolderPairs(str(tmp_path), images="*/images", masks="*/labels"))
    assert cases == {
        "test/1": ("test/images/1.png", ["test/labels/1.png"]),
        "train/1": ("train/images/1.png", ["train/labels/1.png"]),
    }
    assert faults == ()
    touch(tmp_path, "deep/er/images/2.png")
    cases, _ = found(FolderPairs(str(tmp_path), images="**/images", masks=None))
    assert "deep/er/images/2" in cases


def test_several_masks_and_none(tmp_path):
    touch(tmp_path, "images/a.png", "heart/a.png", "lung/a.png")
    cases, faults = found(FolderPairs(str(tmp_path), masks=["heart", "lung"]))
    assert (cases["a"][1], faults) == (["heart/a.png", "lung/a.png"], ())
    cases, faults = found(FolderPairs(str(tmp_path), masks=None))
    assert (cases["a"][1], faults) == ([], ())


def test_orphans_are_faults_by_name(tmp_path):
    touch(tmp_path, "images/a.png", "images/b.png", "masks/a.png", "masks/c.png", "heart/a.png", "heart/b.png")
    cases, faults = found(FolderPairs(str(tmp_path)))
    assert list(cases) == ["a"]
    assert len(faults) == 2
    assert faults[0].startswith("images/b.png: image without mask, expected masks/b.*, got nothing. ")
    assert faults[1].startswith("masks/c.png: mask without image, expected images/c.*, got nothing. ")
    _, faults = found(FolderPairs(str(tmp_path), masks=["heart", "masks"]))
    assert [fault.split(":")[0] for fault in faults] == ["images/b.png", "masks/c.png"]


def test_doubled_stems_are_faults(tmp_path):
    touch(tmp_path, "images/a.png", "images/a.jpg", "masks/a.png", "images/b.png", "masks/b.png", "masks/b.tif")
    cases, faults = found(FolderPairs(str(tmp_path)))
    assert list(cases) == ["a"]
    assert "images/b.png: several masks" in faults[0]
    assert "masks/b.png, masks/b.tif" in faults[0]
    assert "case a: the id is doubled, expected one case of that id, got 2: images/a.jpg, images/a.png" in faults[1]


def test_patients(tmp_path):
    touch(tmp_path, "images/p007_1.png", "images/p007_2.png", "images/q.png")
    listing = FolderPairs(str(tmp_path), masks=None, patient_pattern=r"^p(\d+)_").list()
    assert [case.patient_id for case in listing.cases] == ["007", "007"]
    assert listing.cases[0].images == (Ref("images/p007_1.png"),)
    assert "images/q.png: no patient id in the file's name" in listing.faults[0]
    assert [case.patient_id for case in FolderPairs(str(tmp_path), masks=None).list().cases] == [None] * 3


@pytest.mark.parametrize("pattern", ["p", "(p)(q)", "(p"])
def test_bad_patterns_are_refused(pattern):
    with pytest.raises(ConfigError, match="patient_pattern"):
        FolderPairs("x", patient_pattern=pattern)


def test_contradicting_keys_are_refused():
    with pytest.raises(ConfigError, match="suffix"):
        FolderPairs("x", images="a", masks="./a")
    with pytest.raises(ConfigError, match="empty"):
        FolderPairs("x", masks=[])


def test_missing_folders_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LIT_MEDSEG_DATA", str(tmp_path))
    with pytest.raises(
        DataError, match=r"^nowhere: the data set's folder is missing, expected a folder.*LIT_MEDSEG_DATA"
    ):
        FolderPairs("nowhere").list()
    (tmp_path / "set").mkdir()
    with pytest.raises(DataError, match="set/images: the folder is missing"):
        FolderPairs("set").list()
    with pytest.raises(DataError, match="no folder matches"):
        FolderPairs("set", images="*/images", masks="*/labels").list()
    (tmp_path / "set" / "images").mkdir()
    with pytest.raises(DataError, match="set/masks: the folder is missing") as caught:
        FolderPairs("set").list()
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(DataError, match="holds no image"):
        FolderPairs("set", masks=None).list()


@pytest.mark.realdata
@pytest.mark.skipif("LIT_MEDSEG_DATA" not in os.environ, reason="LIT_MEDSEG_DATA is not set")
def test_real_sets():
    nuclei = FolderPairs("nuclei_dsb2018").list()
    assert (len(nuclei.cases), nuclei.faults) == (171, ())
    cardiac = FolderPairs(
        "cardiac_sunnybrook", images="*/images", masks="*/labels", patient_pattern=r"^(.*)-IM-"
    ).list()
    assert (len(cardiac.cases), cardiac.faults) == (297, ())
    assert len({case.patient_id for case in cardiac.cases}) == 16
    skin = FolderPairs("dermoscopy_isic2017", mask_suffix="_segmentation").list()
    assert (len(skin.cases), skin.faults) == (9, ())
