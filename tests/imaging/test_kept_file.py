import gzip

import nibabel
import numpy as np
import pytest
import SimpleITK

from lit_medseg.errors import DataError
from lit_medseg.imaging import read_nifti as nifti
from lit_medseg.imaging.kept_file import keep_last_file, kept_or_read
from lit_medseg.imaging.read_volume import read_volume


def test_the_last_file_is_read_once(tmp_path):
    seen = []

    def read(name):
        return lambda: seen.append(name) or name.upper()

    with keep_last_file():
        given = [kept_or_read(tmp_path / name, read(name)) for name in "aabba"]
    assert given == ["A", "A", "B", "B", "A"]
    assert seen == ["a", "b", "a"]
    assert kept_or_read(tmp_path / "a", read("a")) == "A"
    assert seen == ["a", "b", "a", "a"], "nothing is kept outside"


def test_a_file_that_cannot_be_read_is_not_kept(tmp_path):
    def fail():
        raise DataError("broken")

    with keep_last_file():
        for _ in range(2):
            with pytest.raises(DataError, match="broken"):
                kept_or_read(tmp_path / "a", fail)
        assert kept_or_read(tmp_path / "a", lambda: 1) == 1


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd"])
def test_channels_are_the_same_and_each_its_own(tmp_path, ending):
    array = np.random.default_rng(0).integers(0, 99, (5, 6, 7, 3)).astype(np.int16)
    path = tmp_path / f"a{ending}"
    if ending == ".nrrd":
        SimpleITK.WriteImage(SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(array[..., c]) for c in range(3)]), path)
    else:
        nibabel.save(nibabel.Nifti1Image(array, np.diag([1, 2, 3, 1])), path)
    alone = [read_volume(path, index=channel) for channel in range(3)]
    with keep_last_file():
        together = [read_volume(path, index=channel) for channel in range(3)]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.array, other.array)
        np.testing.assert_array_equal(one.affine, other.affine)
    together[0].array[:] = 0
    np.testing.assert_array_equal(alone[1].array, together[1].array)


def test_a_compressed_file_is_inflated_once(tmp_path, monkeypatch):
    path = tmp_path / "a.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((5, 6, 7, 3), np.int16), np.eye(4)), path)
    opened = []
    monkeypatch.setattr(nifti, "_inflated", lambda content: opened.append(1) or gzip.decompress(content))
    with keep_last_file():
        for channel in range(3):
            read_volume(path, index=channel)
    assert len(opened) == 1
