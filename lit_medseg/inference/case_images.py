"""The images of a case on the grid that its prediction has."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.image_files import IMAGE_ENDINGS
from lit_medseg.catalogue.read_ref import read_image_ref
from lit_medseg.imaging.kept_file import keep_last_file
from lit_medseg.imaging.volume import SPACING_TOLERANCE, Volume
from lit_medseg.preprocess.trace import CaseTrace

_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class CaseImages:
    """The channels that lie where the prediction lies; those on other grids are left out.

    Attributes:
        refs: Their references.
        volumes: Their intensities, as the files hold them.
        names: Their names; `image`, or `image_1`, ... where they have none.
    """

    refs: tuple[Ref, ...]
    volumes: tuple[Volume, ...]
    names: tuple[str, ...]

    def planes(self) -> dict[str, NDArray[np.generic]]:
        """Give the intensities `(*S)` by name; of a colour picture `red`, `green` and `blue`."""
        found: dict[str, NDArray[np.generic]] = {}
        for name, volume in zip(self.names, self.volumes, strict=True):
            found |= dict(zip(_plane_names(name, volume), volume.array, strict=True))
        return found


def case_images(folder: Path, case: Case, trace: CaseTrace) -> CaseImages:
    """Read the images of a case.

    Args:
        folder: Where the references start from.
        case: The case.
        trace: Says which grid is the native one.

    Raises:
        DataError: A file cannot be read any more.
    """
    count = len(case.images)
    names = case.channels or (("image",) if count == 1 else tuple(f"image_{number}" for number in range(1, count + 1)))
    with keep_last_file():
        read = [(ref, read_image_ref(folder, ref), name) for ref, name in zip(case.images, names, strict=True)]
    native = [one for one in read if _lies_at(one[1], trace)]
    return CaseImages(
        tuple(ref for ref, _, _ in native),
        tuple(volume for _, volume, _ in native),
        tuple(name for _, _, name in native),
    )


def is_dicom(folder: Path, ref: Ref) -> bool:
    """Whether a reference is a DICOM series or file: a folder, or a file without another image's ending."""
    name = ref.path.lower()
    return (folder / ref.path).is_dir() or name.endswith(".dcm") or not name.endswith(IMAGE_ENDINGS)


def _lies_at(volume: Volume, trace: CaseTrace) -> bool:
    """Whether a volume lies on the native grid."""
    if volume.grid != trace.grid or (volume.affine is None) != (trace.affine is None):
        return False
    if volume.affine is None:
        return True
    tolerance_mm = SPACING_TOLERANCE * min(trace.spacing_mm)
    return bool(np.abs(volume.affine - np.array(trace.affine)).max() <= tolerance_mm)


def _plane_names(name: str, volume: Volume) -> Sequence[str]:
    channels = len(volume.array)
    if channels == 1:
        return (name,)
    if channels == len(_COLOURS):
        return _COLOURS if name == "image" else [f"{name}_{colour}" for colour in _COLOURS]
    return [f"{name}_{number}" for number in range(1, channels + 1)]
