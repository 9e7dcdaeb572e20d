"""What `fit` says of the prepared cases, against sizes counted in the cache itself."""

import numpy as np

from data_modules.mri import MRIDataModule
from lit_medseg.catalogue.phantom_volumes import PhantomVolumes
from lit_medseg.data.preparation import Preparation
from lit_medseg.data.training import Training
from lit_medseg.data.truth import Truth
from lit_medseg.preprocess.resample_to import ResampleTo
from lit_medseg.preprocess.z_score import ZScore

CLASSES = {"organ": 1, "lesion": 2}


def prepared(folder, spacing_mm):
    source = PhantomVolumes(str(folder / "phantoms"), patients=5, slices=8, size=32)
    steps = [ZScore(), ResampleTo(spacing_mm)]
    module = MRIDataModule(
        source,
        Truth(masks=CLASSES),
        preparation=Preparation(steps=steps, cache_dir=str(folder / "cache")),
        training=Training(patch_size=[4, 8, 8]),
    )
    module.prepare()
    return module


def test_a_class_that_shrinks_is_said_once_with_its_worst_case(tmp_path, caplog):
    module = prepared(tmp_path, (30.0, 30.0, 30.0))
    module.prepare()
    said = [record.getMessage() for record in caplog.records if "resampling changes its size" in record.getMessage()]
    ready = module._prepared
    changed = {name: {} for name in CLASSES}
    for row in ready.rows(ready.train_entries):
        trace, before, after = ready.cache.trace(row), ready.cache.reference(row), ready.cache.mask(row)
        for name, code in CLASSES.items():
            old = (before == code).sum() * np.prod(trace.spacing_mm)
            new = (after == code).sum() * np.prod(trace.processed_mm)
            changed[name][ready.cache.case_ids[row]] = new / old - 1
    notable = {name: cases for name, cases in changed.items() if max(map(abs, cases.values())) > 0.1}
    assert notable
    assert len(said) == len(notable)
    for name, cases in notable.items():
        case_id = max(cases, key=lambda case: abs(cases[case]))
        middle = np.median(list(cases.values()))
        assert f"class {name}: resampling changes its size by {100 * middle:+.0f}% in the median of 3" in caplog.text
        assert f"{100 * cases[case_id]:+.0f}% in {case_id}" in caplog.text


def test_nothing_is_said_where_little_changes(tmp_path, caplog):
    assert prepared(tmp_path, None).state.spacing_mm is not None  # the median, which every phantom nearly has
    assert "resampling changes its size" not in caplog.text
