"""Tiny volumes, and data sets of them, for the tests of this package."""

import json
from pathlib import Path

import h5py
import nibabel
import numpy as np

from lit_medseg.catalogue.bids_tree import Bids
from lit_medseg.catalogue.decathlon import Decathlon
from lit_medseg.catalogue.dicom_tree import DicomTree
from lit_medseg.catalogue.hdf5_archive import Hdf5Archive
from lit_medseg.catalogue.nnunet_raw import NnUNetRaw
from lit_medseg.imaging.read_dicom_series import read_dicom_series
from tests.imaging.fake_dicom import numbers, save, slices

AFFINE = np.array([[1.5, 0.2, 0, -20], [-0.2, 1.4, 0.1, 30], [0, -0.1, 3, 5], [0, 0, 0, 1]])


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    """Write `(i, j, k)` as nibabel does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


def image(seed: int = 0, shape: tuple[int, ...] = (7, 6, 5)) -> np.ndarray:
    return np.random.default_rng(seed).integers(-100, 1000, shape).astype(np.int16)


def mask(seed: int = 0, shape: tuple[int, ...] = (7, 6, 5), values: tuple[int, ...] = (0, 1, 2)) -> np.ndarray:
    return np.random.default_rng(seed + 99).choice(np.array(values, np.uint8), shape)


def flipped(array: np.ndarray, affine: np.ndarray = AFFINE) -> tuple[np.ndarray, np.ndarray]:
    """The same volume written in another orientation: first axis reversed, first and last exchanged."""
    other = affine.copy()
    other[:3, 3] += other[:3, 0] * (array.shape[0] - 1)
    other[:3, 0] *= -1
    return np.ascontiguousarray(array[::-1].transpose(2, 1, 0)), other[:, [2, 1, 0, 3]]


def moved(mm: float, affine: np.ndarray = AFFINE) -> np.ndarray:
    """The same orientation, shifted along the first world axis."""
    other = affine.copy()
    other[0, 3] += mm
    return other


def dataset_json(root: Path, **keys: object) -> None:
    (root / "dataset.json").write_text(json.dumps(keys))


def nnunet_raw(root: Path) -> NnUNetRaw:
    """Two cases of two channels, in the second version's format."""
    dataset_json(
        root,
        channel_names={"0": "T2", "1": "ADC"},
        labels={"background": 0, "a": 1, "b": 2},
        numTraining=2,
        file_ending=".nii.gz",
    )
    for number, name in enumerate(("x_01", "x_02")):
        for channel in range(2):
            write_nifti(root / f"imagesTr/{name}_{channel:04d}.nii.gz", image(2 * number + channel))
        write_nifti(root / f"labelsTr/{name}.nii.gz", mask(number))
    return NnUNetRaw(str(root), patient_pattern="_([0-9]+)$")


def decathlon(root: Path) -> Decathlon:
    """Two cases of two channels along the fourth axis."""
    names = ("p_001", "p_002")
    dataset_json(
        root,
        modality={"0": "FLAIR", "1": "T1w"},
        labels={"0": "background", "1": "a"},
        numTraining=2,
        numTest=1,
        training=[{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names],
        test=["./imagesTs/p_003.nii.gz"],
    )
    for number, name in enumerate(names):
        write_nifti(root / f"imagesTr/{name}.nii.gz", np.stack([image(number), image(number + 9)], axis=-1))
        write_nifti(root / f"labelsTr/{name}.nii.gz", mask(number))
    return Decathlon(str(root), patient_pattern="_([0-9]+)$")


def bids(root: Path) -> Bids:
    """One subject with two sessions, one without sessions; masks among the derivatives."""
    for number, place in enumerate(("sub-01/ses-a", "sub-01/ses-b", "sub-02")):
        name = place.replace("/", "_")
        for channel, suffix in enumerate(("T1w", "FLAIR")):
            write_nifti(root / place / f"anat/{name}_{suffix}.nii.gz", image(10 * channel + number))
        write_nifti(root / "derivatives/manual" / place / f"anat/{name}_desc-lesion_mask.nii.gz", mask(number))
    (root / "participants.tsv").write_text("participant_id\tsex\tgroup\nsub-01\tF\tms\nsub-02\tM\tcontrol\n")
    channels = {"t1": "anat/*_T1w.nii.gz", "flair": "anat/*_FLAIR.nii.gz"}
    return Bids(str(root), channels, "anat/*_mask.nii.gz", "derivatives/manual", label="group")


def dicom_tree(root: Path) -> DicomTree:
    """Two patients with two series each in one folder, a third series nobody wants, and masks beside."""
    for number in range(2):
        folder = root / f"archive/P{number}"
        for series, description in enumerate(("t2_tse_tra", "ep2d_ADC", "t2_tse_sag")):
            shape = (4 + series, 6, 5)
            made = slices(
                numbers(shape, 10 * number + series),
                modality="MR",
                series=f"1.2.3.4.{number}.6.{series}",
                patient=f"PAT-{number}",
            )
            for one in made:
                one.SeriesDescription, one.StudyInstanceUID = description, f"1.2.3.4.{number}.5.1"
            save(made, folder, [f"{series}_{place}" for place in range(len(made))])
        t2 = read_dicom_series(folder, "0_0")
        affine = np.column_stack([t2.affine[:, 2::-1], t2.affine[:, 3]])
        write_nifti(root / f"labels/P{number}.nii.gz", mask(number, t2.grid[::-1]), affine)
    channels = {"t2": "^MR .*t2.*tra", "adc": "adc"}
    return DicomTree(str(root), channels, mask="labels/{id}.nii.gz", folder_pattern="(?P<id>P[0-9])")


def hdf5_archive(root: Path) -> Hdf5Archive:
    """Two groups of one file, with a place in space."""
    with h5py.File(root / "all.h5", "w") as file:
        for number in range(2):
            group = file.create_group(f"train/{number:02d}")
            group.attrs["patient"], group.attrs["site"], group.attrs["age"] = f"p{number}", "A", 40 + number
            group.attrs["affine"] = np.column_stack([AFFINE[:, 2::-1], AFFINE[:, 3]])
            group["t1"] = image(number).transpose(2, 1, 0)
            group["seg"] = mask(number).transpose(2, 1, 0)
    return Hdf5Archive(str(root), groups="train/*", image={"t1": "t1"}, mask="seg", patient="patient")
