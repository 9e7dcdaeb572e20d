import json
from dataclasses import replace

import numpy as np
import pytest

from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.case import Ref
from lit_medseg.catalogue.classes import MaskClasses
from lit_medseg.errors import DataError
from lit_medseg.preprocess.load_sample import load_sample
from tests.catalogue.fake_volumes import decathlon, image, write_nifti

CLASSES = MaskClasses({"a": 1, "b": 2})


def about(root, **changes):
    path = root / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_four_dimensions_are_channels(tmp_path):
    source = decathlon(tmp_path)
    manifest = build_manifest(source, CLASSES, None)
    entry = manifest.entries[1]
    assert (entry.case.case_id, entry.case.patient_id, entry.channels) == ("p_002", "002", 2)
    assert entry.case.channels == ("FLAIR", "T1w")
    assert entry.case.images[1] == Ref("imagesTr/p_002.nii.gz", "", 1)
    sample = load_sample(tmp_path, entry.case, CLASSES)
    np.testing.assert_array_equal(sample.images[1].array[0], image(10).transpose(2, 1, 0))


def test_a_4d_file_where_3d_is_expected(tmp_path):
    source = decathlon(tmp_path)
    about(tmp_path, modality={"0": "FLAIR"})
    assert source.list().cases[0].images == (Ref("imagesTr/p_001.nii.gz"),)
    with pytest.raises(DataError, match=r"p_001\.nii\.gz: the file has four dimensions"):
        build_manifest(source, CLASSES, None)


def test_test_cases_are_images_alone(tmp_path):
    source = replace(decathlon(tmp_path), cases="test")
    write_nifti(tmp_path / "imagesTs/p_003.nii.gz", np.stack([image(1), image(2)], axis=-1))
    (case,) = source.list().cases
    assert (case.case_id, case.masks) == ("p_003", ())


def test_every_fault_is_named(tmp_path):
    source = decathlon(tmp_path)
    write_nifti(tmp_path / "imagesTr/p_009.nii.gz", image())
    write_nifti(tmp_path / "labelsTr/p_008.nii.gz", image())
    assert [fault.partition(",")[0] for fault in source.list().faults] == [
        "imagesTr/p_009.nii.gz: dataset.json does not name the file",
        "labelsTr/p_008.nii.gz: dataset.json does not name the file",
    ]
    about(tmp_path, training=[{"image": "../x.nii.gz", "label": "y"}, {"image": "a.nii.gz"}, "text"])
    faults = source.list().faults
    assert "training[0]: the file lies outside the root" in faults[0]
    assert "training[1]: the entry is unusable" in faults[1]
    assert "training[2]" in faults[2]
    assert "expected 2, got 3" in faults[3]
    about(tmp_path, training=[])
    with pytest.raises(DataError, match="it lists no training cases"):
        source.list()
