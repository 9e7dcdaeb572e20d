import pytest

from lit_medseg.catalogue.identical import settle_identical
from lit_medseg.catalogue.split import Split
from lit_medseg.errors import DataError
from tests.catalogue.fake_cases import entry, manifest_of

SPLIT = Split(("a", "b", "c"), ("d", "e"), ("f", "g"), "by hand", 1)


def _manifest(pixels, truth="tttttttt"):
    """Cases a to h; those with equal letters have equal pixels, or equal truth. h is in no set."""
    cases = zip("abcdefgh", pixels, truth, strict=True)
    return manifest_of([entry(name, pixel_hash=p, truth_hash=t, label=int(t == "t")) for name, p, t in cases])


@pytest.mark.parametrize("policy", ["refuse", "allow", "drop"])
@pytest.mark.parametrize("pixels", ["12345678", "11122345", "12345677"])
def test_distinct_images_and_copies_within_a_set_pass(policy, pixels):
    manifest = _manifest(pixels)
    assert settle_identical(manifest, SPLIT, policy) == (manifest, SPLIT)


def test_copies_in_two_sets_are_named():
    with pytest.raises(DataError, match="identical images: 2 images under several case ids") as caught:
        settle_identical(_manifest("12314526"), SPLIT, "refuse")
    assert "case a (train), case d (val): identical images in several sets, expected one set" in str(caught.value)
    assert "case b (train), case g (test): identical images in several sets" in str(caught.value)


def test_every_copy_is_named():
    with pytest.raises(DataError, match=r"case a \(train\), case b \(train\), case d \(val\), case f \(test\)"):
        settle_identical(_manifest("11213145"), SPLIT, "refuse")


def test_contradicting_truths_are_named_within_a_set_too():
    with pytest.raises(DataError, match="1 image ") as caught:
        settle_identical(_manifest("11345678", "tuvwxyzt"), SPLIT, "refuse")
    assert "case a (train), case b (train): identical images with contradicting truth" in str(caught.value)


def test_contradictions_outside_the_sets_are_named():
    with pytest.raises(DataError, match=r"case a \(train\), case h \(no set\): identical images with contradicting"):
        settle_identical(_manifest("12345671", "tuvwxyzu"), SPLIT, "refuse")


def test_allowed_copies_stay():
    manifest = _manifest("11111111", "tuvwxyzt")
    assert settle_identical(manifest, SPLIT, "allow") == (manifest, SPLIT)


@pytest.mark.parametrize(
    ("pixels", "truth", "dropped"),
    [
        ("12314526", "tttttttt", "ab"),
        ("12345456", "tttttttt", "de"),
        ("11111111", "tttttttt", "abcde"),
        ("11345678", "tutttttt", "ab"),
        ("12341678", "ttttuttt", "ae"),
        ("11341678", "ttttuttt", "abe"),
    ],
)
def test_dropping_keeps_test_before_val_before_train(pixels, truth, dropped):
    manifest, split = settle_identical(_manifest(pixels, truth), SPLIT, "drop")
    assert set(SPLIT.train + SPLIT.val + SPLIT.test) - set(split.train + split.val + split.test) == set(dropped)
    assert set("abcdefgh") - set(manifest.by_id) == set(dropped)
    assert split.rule == f"by hand; {len(dropped)} identical images dropped"
    assert split.seed == 1
    assert settle_identical(manifest, split, "refuse") == (manifest, split)


def test_ids_that_the_data_lack_do_no_harm():
    split = Split(("a", "lost"), ("d",), (), "")
    manifest = _manifest("12345678")
    assert settle_identical(manifest, split, "refuse") == (manifest, split)
