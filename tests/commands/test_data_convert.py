import nibabel
import numpy as np
import pytest

from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.main import main
from tests.catalogue.fake_volumes import AFFINE, flipped, image, mask, moved, write_nifti
from tests.imaging.fake_dicom import numbers, save, slices


def call(capsys, *argv):
    status = main(["data", "convert", *map(str, argv)])
    out = capsys.readouterr()
    return status, out.out + out.err


@pytest.fixture
def series(tmp_path):
    save(slices(numbers((4, 6, 5))), tmp_path / "series")
    return tmp_path / "series"


@pytest.mark.parametrize("ending", ["nii", "nrrd", "mha", "h5"])
def test_places_survive(tmp_path, capsys, ending):
    write_nifti(tmp_path / "a.nii.gz", image())
    assert call(capsys, tmp_path / "a.nii.gz", tmp_path / f"new/b.{ending}")[0] == 0
    back = read_volume(tmp_path / f"new/b.{ending}")
    np.testing.assert_array_equal(back.array[0], image().transpose(2, 1, 0))
    np.testing.assert_allclose(back.affine @ [4, 3, 2, 1], AFFINE @ [2, 3, 4, 1], atol=1e-4)


def test_a_dicom_series_becomes_nifti(tmp_path, capsys, series):
    status, text = call(capsys, series, tmp_path / "ct.nii.gz")
    assert status == 0
    assert "1 x 4 x 6 x 5 int16, spacing 2.5 x 0.7 x 0.9 mm" in text
    read = nibabel.load(tmp_path / "ct.nii.gz")
    np.testing.assert_array_equal(np.asarray(read.dataobj), numbers((4, 6, 5)).transpose(2, 1, 0))
    np.testing.assert_allclose(read.affine[:3, 3], np.array([31.5, -12.25, 100.75]), atol=1e-4)


def test_masks_to_dicom_and_back(tmp_path, capsys, series):
    call(capsys, series, tmp_path / "ct.nii.gz")
    codes = mask(0, (5, 6, 4))
    write_nifti(tmp_path / "m.nii.gz", *flipped(codes, nibabel.load(tmp_path / "ct.nii.gz").affine))
    words = ("--reference", series, "--names", "1=organ", "2=lesion")
    assert call(capsys, tmp_path / "m.nii.gz", tmp_path / "m.dcm", *words)[0] == 0
    reference = read_volume(series)
    back = read_mask_volume(tmp_path / "m.dcm", reference=reference)
    np.testing.assert_array_equal(back.array[0], codes.transpose(2, 1, 0))
    assert call(capsys, tmp_path / "m.dcm", tmp_path / "l.nrrd", "--reference", series, "--key", "lesion")[0] == 0
    np.testing.assert_array_equal(read_volume(tmp_path / "l.nrrd").array[0], codes.transpose(2, 1, 0) == 2)


def test_a_mask_is_turned_onto_its_reference(tmp_path, capsys):
    write_nifti(tmp_path / "i.nii.gz", image())
    write_nifti(tmp_path / "m.nii.gz", *flipped(mask()))
    words = (tmp_path / "m.nii.gz", tmp_path / "t.nii.gz", "--reference", tmp_path / "i.nii.gz")
    assert call(capsys, *words)[0] == 0
    np.testing.assert_array_equal(np.asarray(nibabel.load(tmp_path / "t.nii.gz").dataobj), mask())
    write_nifti(tmp_path / "m.nii.gz", mask(), moved(3))
    status, text = call(capsys, *words, "--overwrite")
    assert status == 2
    assert "3 mm" in text


def test_a_tree_of_series(tmp_path, capsys, series):
    save(slices(numbers((4, 6, 5)), series="1.2.3.4.5.6.9", heights=[0, 2.5, 5, 12.5]), tmp_path / "series/gap")
    status, text = call(capsys, tmp_path / "series", tmp_path / "out")
    assert status == 1
    assert "7.50 mm between slices 3 and 4" in text
    assert "1 of 2 series written" in text
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["000-CT-fake.nii.gz"]
    status, _ = call(capsys, tmp_path / "series", tmp_path / "out", "--resample", "--overwrite")
    assert status == 0
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_channels_and_datasets(tmp_path, capsys):
    write_nifti(tmp_path / "a.nii.gz", np.stack([image(0), image(1)], axis=-1))
    assert call(capsys, tmp_path / "a.nii.gz", tmp_path / "b.npy", "--index", 1)[0] == 0
    np.testing.assert_array_equal(np.squeeze(np.load(tmp_path / "b.npy")), image(1).transpose(2, 1, 0))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("nowhere", "x.nii.gz"), "no such source"),
        (("{there}", "x.xyz"), "no such format is written"),
        (("{there}", "{there}"), "the target exists, expected a new file"),
        (("{there}", "x.dcm"), "a DICOM-SEG needs its series"),
        (("{folder}", "x.dcm", "--reference", "{folder}"), "no mask"),
        (("{there}", "x.nii.gz", "--reference", "nowhere"), "no such reference"),
        (("{there}", "x.nii.gz", "--names", "liver"), "expected CODE=NAME"),
        (("{folder}", "out"), "no DICOM images"),
    ],
)
def test_what_cannot_be_converted(tmp_path, capsys, monkeypatch, words, text):
    monkeypatch.chdir(tmp_path)
    write_nifti(tmp_path / "a.nii.gz", mask())
    (tmp_path / "folder").mkdir()
    words = [word.format(there=tmp_path / "a.nii.gz", folder=tmp_path / "folder") for word in words]
    status, out = call(capsys, *words)
    assert status == 2
    assert text in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "folder"]
