import numpy as np
import pytest

from lit_medseg.catalogue.classes import LabelClasses, MaskClasses
from lit_medseg.errors import ConfigError, DataError
from lit_medseg.target import Binary, MultiClass, MultiLabel


def test_targets_of_masks():
    assert MaskClasses({"nucleus": 255}).target() == Binary(("background", "nucleus"))
    assert MaskClasses({"background": 0, "organ": 1, "lesion": 2}).target() == MultiClass(
        ("background", "organ", "lesion")
    )
    assert MaskClasses({"organ": 255}, overlapping=True).target() == MultiLabel(("organ",))


def test_targets_of_labels():
    assert LabelClasses({"no": "0", "yes": "1"}).target() == Binary(("no", "yes"))
    assert LabelClasses({"a": "A", "b": "B", "c": "C"}).target() == MultiClass(("a", "b", "c"))
    assert LabelClasses({"a": "A", "b": "B"}, overlapping=True).target() == MultiLabel(("a", "b"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
@pytest.mark.parametrize("codes", [{"x": 255}, {"lesion": 9, "organ": 7}, {"b": 2, "a": 1, "c": 250}])
def test_codes_are_those_of_a_plain_loop(codes, dtype):
    rng = np.random.default_rng(1)
    raw = rng.choice([0, *codes.values()], (17, 9)).astype(dtype)
    order = {0: 0} | {value: i + 1 for i, value in enumerate(codes.values())}
    coded = MaskClasses(codes).encode(raw)
    assert coded.dtype == np.uint8
    assert coded.tolist() == [[order[int(value)] for value in row] for row in raw]


def test_overlapping_masks_become_planes():
    first, second = np.array([[0, 1], [1, 1]], np.uint8), np.array([[255, 0], [255, 0]], np.uint8)
    planes = MaskClasses({"organ": 1, "lesion": 255}, overlapping=True).encode([first, second])
    assert planes.tolist() == [[[0, 1], [1, 1]], [[1, 0], [1, 0]]]


def test_overlapping_masks_need_a_file_each():
    with pytest.raises(DataError, match="expected 2, got 1"):
        MaskClasses({"organ": 1, "lesion": 1}, overlapping=True).encode([np.zeros((2, 2), np.uint8)])


@pytest.mark.parametrize("bad", [-1, 3, 254, 256, 70000])
def test_undeclared_values_are_named(bad):
    raw = np.array([[0, 255], [2, bad]], np.int32)
    with pytest.raises(DataError) as caught:
        MaskClasses({"a": 2, "b": 255}).encode(raw, "case 7")
    assert f"case 7: undeclared mask values, expected [0, 2, 255], got [{bad}]." in str(caught.value)


def test_many_undeclared_values_are_counted():
    with pytest.raises(DataError, match=r"got \[2, 3, 4, 5, 6, 7, 8, 9, 10, 11\] and 244 more"):
        MaskClasses({"a": 1}).encode(np.arange(256, dtype=np.uint8).reshape(16, 16))


@pytest.mark.parametrize(
    "codes", [{}, {"background": 0}, {"a": 0}, {"a": -1}, {"a": 65536}, {"background": 3, "a": 1}, {"a": 1, "b": 1}]
)
def test_unusable_codes_are_refused(codes):
    with pytest.raises(ConfigError, match="masks: "):
        MaskClasses(codes)


def test_more_classes_than_codes_are_refused():
    assert len(MaskClasses({f"c{i}": i for i in range(1, 256)}).names) == 255
    with pytest.raises(ConfigError, match="got 256"):
        MaskClasses({f"c{i}": i for i in range(1, 257)})


def test_labels_are_coded_in_the_order_of_the_yaml():
    classes = LabelClasses({"pneumonia": "1", "normal": "0"})
    assert [classes.encode([label]) for label in ("0", "1")] == [1, 0]
    several = LabelClasses({"a": "A", "b": "B", "c": "C"}, overlapping=True)
    assert several.encode(["C", "A"]) == (1, 0, 1)
    assert several.encode([]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("labels", "text"), [(["2"], "undeclared label"), ([], "one label"), (["0", "1"], "one label")]
)
def test_unusable_labels_are_refused(labels, text):
    with pytest.raises(DataError, match=text):
        LabelClasses({"normal": "0", "pneumonia": "1"}).encode(labels)


@pytest.mark.parametrize("values", [{}, {"a": "0"}, {"a": "0", "b": "0"}])
def test_unusable_label_classes_are_refused(values):
    with pytest.raises(ConfigError, match="labels: "):
        LabelClasses(values)


def test_plain_data_tells_orders_apart():
    assert MaskClasses({"a": 1, "b": 2}).plain() != MaskClasses({"b": 2, "a": 1}).plain()
    assert MaskClasses({"background": 0, "a": 1}).plain() == MaskClasses({"a": 1}).plain()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int64])
def test_others_may_be_background(dtype):
    raw = np.random.default_rng(3).integers(0, 120, (9, 8, 7)).astype(dtype)
    if dtype != np.uint8:
        raw[0, 0, :3] = [-1, 300, 30000] if np.dtype(dtype).kind == "i" else [255, 300, 65535]
    coded = MaskClasses({"liver": 5, "spleen": 1}, others="background").encode(raw)
    np.testing.assert_array_equal(coded, np.where(raw == 5, 1, np.where(raw == 1, 2, 0)))
    planes = MaskClasses({"liver": 5, "spleen": 1}, overlapping=True, others="background").encode([raw, raw])
    np.testing.assert_array_equal(planes, [raw == 5, raw == 1])


def test_what_becomes_of_others_is_part_of_the_plain_data():
    refused, taken = MaskClasses({"a": 1}), MaskClasses({"a": 1}, others="background")
    assert refused.plain() != taken.plain()
