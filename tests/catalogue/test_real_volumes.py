"""The sources of volumes on real data: listed, read and checked."""

import os
from pathlib import Path

import nibabel
import numpy as np
import pytest

from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.case import Ref
from lit_medseg.catalogue.classes import MaskClasses
from lit_medseg.catalogue.csv_table import CsvTable
from lit_medseg.catalogue.dicom_tree import DicomTree
from lit_medseg.catalogue.folder_pairs import FolderPairs
from lit_medseg.catalogue.prepared import catalogue
from lit_medseg.catalogue.split_file import SplitFile
from lit_medseg.errors import DataError
from lit_medseg.preprocess.load_sample import load_sample

pytestmark = pytest.mark.realdata
HIPPOCAMPUS = MaskClasses({"anterior": 1, "posterior": 2})
PROSTATE = {"t2": "t2_tse_tra", "adc": "ADC$", "bvalue": "BVAL$"}


@pytest.fixture(autouse=True)
def _own_salt(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def data(*parts):
    return Path(os.environ["LIT_MEDSEG_DATA"], *parts)


def test_hippocampus_with_its_split():
    source = FolderPairs("mri_hippocampus_msd", masks="labels", patient_pattern="(.*)")
    manifest, split = catalogue(source, HIPPOCAMPUS, SplitFile("../splits/hippocampus.json"))
    assert len(manifest.entries) == 120
    assert len(split.test) == 30
    assert len(split.train) + len(split.val) == 90
    assert {entry.spacing_mm for entry in manifest.entries} == {(1.0, 1.0, 1.0)}
    for entry in manifest.entries[::17]:
        mask = np.asarray(nibabel.load(data("mri_hippocampus_msd", entry.case.masks[0].path)).dataobj)
        assert entry.grid == mask.shape[::-1]
        assert dict(entry.pixels) == {"anterior": int((mask == 1).sum()), "posterior": int((mask == 2).sum())}


def test_the_orphans_of_the_hippocampus():
    faults = FolderPairs("mri_hippocampus_msd/orphans", masks="labels").list().faults
    assert len(faults) == 3
    assert sum("image without mask" in fault for fault in faults) == 1
    assert sum("mask without image" in fault for fault in faults) == 2


def test_open_ms_by_a_table(tmp_path):
    root = tmp_path / "ms"
    root.mkdir()
    (root / "cases.csv").write_text("patient\npatient07\npatient19\npatient26\n")
    for folder in data("mri_multimodal_open_ms").glob("patient*"):
        (root / folder.name).symlink_to(folder)
    brain = "N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz"
    image = {"flair": f"{{patient}}/FLAIR_{brain}", "t1": f"{{patient}}/T1_{brain}"}
    mask = "{patient}/GOLD_STANDARD_N4_noneck_reduced_winsor_regtoFLAIR_regtoMNI.nii.gz"
    source = CsvTable(str(root), "cases.csv", image, "{patient}", "{patient}", mask)
    entries = build_manifest(source, MaskClasses({"lesion": 1}), None).entries
    assert [entry.pixels["lesion"] for entry in entries] == [1300, 49769, 8227]
    assert {(entry.grid, entry.channels, entry.grids) for entry in entries} == {((182, 218, 182), 2, 1)}


def test_prostatex_with_the_mask_of_other_software():
    source = DicomTree(
        "mri_prostatex_dicom",
        PROSTATE,
        names="folder",
        mask="nifti/Prostatex_{number}_lab.nii.gz",
        folder_pattern="ProstateX-(?P<number>[0-9]+)",
    )
    classes = MaskClasses({"peripheral": 1, "transition": 2})
    (entry,) = build_manifest(source, classes, None).entries
    label = np.asarray(nibabel.load(data("mri_prostatex_dicom/nifti/Prostatex_0000_lab.nii.gz")).dataobj)
    assert dict(entry.pixels) == {"peripheral": int((label == 1).sum()), "transition": int((label == 2).sum())}
    assert (entry.case.case_id, entry.grid, entry.grids) == ("dicom/ProstateX-0000", (19, 384, 384), 2)
    assert entry.spacing_mm == pytest.approx((3.0, 0.5, 0.5), abs=1e-4)
    sample = load_sample(source.folder, entry.case, classes)
    assert [image.grid for image in sample.images] == [(19, 384, 384), (19, 128, 84), (19, 128, 84)]
    again = nibabel.load(data("mri_prostatex_dicom/nifti/Prostatex_0000.nii.gz"))
    own, theirs = sample.images[0].array[0][sample.mask.array[0] > 0], np.asarray(again.dataobj)[label > 0]
    np.testing.assert_array_equal(np.sort(own), np.sort(theirs))


def test_prostatex_with_a_pattern_that_fits_two_series():
    faults = DicomTree("mri_prostatex_dicom", {"t2": "t2"}).list().faults
    assert "several series match" in faults[0]
    assert "'MR t2_tse_sag' of 19 slices in " in faults[0]
    assert "'MR t2_tse_tra' of 19 slices in " in faults[0]


def test_totalsegmentator_ct_with_its_labels():
    source = DicomTree("ct_totalsegmentator_example", names="folder", mask="example_seg_dicom.nii.gz")
    classes = MaskClasses({f"class{code}": code for code in range(1, 118)})
    (entry,) = build_manifest(source, classes, None, "unknown").entries
    sample = load_sample(source.folder, entry.case, classes)
    assert entry.spacing_mm[0] == pytest.approx(2.0)
    image, codes = sample.images[0].array[0], sample.mask.array[0]
    assert image[codes == 1].mean() == pytest.approx(80, abs=3)
    assert image[codes == 5].mean() == pytest.approx(89, abs=3)


def test_dcmqi_with_its_segmentation_object():
    source = DicomTree("dicom_seg_dcmqi", names="folder", objects="liver")
    (entry,) = build_manifest(source, MaskClasses({"liver": 1}), None).entries
    assert entry.case.masks == (Ref("liver.dcm"),)
    assert dict(entry.pixels) == {"liver": 107098}


def test_the_tilted_series_is_refused_or_resampled():
    with pytest.raises(DataError, match=r"gantry tilt.*1\.08 mm between slices 6 and 7"):
        build_manifest(DicomTree("ct_ge_gantry_tilt", names="folder"), None, None)
    (entry,) = build_manifest(DicomTree("ct_ge_gantry_tilt", names="folder", irregular="resample"), None, None).entries
    assert entry.spacing_mm[0] == pytest.approx(4.0, abs=0.01)
