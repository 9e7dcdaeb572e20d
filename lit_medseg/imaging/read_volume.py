"""Read any image file or DICOM series as a volume with its place in space."""

from pathlib import Path

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.array_volume import array_planes, array_row
from lit_medseg.imaging.load_array import load_array
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.read_array import ARRAY_ENDINGS, READABLE_ENDINGS, read_image
from lit_medseg.imaging.read_dicom_series import read_dicom_series
from lit_medseg.imaging.read_hdf5 import HDF5_ENDINGS, read_hdf5
from lit_medseg.imaging.read_itk import ITK_ENDINGS, read_itk
from lit_medseg.imaging.read_nifti import NIFTI_ENDINGS, read_nifti
from lit_medseg.imaging.read_stack import STACK_ENDINGS, read_stack, tiff_pages
from lit_medseg.imaging.volume import Volume, flat_volume


def read_volume(path: Path, key: str = "", index: int | None = None) -> Volume:
    """Read an image, whatever its format.

    Args:
        path: NIfTI (`.nii`, `.nii.gz`), NRRD (`.nrrd`, `.nhdr`), MetaImage (`.mha`, `.mhd`), HDF5 (`.h5`, `.hdf5`),
            NumPy (`.npy`, `.npz`), PNG, JPEG, BMP or TIFF (several pages are slices); a folder of DICOM files, or one
            DICOM file whatever its ending.
        key: Array of an `.npz`; path of an HDF5 dataset; first file of a DICOM series, relative to the folder
            (`resample:` before it interpolates uneven or tilted slices). May be empty where there is only one.
        index: Channel along the fourth axis (NIfTI, NRRD, MetaImage); row along the first axis (NumPy, HDF5).

    Returns:
        `(C, D, H, W)` or, for pictures, `(C, H, W)`; the stored dtype where nothing is scaled. Arrays without a
        place in space (NumPy, HDF5 without attributes, pictures) have spacing 1.0 and no affine.

    Raises:
        DataError: Missing, truncated or corrupt; four dimensions without `index`; no such key; no image. The text
            names file and key, never folders.
    """
    name = path.name.lower()
    if name.endswith(NIFTI_ENDINGS):
        return read_nifti(path, index)
    if name.endswith(ITK_ENDINGS):
        return read_itk(path, index)
    if name.endswith(HDF5_ENDINGS):
        return read_hdf5(path, key, index)
    if name.endswith(READABLE_ENDINGS):
        return _read_plain(path, key, index)
    if index is not None:
        todo = "Name its key instead"
        where = place_name(path, key, index)
        raise DataError(expected_got(where, "a DICOM series has no channels", "no index", index, todo))
    return read_dicom_series(path, key)


def _read_plain(path: Path, key: str, index: int | None) -> Volume:
    """NumPy files and pictures, which know no patient."""
    name, where = path.name.lower(), place_name(path, key, index)
    if name.endswith(ARRAY_ENDINGS):
        return flat_volume(array_planes(array_row(load_array(path, where, key), index, where), where))
    if name.endswith(STACK_ENDINGS) and tiff_pages(path) > 1:
        return read_stack(path, index)
    return flat_volume(read_image(path, key, index))
