import json
from dataclasses import replace

import numpy as np
import pytest

from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.case import Ref
from lit_medseg.catalogue.classes import MaskClasses
from lit_medseg.catalogue.nnunet_raw import NnUNetRaw
from lit_medseg.errors import DataError
from lit_medseg.preprocess.load_sample import load_sample
from tests.catalogue.fake_cases import pair
from tests.catalogue.fake_volumes import dataset_json, image, mask, nnunet_raw, write_nifti


def about(root, **changes):
    path = root / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_channels_masks_and_patients(tmp_path):
    source = nnunet_raw(tmp_path)
    manifest = build_manifest(source, MaskClasses({"a": 1, "b": 2}), None)
    assert [entry.case.case_id for entry in manifest.entries] == ["x_01", "x_02"]
    assert [entry.case.patient_id for entry in manifest.entries] == ["01", "02"]
    case = manifest.entries[1].case
    assert case.channels == ("T2", "ADC")
    assert case.images == (Ref("imagesTr/x_02_0000.nii.gz"), Ref("imagesTr/x_02_0001.nii.gz"))
    sample = load_sample(tmp_path, case, MaskClasses({"a": 1, "b": 2}))
    np.testing.assert_array_equal(sample.images[1].array[0], image(3).transpose(2, 1, 0))
    np.testing.assert_array_equal(sample.mask.array[0], mask(1).transpose(2, 1, 0))


def test_test_cases_may_have_no_masks(tmp_path):
    source = replace(nnunet_raw(tmp_path), cases="test")
    for channel in range(2):
        write_nifti(tmp_path / f"imagesTs/y_09_{channel:04d}.nii.gz", image())
    (case,) = source.list().cases
    assert (case.case_id, case.masks) == ("y_09", ())
    write_nifti(tmp_path / "labelsTs/y_09.nii.gz", mask())
    assert source.list().cases[0].masks == (Ref("labelsTs/y_09.nii.gz"),)


def test_every_fault_is_named(tmp_path):
    source = nnunet_raw(tmp_path)
    (tmp_path / "imagesTr/x_01_0001.nii.gz").unlink()
    (tmp_path / "labelsTr/x_02.nii.gz").unlink()
    write_nifti(tmp_path / "labelsTr/x_07.nii.gz", mask())
    write_nifti(tmp_path / "imagesTr/x_02_0002.nii.gz", image())
    write_nifti(tmp_path / "imagesTr/stray.nii.gz", image())
    (tmp_path / "imagesTr/._x_01_0000.nii.gz").write_bytes(b"macOS")
    about(tmp_path, numTraining=3)
    found = source.list()
    assert found.cases == ()
    texts = [
        "case x_01: channels are missing, expected ('T2', 'ADC'), got ['imagesTr/x_01_0000.nii.gz']",
        "case x_02: image without mask, expected x_02.nii.gz",
        "labelsTr/x_07.nii.gz: mask without image",
        "x_02_0002.nii.gz: a channel that dataset.json lacks, expected channels below 2, got 0002",
        "stray.nii.gz: no channel of a case, expected <case>_0000.nii.gz",
        "the number of training cases differs, expected 3, got 2",
    ]
    assert len(found.faults) == len(texts)
    for text in texts:
        assert any(text in fault for fault in found.faults), text


def test_regions_are_refused_until_told(tmp_path):
    source = nnunet_raw(tmp_path)
    about(tmp_path, labels={"background": 0, "whole": [1, 2], "core": [2]})
    with pytest.raises(DataError, match=r"labels are regions.*got \['whole', 'core'\].*regions: codes"):
        source.list()
    assert len(replace(source, regions="codes").list().cases) == 2


def test_files_that_dataset_json_lists_itself(tmp_path):
    nnunet_raw(tmp_path)
    images = ["./imagesTr/x_01_0000.nii.gz", "imagesTr/x_01_0001.nii.gz"]
    about(tmp_path, dataset={"one": {"images": images, "label": "labelsTr/x_01.nii.gz"}}, numTraining=1)
    (case,) = NnUNetRaw(str(tmp_path)).list().cases
    assert (case.case_id, case.images[0].path, case.masks) == ("one", images[0][2:], (Ref("labelsTr/x_01.nii.gz"),))
    about(tmp_path, dataset={"one": {"images": ["/etc/a", "b"], "label": "c"}})
    assert "outside the root" in NnUNetRaw(str(tmp_path)).list().faults[0]
    about(tmp_path, dataset={"one": {"images": "a"}})
    with pytest.raises(DataError, match="entry is unusable"):
        NnUNetRaw(str(tmp_path)).list()


def test_the_first_versions_file_serves_too(tmp_path):
    nnunet_raw(tmp_path)
    dataset_json(tmp_path, modality={"0": "MRI", "1": "MRI"}, labels={"0": "background", "1": "a"}, numTraining=2)
    assert NnUNetRaw(str(tmp_path)).list().cases[0].channels == ("MRI_0", "MRI_1")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"channel_names": {"1": "CT"}}', '{"channel_names": {}}'])
def test_an_unusable_dataset_json(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset\.json: .*expected .*, got .*\. .*\.$"):
        NnUNetRaw(str(tmp_path)).list()


def test_a_picture_in_colours_is_one_file(tmp_path):
    pair(tmp_path, "a", np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.uint8))
    (tmp_path / "images").rename(tmp_path / "imagesTr")
    (tmp_path / "masks").rename(tmp_path / "labelsTr")
    (tmp_path / "imagesTr/a.png").rename(tmp_path / "imagesTr/a_0000.png")
    channels = {"0": "R", "1": "G", "2": "B"}
    dataset_json(tmp_path, channel_names=channels, labels={"background": 0}, numTraining=1, file_ending=".png")
    (entry,) = build_manifest(NnUNetRaw(str(tmp_path)), None, None, "unknown").entries
    assert (entry.channels, entry.case.channels) == (3, ())
