import numpy as np

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.classes import LabelClasses, MaskClasses
from lit_medseg.imaging.write_png import write_png
from lit_medseg.preprocess.load_sample import load_sample


def written(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {name: (rng.random((6, 8)) > 0.5).astype(np.uint8) * 255 for name in ("t1", "t2", "a", "b")}
    for name, array in arrays.items():
        write_png(tmp_path / f"{name}.png", array)
    return arrays


def test_channels_and_overlapping_masks(tmp_path):
    arrays = written(tmp_path)
    case = Case("x", None, (Ref("t1.png"), Ref("t2.png")), (Ref("a.png"), Ref("b.png")))
    sample = load_sample(tmp_path, case, MaskClasses({"a": 255, "b": 255}, overlapping=True))
    np.testing.assert_array_equal(
        np.concatenate([image.array for image in sample.images]), [arrays["t1"], arrays["t2"]]
    )
    np.testing.assert_array_equal(sample.mask.array, [arrays["a"] // 255, arrays["b"] // 255])


def test_mask_is_read_for_mask_classes_only(tmp_path):
    arrays = written(tmp_path)
    case = Case("x", None, (Ref("t1.png"),), (Ref("a.png"),), ("0",))
    sample = load_sample(tmp_path, case, MaskClasses({"a": 255}))
    np.testing.assert_array_equal(sample.mask.array[0], arrays["a"] // 255)
    assert load_sample(tmp_path, case, None).mask is None
    assert load_sample(tmp_path, case, LabelClasses({"no": "0", "yes": "1"})).mask is None
