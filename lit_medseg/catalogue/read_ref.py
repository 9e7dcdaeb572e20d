"""From a reference to a volume: the one place where the catalogue's and the cache's reading agree."""

from pathlib import Path

from lit_medseg.catalogue.case import Ref
from lit_medseg.imaging.read_mask_volume import read_mask_volume
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.volume import Volume


def read_image_ref(folder: Path, ref: Ref) -> Volume:
    """Read one image of a case.

    Args:
        folder: Where the reference starts from.
        ref: The image.

    Returns:
        `(C, *S)` as the file holds it.

    Raises:
        DataError: It cannot be read; the text names file and key, not the folder.
    """
    return read_volume(folder / ref.path, ref.key, ref.index)


def read_mask_ref(folder: Path, ref: Ref, reference: Volume | None) -> Volume:
    """Read one mask of a case.

    Args:
        folder: Where the reference starts from.
        ref: The mask.
        reference: The image that a DICOM-SEG or RTSTRUCT is drawn on; other masks have a grid of their own.

    Returns:
        `(1, *S)` whole numbers.

    Raises:
        DataError: It cannot be read, or does not lie on the reference's grid.
    """
    return read_mask_volume(folder / ref.path, ref.key, ref.index, reference)
