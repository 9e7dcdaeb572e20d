import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.entry import Entry
from lit_medseg.data.class_weights import class_counts, class_weights, total_count
from lit_medseg.target import Binary, MultiClass, MultiLabel


def entry(**facts):
    return Entry(Case("x", None, (Ref("x.png"),)), (4, 5), 1, "uint8", "hash", **facts)


def weigh(entries, target):
    counts = class_counts(entries, target)
    return counts, class_weights(counts, total_count(entries), target)


def test_labels_agree_with_scikit_learn():
    labels = [0, 0, 0, 0, 0, 1, 1, 2]
    names = ("a", "b", "c")
    entries = [entry(label=label, present=(names[label],)) for label in labels]
    counts, weights = weigh(entries, MultiClass(names))
    assert counts == {"a": 5, "b": 2, "c": 1}
    np.testing.assert_allclose(weights, compute_class_weight("balanced", classes=np.arange(3), y=labels))


def test_pixels_and_background():
    entries = [entry(pixels={"organ": 4}, present=("organ",)), entry(pixels={"organ": 0})]
    counts, weights = weigh(entries, Binary(("background", "organ")))
    assert counts == {"background": 36, "organ": 4}
    assert weights == pytest.approx([40 / 72, 5])


def test_overlapping():
    entries = [entry(pixels={"a": 4, "b": 20, "c": 0}), entry(pixels={"a": 4, "b": 20, "c": 0})]
    counts, weights = weigh(entries, MultiLabel(("a", "b", "c")))
    assert counts == {"a": 8, "b": 40, "c": 0}
    assert weights == pytest.approx([4, 1, 1])
