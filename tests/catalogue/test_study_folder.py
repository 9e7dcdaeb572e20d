"""New studies in any folders: which files make a case, what it is called, and what is wrong with the rest."""

import json
from pathlib import Path

import numpy as np
import pytest

from lit_medseg.catalogue.dicom_tree import DicomTree
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.study_folder import StudyFolder
from lit_medseg.catalogue.study_layout import study_layout
from lit_medseg.errors import ConfigError, DataError
from lit_medseg.imaging.dicom_identity import hashed_id, local_salt
from lit_medseg.imaging.read_volume import read_volume
from tests.catalogue.fake_cases import entry
from tests.imaging.fake_dicom import numbers, save, slices


@pytest.fixture(autouse=True)
def _salt(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def touch(root, *names):
    """Sources list files; they do not read them."""
    for name in names:
        path = root / "studies" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(root / "studies")


def found(source):
    listing = source.list()
    return {case.case_id: [ref.path for ref in case.images] for case in listing.cases}, list(listing.faults)


def test_every_file_of_one_channel_is_a_case(tmp_path):
    root = touch(tmp_path, "a.nii.gz", "sub/b.nrrd", "sub/c_0000.mha", "d.png", "notes.txt", ".hidden.nii", "e.nii.GZ")
    cases, faults = found(StudyFolder(root))
    assert cases == {
        "a": ["a.nii.gz"],
        "d": ["d.png"],
        "e": ["e.nii.GZ"],
        "sub/b": ["sub/b.nrrd"],
        "sub/c": ["sub/c_0000.mha"],
    }
    assert faults == []


def test_further_channels_are_no_studies_but_pictures_of_a_film_are(tmp_path):
    root = touch(tmp_path, "x_0000.nii.gz", "x_0001.nii.gz", "film_0000.png", "film_0001.png", "scan_2019.nii.gz")
    cases, faults = found(StudyFolder(root))
    assert sorted(cases) == ["film_0000", "film_0001", "scan_2019"]
    assert faults == [
        "case x: other channels, expected _0000, got _0000, _0001. "
        "Give the case the channels that the checkpoint was trained on."
    ]


def test_numbered_channels(tmp_path):
    root = touch(tmp_path, *(f"sub/{name}_000{channel}.nii.gz" for name in "ab" for channel in (1, 0)), "c_0000.nii.gz")
    cases, faults = found(StudyFolder(root, images=2))
    assert cases == {f"sub/{name}": [f"sub/{name}_0000.nii.gz", f"sub/{name}_0001.nii.gz"] for name in "ab"}
    assert len(faults) == 1
    assert faults[0].startswith("case c: other channels, expected _0000, _0001, got _0000.")


def test_a_folder_a_case_in_the_order_of_the_names(tmp_path):
    root = touch(tmp_path, "p1/b.nii.gz", "p1/a.nii.gz", "p2/a.nii.gz", "p2/b.nii.gz", "p3/a.nii.gz")
    cases, faults = found(StudyFolder(root, images=2))
    assert cases == {name: [f"{name}/a.nii.gz", f"{name}/b.nii.gz"] for name in ("p1", "p2")}
    assert len(faults) == 1
    assert faults[0].startswith("folder p3: not one case, expected 2 files, or names that end with _0000, _0001, ...,")


def test_named_channels_are_found_by_their_names_whatever_else_is_there(tmp_path):
    long = "_N4_regtoFLAIR_brain.nii.gz"
    root = touch(
        tmp_path,
        *(f"{name}/{channel}{long}" for name in ("p1", "p2") for channel in ("T1", "FLAIR", "GOLD")),
        *(f"flat/{name}-{channel}.nii.gz" for name in ("x", "y") for channel in ("t1", "flair")),
        "lacking/t1.nii.gz",
        "other/t2.nii.gz",
    )
    cases, faults = found(StudyFolder(root, images=2, channels=("flair", "t1")))
    assert cases == {
        **{name: [f"{name}/FLAIR{long}", f"{name}/T1{long}"] for name in ("p1", "p2")},
        **{f"flat/{name}": [f"flat/{name}-flair.nii.gz", f"flat/{name}-t1.nii.gz"] for name in ("x", "y")},
    }
    assert len(faults) == 2
    assert "case lacking: channels are missing or doubled, expected one each, got flair: none." in faults[0]
    assert "folder other: no file is a channel, expected files named after flair, t1" in faults[1]


def test_one_file_of_four_dimensions(tmp_path):
    source = StudyFolder(touch(tmp_path, "a.nii.gz"), stacked=2, channels=("t2", "adc"))
    (case,) = source.list().cases
    assert [(ref.path, ref.index) for ref in case.images] == [("a.nii.gz", 0), ("a.nii.gz", 1)]
    assert case.channels == ("t2", "adc")


def series(folder, number, shape=(4, 8, 9), **options):
    uid = f"1.2.840.113619.2.5.{number}.77"
    return save(slices(numbers(shape, seed=number), series=uid, **options), folder)


def test_dicom_series_are_called_by_their_folders(tmp_path):
    root = tmp_path / "studies"
    series(root / "st1" / "se1", 1)
    series(root / "st1" / "se2", 2, shape=(5, 8, 9))
    series(root / "st2", 3)
    save(
        slices(numbers((6, 8, 9), seed=4), series="1.2.840.113619.2.5.4.77"), root / "st2", [f"X{n}" for n in range(6)]
    )
    listing = StudyFolder(str(root)).list()
    assert [case.case_id for case in listing.cases] == ["st1/se1", "st1/se2", "st2/series-1", "st2/series-2"]
    grids = [read_volume(root / case.images[0].path, case.images[0].key).grid for case in listing.cases]
    assert grids == [(4, 8, 9), (5, 8, 9), (4, 8, 9), (6, 8, 9)]
    assert {case.patient_id for case in listing.cases} == {hashed_id("PAT-77", local_salt(None))}


def test_a_series_in_the_root_itself(tmp_path):
    series(tmp_path / "studies", 1)
    assert list(found(StudyFolder(str(tmp_path / "studies")))[0]) == ["series-1"]


def test_names_with_identifiers_are_hashed(tmp_path):
    root = tmp_path / "studies"
    series(root / "PAT-77" / "1.2.840.113619.2.5.1.77", 1)
    (case,) = StudyFolder(str(root)).list().cases
    salt = local_salt(None)
    assert case.case_id == f"{hashed_id('PAT-77', salt)}/{hashed_id('1.2.840.113619.2.5.1.77', salt)}"


def test_folders_called_after_patients_are_hashed(tmp_path):
    root = tmp_path / "studies"  # the fake patient is Doe^Jane, PAT-77
    folders = ["Jane_DOE", "doe j 1970", "PAT-77 of 2020", "knee", "pat-771"]
    for number, folder in enumerate(folders):
        series(root / folder, number)
    salt = local_salt(None)
    assert {case.images[0].path: case.case_id for case in StudyFolder(str(root)).list().cases} == {
        folder: folder if folder in ("knee", "pat-771") else hashed_id(folder, salt) for folder in folders
    }


def test_data_that_were_made_anonymous_keep_their_folders(tmp_path):
    stack = slices(numbers((4, 8, 9)), patient="ProstateX-0003")
    for data in stack:
        data.PatientName = "ProstateX-0003"
    save(stack, tmp_path / "studies" / "ProstateX" / "t2")
    assert list(found(StudyFolder(str(tmp_path / "studies")))[0]) == ["ProstateX/t2"]


def test_several_dicom_channels_are_one_case_a_study(tmp_path):
    root = tmp_path / "studies"
    for study in ("s1", "s2"):
        for number, name in enumerate(("t2_tra", "ADC map", "localizer")):
            stack = slices(numbers((4, 8, 9), seed=number), series=f"1.2.840.113619.2.{study[1]}.{number}.7")
            for data in stack:
                data.SeriesDescription, data.Modality = name, "MR"
                data.StudyInstanceUID = f"1.2.840.113619.9.{study[1]}"
            save(stack, root / study / f"se{number}")
    by_name = StudyFolder(str(root), images=2, channels=("adc", "t2"))
    listing = by_name.list()
    assert listing.faults == ()
    assert [(case.case_id, case.channels) for case in listing.cases] == [("s1", ("adc", "t2")), ("s2", ("adc", "t2"))]
    assert [ref.path for ref in listing.cases[0].images] == ["s1/se1", "s1/se0"]
    wanted = StudyFolder(str(root), series={"image": "^MR t2"}).list()
    assert [case.images[0].path for case in wanted.cases] == ["s1/se0", "s2/se0"]
    nameless = StudyFolder(str(root), images=2).list()
    assert nameless.cases == ()
    assert "DICOM series cannot be told apart, expected names of the channels" in nameless.faults[0]


def test_relative_roots_start_from_the_working_folder(tmp_path, monkeypatch):
    touch(tmp_path, "a.nii.gz")
    monkeypatch.setenv("LIT_MEDSEG_DATA", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert list(found(StudyFolder("studies"))[0]) == ["a"]
    with pytest.raises(DataError, match="gone: the folder of studies is missing, expected a folder, got nothing there"):
        StudyFolder("gone").list()


@pytest.mark.parametrize("numbers_", [{"images": 0}, {"images": 2, "stacked": 2}, {"images": 2, "channels": ["t1"]}])
def test_useless_numbers_are_refused(numbers_):
    with pytest.raises(ConfigError):
        StudyFolder("x", **numbers_)


class TestLayout:
    def of(self, images, channels=(), source=None):
        from dataclasses import replace

        from lit_medseg.catalogue.case import Ref

        made = entry("a")
        case = replace(made.case, images=tuple(Ref(*image) for image in images), channels=channels)
        plain = source or {"class_path": "x.FolderPairs", "init_args": {"root": "r"}}
        return study_layout(Manifest((replace(made, case=case),), plain))

    def test_files_and_names(self):
        layout = self.of([("a.nii.gz",), ("b.nii.gz",)], ("t1", "t2"))
        assert layout == {"images": 2, "channels": ["t1", "t2"], "stacked": 0}
        assert StudyFolder("r", **layout).images == 2

    def test_one_file_for_all_channels(self):
        layout = self.of([("a.nii.gz", "", 0), ("a.nii.gz", "", 1)], ("t2", "adc"))
        assert layout == {"images": 1, "channels": ["t2", "adc"], "stacked": 2}
        assert StudyFolder("r", **layout).stacked == 2

    def test_rows_of_an_archive_are_pictures(self):
        assert self.of([("all.npz", "images", 3)]) == {"images": 1, "channels": [], "stacked": 0}

    def test_the_patterns_of_a_dicom_tree_are_kept(self):
        source = DicomTree("r", {"image": "t2"}, irregular="resample")
        layout = self.of([("a",)], source=json.loads(json.dumps(source.plain())))
        again = StudyFolder("other", **json.loads(json.dumps(layout)))
        assert (again.series, again.irregular, again.per, again.images) == ({"image": "t2"}, "resample", "study", 1)


@pytest.mark.realdata
class TestRealStudies:
    @pytest.fixture
    def data(self):
        import os

        return Path(os.environ["LIT_MEDSEG_DATA"])

    def test_two_channels(self, data):
        listing = StudyFolder(str(data / "mri_multimodal_open_ms"), images=2, channels=("flair", "t1")).list()
        assert [case.case_id for case in listing.cases] == ["patient07", "patient19", "patient26"]
        for case in listing.cases:
            assert [ref.path.split("/")[1].split("_")[0] for ref in case.images] == ["FLAIR", "T1"]

    def test_dicom(self, data):
        listing = StudyFolder(str(data / "mri_prostatex_dicom" / "dicom")).list()
        assert len(listing.cases) == 4
        assert not any("ProstateX" in case.case_id for case in listing.cases)
        (case,) = StudyFolder(str(data / "mri_prostatex_dicom" / "dicom"), series={"image": "t2_tse_tra"}).list().cases
        volume = read_volume(data / "mri_prostatex_dicom" / "dicom" / case.images[0].path, case.images[0].key)
        assert volume.grid == (19, 384, 384)
        assert np.isfinite(volume.array).all()
