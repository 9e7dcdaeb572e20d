import pytest

from lit_medseg.catalogue.classes import LabelClasses, MaskClasses
from lit_medseg.catalogue.split import Split, check_split
from lit_medseg.errors import SplitError
from tests.catalogue.fake_cases import entry, manifest_of

CLASSES = LabelClasses({"x": "0", "y": "1"})


def _manifest():
    """Patient pN has the cases Nx and Ny; n has no patient."""
    cases = [entry(f"{i}{kind}", f"p{i}", (kind,)) for i in range(4) for kind in "xy"]
    return manifest_of([*cases, entry("n", None, ("x",))])


SOUND = Split(("0x", "0y"), ("1x", "1y"), ("2x", "2y"), "by hand")


def test_a_sound_split_passes():
    check_split(SOUND, _manifest(), CLASSES)
    check_split(Split(("0x", "0y", "n"), (), (), "all"), _manifest(), CLASSES)


@pytest.mark.parametrize(
    ("split", "texts"),
    [
        (
            Split(("0x", "0y", "2x"), ("1x", "1y"), ("2y", "3x"), ""),
            ["patient p2: leaks", "train (case 2x) and test (case 2y)"],
        ),
        (Split(("0x", "0y", "n"), ("1x", "1y"), ("2x", "2y", "n"), ""), ["case n: stands twice", "train and test"]),
        (Split(("0x", "0x", "0y"), (), (), ""), ["case 0x: stands twice", "train and train"]),
        (Split(("0x", "0y", "9z"), (), (), ""), ["case 9z in train: unknown"]),
        (Split((), (), ("0x", "0y"), ""), ["train: the set is empty"]),
        (Split(("0x", "0y"), ("1x",), (), ""), ["val: class y has no cases, expected at least one, got none among 1"]),
    ],
)
def test_each_fault_is_refused_alone(split, texts):
    with pytest.raises(SplitError, match=r"^split: 1 fault\n") as caught:
        check_split(split, _manifest(), CLASSES)
    for text in texts:
        assert text in str(caught.value)


def test_all_faults_come_at_once():
    split = Split(("0x", "9z"), ("0y",), ("1y",), "")
    with pytest.raises(SplitError, match="split: 5 faults") as caught:
        check_split(split, _manifest(), CLASSES)
    for text in ("case 9z", "patient p0", "train: class y", "val: class x", "test: class x"):
        assert text in str(caught.value)


def test_segmentation_needs_each_class_in_each_set():
    manifest = manifest_of([entry("a", "p", ("organ", "lesion")), entry("b", "q", ("organ",)), entry("c", "r", ())])
    classes = MaskClasses({"organ": 1, "lesion": 2})
    with pytest.raises(SplitError, match="test: class lesion has no cases"):
        check_split(Split(("a",), (), ("b",), ""), manifest, classes)
    check_split(Split(("a", "c"), (), ("b",), ""), manifest, MaskClasses({"organ": 1}))


def test_json_gives_it_back(tmp_path):
    split = Split(("b", "a"), (), ("ü",), "by hand", seed=3)
    split.to_json(tmp_path / "split.json")
    assert Split.from_json(tmp_path / "split.json") == split
    assert split.train == ("a", "b")


def test_the_hash_is_that_of_the_sets():
    assert Split(("b", "a"), (), (), "one", 1).split_hash == Split(("a", "b"), (), (), "two", 2).split_hash
    assert Split(("a",), ("b",), (), "").split_hash != Split(("a",), (), ("b",), "").split_hash


def test_the_text_counts():
    assert str(SOUND) == "train 2, val 2, test 2 (by hand)"
