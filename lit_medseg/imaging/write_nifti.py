"""NIfTI files, written whole or not at all."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.imaging.late_imports import LATE_IMPORTS
from lit_medseg.imaging.plain_numbers import plain_numbers
from lit_medseg.imaging.volume import Volume
from lit_medseg.imaging.whole_file import whole_file

COMPRESSION = 3  # of 9: masks are as small as at 6, images are written twice as fast
SCANNER = 1
RIGHT_ANGLE = 1e-4  # cosine; a quaternion cannot hold a shear


def write_nifti(path: Path, volume: Volume) -> None:
    """Write a volume; the same volume gives the same bytes.

    Args:
        path: `.nii` or `.nii.gz`.
        volume: `(C, D, H, W)` or `(C, H, W)` (D = 1); several channels become the fourth axis. Its affine is written as
            sform and, where its axes are at right angles, as qform; without one, the spacing alone.

    Raises:
        OSError: The disk refuses.
    """
    with LATE_IMPORTS:
        from nibabel.nifti1 import Nifti1Image  # noqa: PLC0415 start-up stays quick without nibabel

    array = plain_numbers(volume.array)
    planes = array if array.ndim == 4 else array[:, None]
    last = planes[0].T if len(planes) == 1 else np.moveaxis(planes, 0, -1).transpose(2, 1, 0, 3)
    affine = index_affine(volume)
    new: Any = Nifti1Image
    image = new(last, affine, dtype=array.dtype)
    header = image.header
    header.set_xyzt_units("mm")
    image.set_sform(affine, SCANNER)
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    right = np.abs(directions.T @ directions - np.eye(3)).max() < RIGHT_ANGLE
    image.set_qform(affine if right else None, SCANNER if right else 0)
    content: bytes = image.to_bytes()
    with whole_file(path) as half:
        compress = path.name.lower().endswith(".gz")
        half.write_bytes(gzip.compress(content, COMPRESSION, mtime=0) if compress else content)


def index_affine(volume: Volume) -> NDArray[np.float64]:
    """The affine in the order (w, h, d) of files that count their axes the other way round.

    Returns:
        4x4, index to RAS+ mm; the spacing on the diagonal where the volume's place is unknown.
    """
    if volume.affine is not None:
        return np.column_stack([volume.affine[:, 2::-1], volume.affine[:, 3]])
    spacing = (*(1.0,) * (3 - len(volume.spacing_mm)), *volume.spacing_mm)
    return np.diag([*spacing[::-1], 1.0])
