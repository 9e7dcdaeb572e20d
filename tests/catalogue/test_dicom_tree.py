from dataclasses import replace

import numpy as np
import pytest

from lit_medseg.catalogue.build_manifest import build_manifest
from lit_medseg.catalogue.case import Ref
from lit_medseg.catalogue.classes import MaskClasses
from lit_medseg.catalogue.csv_table import CsvTable
from lit_medseg.catalogue.dicom_tree import DicomTree
from lit_medseg.errors import ConfigError, DataError
from lit_medseg.imaging.read_dicom_series import read_dicom_series
from lit_medseg.imaging.write_dicom_seg import write_dicom_seg
from lit_medseg.preprocess.load_sample import load_sample
from tests.catalogue.fake_volumes import dicom_tree, mask
from tests.imaging.fake_dicom import numbers, save, slices, structure_set

CLASSES = MaskClasses({"a": 1, "b": 2})


@pytest.fixture(autouse=True)
def _own_salt(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


def one_series(folder, uid="1.2.3.4.9.6.1", description="CT body", patient="PAT-9", **options):
    made = slices(numbers((4, 6, 5)), series=uid, patient=patient, **options)
    for one in made:
        one.SeriesDescription = description
    save(made, folder)


def test_channels_of_a_patient(tmp_path):
    source = dicom_tree(tmp_path)
    manifest = build_manifest(source, CLASSES, tmp_path / "cache")
    assert len(manifest.entries) == 2
    sides = {entry.case.images for entry in manifest.entries}
    assert sides == {(Ref(f"archive/P{n}", "0_0"), Ref(f"archive/P{n}", "1_0")) for n in range(2)}
    entry = manifest.entries[0]
    assert (entry.case.channels, entry.channels, entry.grids) == (("t2", "adc"), 2, 2)
    assert entry.grid == (4, 6, 5)
    assert entry.spacing_mm == pytest.approx((2.5, 0.7, 0.9))
    sample = load_sample(tmp_path, entry.case, CLASSES)
    assert [image.grid for image in sample.images] == [(4, 6, 5), (5, 6, 5)]
    number = int(entry.case.images[0].path[-1])
    np.testing.assert_array_equal(sample.mask.array[0], mask(number, (5, 6, 4)).transpose(2, 1, 0))


def test_no_identifier_enters_a_case(tmp_path):
    source = dicom_tree(tmp_path)
    manifest = build_manifest(source, None, None)
    text = repr(manifest.entries) + repr(manifest.plain()["entries"])
    for secret in ("PAT-", "Doe", "1.2.3.4", "1970", "2020"):
        assert secret not in text
    ids = [entry.case.patient_id for entry in manifest.entries]
    assert len(set(ids)) == 2
    assert all(len(patient) == 12 for patient in ids)
    assert all(entry.case.case_id.startswith(f"{entry.case.patient_id}-") for entry in manifest.entries)


def test_the_salt_decides_the_hashes(tmp_path, tmp_path_factory):
    source = dicom_tree(tmp_path)
    elsewhere = tmp_path_factory.mktemp("salts")
    one = replace(source, salt=str(elsewhere / "a")).list().cases
    two = replace(source, salt=str(elsewhere / "b")).list().cases
    assert one == replace(source, salt=str(elsewhere / "a")).list().cases
    assert {case.patient_id for case in one}.isdisjoint(case.patient_id for case in two)


def test_folders_may_name_cases(tmp_path):
    found = replace(dicom_tree(tmp_path), names="folder").list()
    assert [case.case_id for case in found.cases] == ["archive/P0", "archive/P1"]


def test_several_series_are_listed_by_description(tmp_path):
    faults = replace(dicom_tree(tmp_path), channels={"t2": "t2"}).list().faults
    assert len(faults) == 2
    assert "t2: several series match, expected one series" in faults[0]
    assert "'MR t2_tse_tra' of 4 slices in archive/P0; 'MR t2_tse_sag' of 6 slices in archive/P0" in faults[0]


def test_a_lacking_series_is_a_fault_or_skipped(tmp_path):
    source = replace(dicom_tree(tmp_path), channels={"ct": "^CT"})
    faults = source.list().faults
    assert "the case is incomplete, expected one of each, got no series for ['ct'] among 'MR t2_tse_tra'" in faults[0]
    assert replace(source, incomplete="skip").list().faults == ()
    one_series(tmp_path / "ct")
    found = replace(source, incomplete="skip", mask=None).list()
    assert [case.images for case in found.cases] == [(Ref("ct"),)]
    assert found.cases[0].channels == ("ct",)


def test_a_lacking_or_ambiguous_mask(tmp_path):
    source = dicom_tree(tmp_path)
    assert "several files match" in replace(source, mask="labels/*.nii.gz").list().faults[0]
    assert "got no mask" in replace(source, mask="labels/{id}.nrrd").list().faults[0]
    with pytest.raises(ConfigError, match=r"mask: it cannot be filled in.*\{nobody\}"):
        replace(source, mask="{nobody}").list()
    assert "the folder has another name" in replace(source, folder_pattern="Q(?P<id>[0-9])").list().faults[0]


@pytest.mark.parametrize("keep_patient", [True, False])
def test_masks_from_dicom_objects(tmp_path, keep_patient):
    one_series(tmp_path / "series")
    image = read_dicom_series(tmp_path / "series")
    codes = mask(0, (4, 6, 5))
    names = {1: "organ", 2: "lesion"}
    write_dicom_seg(tmp_path / "masks.dcm", image.with_array(codes[None]), tmp_path / "series", "", names, keep_patient)
    source = DicomTree(str(tmp_path), objects="")
    manifest = build_manifest(source, CLASSES, None)
    assert manifest.entries[0].case.masks == (Ref("masks.dcm"),)
    np.testing.assert_array_equal(load_sample(tmp_path, manifest.entries[0].case, CLASSES).mask.array[0], codes)
    planes = replace(source, segments=["lesion", "organ"])
    overlapping = MaskClasses({"lesion": 1, "organ": 1}, overlapping=True)
    case = build_manifest(planes, overlapping, None).entries[0].case
    assert case.masks == (Ref("masks.dcm", "lesion"), Ref("masks.dcm", "organ"))
    np.testing.assert_array_equal(load_sample(tmp_path, case, overlapping).mask.array, [codes == 2, codes == 1])


def test_masks_from_contours(tmp_path):
    one_series(tmp_path / "series", patient="PAT-77")
    image = read_dicom_series(tmp_path / "series")
    corners = [(h, w) for h, w in ((0.6, 0.6), (0.6, 3.4), (4.4, 3.4), (4.4, 0.6))]
    contours = [[(image.affine @ [d, h, w, 1])[:3] * [-1, -1, 1] for h, w in corners] for d in (1, 2)]
    structure_set({"organ": contours}, series="1.2.3.4.9.6.1").save_as(tmp_path / "rs", enforce_file_format=True)
    source = DicomTree(str(tmp_path), objects="^RTSTRUCT", segments=["organ"])
    classes = MaskClasses({"organ": 1}, overlapping=True)
    entry = build_manifest(source, classes, None).entries[0]
    assert entry.case.masks == (Ref("rs", "organ"),)
    expected = np.zeros((4, 6, 5), np.uint8)
    expected[1:3, 1:5, 1:4] = 1
    np.testing.assert_array_equal(load_sample(tmp_path, entry.case, classes).mask.array[0], expected)
    assert "the case is incomplete" in replace(source, objects="^SEG").list().faults[0]


def test_a_change_within_a_series_is_seen(tmp_path):
    one_series(tmp_path / "data/series")
    source = DicomTree(str(tmp_path / "data"))
    first = build_manifest(source, None, tmp_path / "cache")
    assert build_manifest(source, None, tmp_path / "cache") == first
    made = slices(numbers((4, 6, 5), seed=5), series="1.2.3.4.9.6.1", patient="PAT-9")
    save(made, tmp_path / "data/series")
    assert build_manifest(source, None, tmp_path / "cache").data_hash != first.data_hash


def test_irregular_series_are_refused_or_resampled(tmp_path):
    one_series(tmp_path, heights=[0, 2.5, 5, 12.5])
    with pytest.raises(DataError, match=r"7\.50 mm between slices 3 and 4"):
        build_manifest(DicomTree(str(tmp_path)), None, None)
    entry = build_manifest(DicomTree(str(tmp_path), irregular="resample"), None, None).entries[0]
    assert entry.grid == (6, 6, 5)
    rows = CsvTable(str(tmp_path.parent), [{"id": tmp_path.name}], "{id}:resample:", "{id}")
    assert build_manifest(rows, None, None, "unknown").entries[0].grid == (6, 6, 5)


def test_studies_of_nobody_need_a_folders_name(tmp_path):
    made = slices(numbers((4, 6, 5)), patient="")
    for one in made:
        del one.StudyInstanceUID
    save(made, tmp_path / "a")
    (fault,) = DicomTree(str(tmp_path)).list().faults
    assert "cannot be called by its patient, expected PatientID or StudyInstanceUID, got neither" in fault
    (case,) = DicomTree(str(tmp_path), names="folder").list().cases
    assert (case.case_id, case.patient_id) == ("a", None)


def test_a_table_may_name_folders_of_series(tmp_path):
    one_series(tmp_path / "series")
    (tmp_path / "t.csv").write_text("id\nseries\n")
    entry = build_manifest(CsvTable(str(tmp_path), "t.csv", "{id}", "{id}", "{id}"), None, None).entries[0]
    assert entry.grid == (4, 6, 5)


def test_studies_or_patients(tmp_path):
    for number in range(2):
        made = slices(numbers((4, 6, 5), number), series=f"1.2.3.4.9.6.{number}", patient="PAT-9")
        for one in made:
            one.StudyInstanceUID, one.SeriesDescription = f"1.2.3.4.9.5.{number}", f"visit {number}"
        save(made, tmp_path / f"v{number}")
    cases = DicomTree(str(tmp_path)).list().cases
    assert len({case.case_id for case in cases}) == 2
    assert len({case.patient_id for case in cases}) == 1
    whole = DicomTree(str(tmp_path), {"first": "visit 0", "second": "visit 1"}, per="patient").list().cases
    assert [case.case_id for case in whole] == [cases[0].patient_id]


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"channels": {}}, "channels: there are none"),
        ({"mask": "a", "objects": "b"}, "mask: it stands beside objects"),
        ({"segments": ["a"]}, "segments: there is nothing to take them from"),
        ({"channels": {"ct": "("}}, "ct: it is no regular expression"),
    ],
)
def test_keys_that_contradict_each_other(keys, text):
    with pytest.raises(ConfigError, match=text):
        DicomTree("root", **keys)


def test_a_folder_without_dicom(tmp_path):
    (tmp_path / "a.txt").write_text("nothing")
    with pytest.raises(DataError, match="it holds no DICOM images"):
        DicomTree(str(tmp_path)).list()
