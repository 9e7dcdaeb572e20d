"""`data` on real volumes."""

import json

import pytest
import yaml

from lit_medseg.main import main

pytestmark = pytest.mark.realdata
DICOM = "lit_medseg.catalogue.dicom_tree.DicomTree"
HIPPOCAMPUS = {
    "source": {
        "class_path": "lit_medseg.catalogue.folder_pairs.FolderPairs",
        "init_args": {"root": "mri_hippocampus_msd", "masks": "labels", "patient_pattern": "(.*)"},
    },
    "truth": {"masks": {"anterior": 1, "posterior": 2}},
    "splitter": {
        "class_path": "lit_medseg.catalogue.split_file.SplitFile",
        "init_args": {"path": "../splits/hippocampus.json"},
    },
}
PROSTATE = {
    "source": {
        "class_path": DICOM,
        "init_args": {
            "root": "mri_prostatex_dicom",
            "channels": {"t2": "t2_tse_tra", "adc": "ADC$", "bvalue": "BVAL$"},
            "names": "folder",
            "mask": "nifti/Prostatex_0000_lab.nii.gz",
        },
    },
    "truth": {"masks": {"peripheral": 1, "transition": 2}},
}
LIVER = {
    "source": {"class_path": DICOM, "init_args": {"root": "dicom_seg_dcmqi", "objects": "liver"}},
    "truth": {"masks": {"liver": 1}},
}


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(verb, arguments):
        plain = {"data": {"init_args": {**arguments, "preparation": {"cache_dir": str(tmp_path / "cache")}}}}
        (tmp_path / "exp.yaml").write_text(yaml.safe_dump(plain))
        status = main(["data", verb, str(tmp_path / "exp.yaml"), "--out", str(tmp_path / "o")])
        return status, capsys.readouterr().out

    return run


def fingerprint(tmp_path):
    return json.loads((tmp_path / "o/fingerprint.json").read_text())


def test_hippocampus(call, tmp_path):
    status, out = call("check", HIPPOCAMPUS)
    assert status == 0
    assert "120 sound of 120" in out
    assert "float32 in 81, uint8 in 39 cases" in out
    assert call("split", HIPPOCAMPUS)[0] == 0
    assert len(json.loads((tmp_path / "o/split.json").read_text())["test"]) == 30
    assert call("describe", HIPPOCAMPUS)[0] == 0
    plain = fingerprint(tmp_path)
    assert plain["orientations"] == {"SAR": 120}
    assert plain["spacing_mm"]["median"] == [1.0, 1.0, 1.0]


def test_channels_on_different_grids(call, tmp_path):
    status, out = call("check", PROSTATE)
    assert status == 1
    assert "too few patients" in out
    assert "channels lie on different grids in 1 cases" in out
    assert call("describe", PROSTATE)[0] == 0
    plain = fingerprint(tmp_path)
    assert plain["spacing_mm"]["median"] == pytest.approx([3.0, 0.5, 0.5], abs=1e-3)
    # Water diffuses in the prostate at 1.3 to 1.7 um2/ms in health: the channel is looked up where the mask lies.
    assert 1200 < plain["intensities"]["adc"]["percentiles"]["50"] < 1700


def test_a_segmentation_object(call, tmp_path):
    assert call("describe", LIVER)[0] == 0
    plain = fingerprint(tmp_path)
    assert plain["classes"]["liver"]["voxels"] == 107098
    text = (tmp_path / "o/fingerprint.json").read_text()
    assert "1.2.840" not in text
    assert "1.3.6" not in text
