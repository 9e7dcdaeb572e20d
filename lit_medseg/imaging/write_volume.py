"""Write a volume in the format that a file's ending names."""

from collections.abc import Mapping
from pathlib import Path

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.volume import Volume
from lit_medseg.imaging.write_array import write_hdf5, write_npy
from lit_medseg.imaging.write_dicom_seg import write_dicom_seg
from lit_medseg.imaging.write_itk import write_itk
from lit_medseg.imaging.write_nifti import write_nifti
from lit_medseg.imaging.write_png import write_png
from lit_medseg.imaging.write_stack import write_stack

WRITABLE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".h5", ".hdf5", ".npy", ".tif", ".tiff", ".png", ".dcm")


def write_volume(
    path: Path,
    volume: Volume,
    reference: Path | None = None,
    reference_key: str = "",
    names: Mapping[int, str] | None = None,
    keep_patient: bool = False,
) -> None:
    """Write a volume or mask, whole or not at all; what `read_volume` reads back is the same.

    Args:
        path: One of `WRITABLE_ENDINGS`; `.dcm` is a DICOM-SEG of a mask.
        volume: `(C, D, H, W)` or `(C, H, W)`; a mask of codes has C = 1.
        reference: DICOM-SEG: folder or file of the series that the mask belongs to.
        reference_key: DICOM-SEG: the series' first file, where the folder has several.
        names: DICOM-SEG: label by code.
        keep_patient: DICOM-SEG: copy the series' patient and study data, so that an archive files it beside the images.

    Raises:
        DataError: An unknown ending, or a volume that the format cannot hold (a place in space is lost in NumPy, TIFF
            and PNG, and that alone is no error).
        OSError: The disk refuses.
    """
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        write_nifti(path, volume)
    elif name.endswith((".nrrd", ".mha")):
        write_itk(path, volume)
    elif name.endswith((".h5", ".hdf5")):
        write_hdf5(path, volume)
    elif name.endswith(".npy"):
        write_npy(path, volume)
    elif name.endswith((".tif", ".tiff")):
        write_stack(path, volume)
    elif name.endswith(".png"):
        _write_picture(path, volume)
    elif name.endswith(".dcm"):
        if reference is None:
            todo = "Name the folder of the series (`--reference`)"
            raise DataError(expected_got(path.name, "a DICOM-SEG needs its series", "a reference", "none", todo))
        write_dicom_seg(path, volume, reference, reference_key, names, keep_patient)
    else:
        todo = "Name a file with one of these endings"
        expected = ", ".join(WRITABLE_ENDINGS)
        raise DataError(expected_got(path.name, "no such format is written", expected, path.suffix, todo))


def _write_picture(path: Path, volume: Volume) -> None:
    flat = volume.array[:, 0] if volume.array.ndim == 4 and volume.grid[0] == 1 else volume.array
    if flat.ndim != 3:
        todo = "Write TIFF or NIfTI"
        raise DataError(expected_got(path.name, "a PNG holds no slices", "a picture", volume.array.shape, todo))
    write_png(path, flat)
