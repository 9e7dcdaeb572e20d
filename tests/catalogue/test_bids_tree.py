from dataclasses import replace

import numpy as np
import pytest

from lit_medseg.catalogue.bids_tree import Bids
from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.case import Ref
from lit_medseg.catalogue.classes import LabelClasses, MaskClasses
from lit_medseg.errors import ConfigError, DataError
from lit_medseg.preprocess.load_sample import load_sample
from tests.catalogue.fake_volumes import bids, image, write_nifti

CLASSES = MaskClasses({"a": 1, "b": 2})


def test_sessions_are_cases_and_subjects_are_patients(tmp_path):
    source = bids(tmp_path)
    manifest = build_manifest(source, CLASSES, None)
    assert [entry.case.case_id for entry in manifest.entries] == ["sub-01_ses-a", "sub-01_ses-b", "sub-02"]
    assert [entry.case.patient_id for entry in manifest.entries] == ["sub-01", "sub-01", "sub-02"]
    case = manifest.entries[1].case
    assert case.channels == ("t1", "flair")
    assert case.masks == (Ref("derivatives/manual/sub-01/ses-b/anat/sub-01_ses-b_desc-lesion_mask.nii.gz"),)
    assert case.metadata["sex"] == "F"
    sample = load_sample(tmp_path, case, CLASSES)
    np.testing.assert_array_equal(sample.images[1].array[0], image(11).transpose(2, 1, 0))


def test_labels_come_from_the_participants(tmp_path):
    manifest = build_manifest(bids(tmp_path), LabelClasses({"sick": "ms", "well": "control"}), None)
    assert [entry.label for entry in manifest.entries] == [0, 0, 1]
    with pytest.raises(DataError, match="column 'diagnosis' does not exist"):
        replace(bids(tmp_path), label="diagnosis").list()


def test_lacking_files_are_faults_or_skipped(tmp_path):
    source = bids(tmp_path)
    (tmp_path / "sub-01/ses-b/anat/sub-01_ses-b_FLAIR.nii.gz").unlink()
    (tmp_path / "derivatives/manual/sub-02/anat/sub-02_desc-lesion_mask.nii.gz").unlink()
    found = source.list()
    assert [case.case_id for case in found.cases] == ["sub-01_ses-a"]
    assert found.faults[0].startswith("case sub-01_ses-b, flair: no file matches, expected one file, got none")
    assert found.faults[1].startswith("case sub-02, mask 0: no file matches")
    skipped = replace(source, incomplete="skip").list()
    assert (len(skipped.cases), skipped.faults) == (1, ())


def test_a_subject_without_any_image_is_told_and_so_is_a_mask_of_nobody(tmp_path):
    source = bids(tmp_path)
    for file in (tmp_path / "sub-02/anat").iterdir():
        file.unlink()
    (tmp_path / "sub-03/anat").mkdir(parents=True)
    told = [fault.split(", expected")[0] for fault in source.list().faults]
    assert told == [
        *(f"case sub-02, {name}: no file matches" for name in ("t1", "flair")),
        *(f"case sub-03, {name}: no file matches" for name in ("t1", "flair", "mask 0")),
    ]
    assert replace(source, incomplete="skip").list().faults == ()


def test_runs_are_told_apart(tmp_path):
    for run in (1, 2):
        write_nifti(tmp_path / f"sub-1/anat/sub-1_run-{run}_T1w.nii.gz", image(run))
    source = Bids(str(tmp_path))
    assert "several files match" in source.list().faults[0]
    assert "split_by: [run]" in source.list().faults[0]
    cases = replace(source, split_by=["run"]).list().cases
    assert [case.case_id for case in cases] == ["sub-1_run-1", "sub-1_run-2"]


def test_unusable_keys_and_folders(tmp_path):
    with pytest.raises(ConfigError, match="images: it is empty"):
        Bids(str(tmp_path), images={})
    with pytest.raises(DataError, match="it holds no subjects"):
        Bids(str(tmp_path)).list()
