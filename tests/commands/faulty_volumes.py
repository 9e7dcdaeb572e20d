"""Small whole experiments on volumes, to be broken one way at a time."""

import gzip
import re

import nibabel
import numpy as np
from pydicom import dcmread

from lit_medseg.imaging.read_dicom_series import read_dicom_series
from tests.catalogue.fake_volumes import write_nifti
from tests.commands.data_sets import write_config
from tests.commands.faulty_experiments import call, changed, refusal, segmentation
from tests.imaging.fake_dicom import numbers, save, slices

SHAPE = (20, 18, 12)
IDENTIFIER = re.compile(r"\d+(?:\.\d+){5,}|PAT-|Doe|ACC9")


def spec(class_path, **init_args):
    return {"class_path": class_path, "init_args": init_args}


def write_volumes(root, count=8):
    """NIfTI pairs, one patient each: `a` (1) with `b` (2) inside."""
    for number in range(count):
        codes = np.zeros(SHAPE, np.uint8)
        codes[5:12, 4:10, 3:8], codes[7:9, 6:8, 4:6] = 1, 2
        intensities = np.random.default_rng(number).normal(5, 20, SHAPE) + 100.0 * codes
        write_nifti(root / f"images/p{number}.nii.gz", intensities.astype(np.int16))
        write_nifti(root / f"masks/p{number}.nii.gz", codes)


def write_dicom(root, count=5, shape=(6, 40, 36)):
    """A series a patient, without endings, and NIfTI masks on their grids."""
    for number in range(count):
        made = slices(numbers(shape, number), modality="MR", series=f"1.2.3.4.{number}.6.0", patient=f"PAT-{number}")
        for one in made:
            one.SeriesDescription, one.StudyInstanceUID = "t2", f"1.2.3.4.{number}.5.1"
        folder = save(made, root / f"P{number}", [f"IM{place}" for place in range(len(made))])
        place = read_dicom_series(folder).affine
        codes = np.zeros(shape[::-1], np.uint8)
        codes[3:9, 3:9, 1:4], codes[4:6, 4:6, 2] = 1, 2
        write_nifti(root / f"labels/P{number}.nii.gz", codes, np.column_stack([place[:, 2::-1], place[:, 3]]))


def volumes(root="set", **changes):
    """Settings of a segmentation of NIfTI pairs."""
    settings = segmentation(
        root,
        data__class_path="data_modules.mri.MRIDataModule",
        model__init_args__network=spec("torch.nn.Conv3d", kernel_size=1),
        data__init_args__truth={"masks": {"a": 1, "b": 2}},
        data__init_args__splitter=spec("lit_medseg.catalogue.hold_out.HoldOut", val=0.25, test=0.25),
        data__init_args__training={"patch_size": [8, 8, 8], "augmentation": []},
        data__init_args__loading={"batch_size": 2, "workers": 0},
    )
    return changed(settings, **changes)


def dicom(**changes):
    """Settings of a segmentation of DICOM series."""
    keys = {"channels": {"t2": "t2"}, "mask": "labels/{id}.nii.gz", "folder_pattern": "(?P<id>P[0-9])"}
    source = spec("lit_medseg.catalogue.dicom_tree.DicomTree", root="dicom", **{**keys, **changes})
    return volumes(data__init_args__source=source, data__init_args__training={"patch_size": [4, 8, 8]})


def saved_anew(path, change, affine=None):
    """Write a NIfTI's voxels `(i, j, k)` changed, and perhaps its place."""
    stored = nibabel.load(path)
    array = change(np.asarray(stored.dataobj))
    nibabel.save(nibabel.Nifti1Image(array, stored.affine if affine is None else affine(stored.affine.copy())), path)


def header_changed(path, **fields):
    """Set fields of a compressed NIfTI's header that nibabel would not write."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    header = nibabel.Nifti1Header(bytes(content[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(gzip.compress(bytes(header.binaryblock) + bytes(content[348:])))


def dicom_changed(path, change):
    """Change a DICOM file's tags."""
    dataset = dcmread(path)
    change(dataset)
    dataset.save_as(path)


def refused_both(capsys, tmp_path, settings):
    """See that `fit` refuses and `data check` tells the same faults; gives the text of `fit`."""
    text = refusal(capsys, settings)
    config = write_config(tmp_path, **{key: settings["data"]["init_args"][key] for key in ("source", "truth")})
    assert call("data", "check", config) == 1
    told = capsys.readouterr()
    assert told.err == ""
    faults = [line.removeprefix("fault: ") for line in told.out.splitlines() if line.startswith("fault: ")]
    assert faults == [line[4:] for line in text.splitlines() if line.startswith("  - ")]
    for words in (text, told.out):
        assert str(tmp_path) not in words
        assert not IDENTIFIER.search(words)
    return text
