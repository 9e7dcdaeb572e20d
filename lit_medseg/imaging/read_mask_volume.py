"""Read any mask file as class codes with their place in space."""

from pathlib import Path

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.find_dicom_series import find_dicom_masks, find_dicom_series
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.read_array import PICTURE_ENDINGS, READABLE_ENDINGS, read_mask
from lit_medseg.imaging.read_dicom_header import MASKS, read_dicom_header
from lit_medseg.imaging.read_dicom_seg import read_dicom_seg
from lit_medseg.imaging.read_hdf5 import HDF5_ENDINGS
from lit_medseg.imaging.read_itk import ITK_ENDINGS
from lit_medseg.imaging.read_nifti import NIFTI_ENDINGS
from lit_medseg.imaging.read_rtstruct import read_rtstruct
from lit_medseg.imaging.read_stack import STACK_ENDINGS, tiff_pages
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.volume import Volume, flat_volume
from lit_medseg.imaging.whole_codes import whole_codes

PLAIN_ENDINGS = (*NIFTI_ENDINGS, *ITK_ENDINGS, *HDF5_ENDINGS, *READABLE_ENDINGS)


def read_mask_volume(path: Path, key: str = "", index: int | None = None, reference: Volume | None = None) -> Volume:
    """Read a mask of class codes, whatever its format.

    The mask of a plain format comes on its own grid (`same_grid.onto_grid` brings it onto its image's); DICOM-SEG and
    RTSTRUCT come on the reference's.

    Args:
        path: As for `read_volume`; DICOM-SEG or RTSTRUCT besides (the file, or a folder with nothing else).
        key: As for `read_volume`; the label of one segment or region (its code is 1), or empty for all of them
            (the code is the segment's or region's number).
        index: As for `read_volume`.
        reference: The image that the mask belongs to; DICOM-SEG and RTSTRUCT need it.

    Returns:
        `(1, *S)`, integers.

    Raises:
        DataError: As for `read_volume`; numbers that are not whole; several channels that differ.
    """
    where = place_name(path, key, index)
    name = path.name.lower()
    if name.endswith(PICTURE_ENDINGS) and not (name.endswith(STACK_ENDINGS) and tiff_pages(path) > 1):
        return flat_volume(read_mask(path, key, index)[None])
    path = _only_mask(path)
    kind = "" if name.endswith(PLAIN_ENDINGS) else mask_kind(path)
    if kind == "SEG":
        return read_dicom_seg(path, key, reference)
    if kind == "RTSTRUCT":
        return read_rtstruct(path, key, reference)
    volume = read_volume(path, key, index)
    codes = whole_codes(volume.array, where)
    if len(codes) > 1:
        if not (codes == codes[:1]).all():
            todo = "Save the class codes as one gray channel"
            raise DataError(expected_got(where, "the mask's channels differ", "equal channels", "colours", todo))
        codes = codes[:1]
    return volume.with_array(codes)


def _only_mask(path: Path) -> Path:
    """The DICOM mask of a folder that holds one and no images (archives export so); any other path as it is."""
    if not path.is_dir() or find_dicom_series(path):
        return path
    masks = find_dicom_masks(path)
    return path / masks[0].file if len(masks) == 1 else path


def mask_kind(path: Path) -> str:
    """Say whether a file is a DICOM mask.

    Args:
        path: Any file or folder.

    Returns:
        `SEG`, `RTSTRUCT`, or an empty text for anything else.
    """
    header = read_dicom_header(path, path.name) if path.is_file() else None
    return header.modality if header is not None and header.modality in MASKS else ""
