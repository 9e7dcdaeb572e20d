"""NRRD and MetaImage files, written whole or not at all."""

from pathlib import Path
from typing import Any

import numpy as np

from lit_medseg.imaging.late_imports import LATE_IMPORTS
from lit_medseg.imaging.plain_numbers import plain_numbers
from lit_medseg.imaging.volume import Volume
from lit_medseg.imaging.whole_file import whole_file
from lit_medseg.imaging.world_axes import LPS_TO_RAS
from lit_medseg.imaging.write_nifti import index_affine


def write_itk(path: Path, volume: Volume) -> None:
    """Write a volume with SimpleITK, compressed.

    Args:
        path: `.nrrd` or `.mha`.
        volume: `(C, D, H, W)` or `(C, H, W)` (D = 1); several channels become the components of a vector image.

    Raises:
        OSError: The disk refuses.
    """
    with LATE_IMPORTS:
        import SimpleITK  # noqa: PLC0415 start-up stays quick without it

    array = plain_numbers(volume.array)
    planes = array if array.ndim == 4 else array[:, None]
    several = len(planes) > 1
    last = np.ascontiguousarray(np.moveaxis(planes, 0, -1) if several else planes[0])
    image: Any = SimpleITK.GetImageFromArray(last, isVector=several)
    affine = LPS_TO_RAS @ index_affine(volume)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(lengths.tolist())
    image.SetDirection((affine[:3, :3] / lengths).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    with whole_file(path) as half:
        try:
            SimpleITK.WriteImage(image, str(half), useCompression=True)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].replace(f"{path.parent}/", "")
            raise OSError(f"{path.name}: {reason}") from error
