"""`data convert`: anything that is read into anything that is written."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lit_medseg.errors import ConfigError, DataError, expected_got
from lit_medseg.imaging.find_dicom_series import find_dicom_series
from lit_medseg.imaging.place_name import place_name
from lit_medseg.imaging.read_dicom_series import RESAMPLE
from lit_medseg.imaging.read_mask_volume import mask_kind, read_mask_volume
from lit_medseg.imaging.read_volume import read_volume
from lit_medseg.imaging.same_grid import onto_grid
from lit_medseg.imaging.volume import Volume
from lit_medseg.imaging.write_volume import WRITABLE_ENDINGS, write_volume

if TYPE_CHECKING:
    from lit_medseg.imaging.dicom_series import DicomSeries

UNSAFE = re.compile(r"[^A-Za-z0-9.]+")


@dataclass(frozen=True)
class Conversion:
    """How a file is converted.

    Attributes:
        reference: Image, or folder of the DICOM series, that a mask was drawn on; None without.
        reference_key: First file of that series, where the folder has several.
        key: Dataset, array, segment, or first file of a DICOM series within the source.
        index: Channel of an image of four dimensions, or row of an array.
        names: `CODE=NAME` by segment of a DICOM-SEG.
        resample: Whether tilted and uneven DICOM series are interpolated instead of refused.
        overwrite: Whether a target that exists is replaced.
    """

    reference: str | None = None
    reference_key: str = ""
    key: str = ""
    index: int | None = None
    names: Sequence[str] = ()
    resample: bool = False
    overwrite: bool = False

    @property
    def labels(self) -> dict[int, str]:
        """The segments' names by code.

        Raises:
            ConfigError: A word is no `CODE=NAME`.
        """
        pairs = [word.partition("=") for word in self.names]
        for code, _, name in pairs:
            if not code.isdecimal() or not name:
                todo = "Write --names 1=liver 2=tumour"
                raise ConfigError(
                    expected_got("--names", "no label of a segment", "CODE=NAME", f"{code}{_}{name}", todo)
                )
        return {int(code): name for code, _, name in pairs}


def convert(source: Path, target: Path, how: Conversion) -> int:
    """Read a source and write it as its target's ending says.

    A DICOM-SEG or RTSTRUCT is read as codes on the reference's grid. With a reference, other masks are turned onto its
    grid where that is the same grid in another orientation. A target without a known ending is a folder, which gets a
    NIfTI of every DICOM series below the source.

    Args:
        source: File, or folder of DICOM files.
        target: File, or folder.
        how: The rest.

    Returns:
        0; 1 where a series of several could not be converted (the others were).

    Raises:
        MedSegError: Source, reference or target cannot be used.
    """
    if not source.exists():
        todo = "Correct the path"
        raise DataError(expected_got(place_name(source), "no such source", "a file or folder", "nothing there", todo))
    if not target.name.lower().endswith(WRITABLE_ENDINGS):
        return _convert_all(source, target, how)
    _check_target(target, how)
    volume = _read(source, target, how)
    reference = None if how.reference is None else Path(how.reference)
    _write(target, volume, reference, how)
    return 0


def _read(source: Path, target: Path, how: Conversion) -> Volume:
    """Read the source, as codes where it is a mask or becomes one."""
    key = f"{RESAMPLE}{how.key}" if how.resample else how.key
    becomes_mask = target.name.lower().endswith(".dcm")
    if source.is_file() and (becomes_mask or mask_kind(source)):
        reference = None if how.reference is None else _read_reference(how)
        return read_mask_volume(source, how.key, how.index, reference)
    if becomes_mask:
        todo = "Give a mask file, and the series with --reference"
        raise DataError(expected_got(place_name(source), "no mask", "a file of codes", "a folder", todo))
    volume = read_volume(source, key, how.index)
    return volume if how.reference is None else onto_grid(volume, _read_reference(how), place_name(source))


def _read_reference(how: Conversion) -> Volume:
    """Read the image that the mask belongs to.

    Raises:
        DataError: It is not there, or cannot be read.
    """
    path = Path(how.reference or "")
    if not path.exists():
        todo = "Correct --reference"
        raise DataError(expected_got(place_name(path), "no such reference", "an image", "nothing there", todo))
    key = f"{RESAMPLE}{how.reference_key}" if how.resample and path.is_dir() else how.reference_key
    return read_volume(path, key)


def _convert_all(source: Path, target: Path, how: Conversion) -> int:
    """Write every series of a DICOM tree into a folder, named by number, modality and description."""
    if not source.is_dir() or target.is_file() or target.suffix:
        todo = "Name a file with one of these endings, or for a folder of DICOM series a folder"
        expected = ", ".join(WRITABLE_ENDINGS)
        raise ConfigError(expected_got(target.name, "no such format is written", expected, target.suffix, todo))
    found = [series for series in find_dicom_series(source) if not series.localizer]
    if not found:
        todo = "Name the folder that holds the DICOM files, in it or below"
        raise DataError(expected_got(place_name(source), "no DICOM images", "series", 0, todo))
    failed = 0
    for number, series in enumerate(found):
        file = target / _file_name(number, series)
        try:
            _check_target(file, how)
            key = f"{RESAMPLE}{series.key}" if how.resample else series.key
            _write(file, read_volume(source, key), None, how)
        except DataError as error:
            failed += 1
            print(f"error: {error}", file=sys.stderr)
    if failed:
        print(f"{len(found) - failed} of {len(found)} series written", file=sys.stderr)
    return 1 if failed else 0


def _file_name(number: int, series: "DicomSeries") -> str:
    words = [f"{number:03d}", series.modality, series.description, series.variant]
    return "-".join(word for word in (UNSAFE.sub("_", word).strip("_.") for word in words) if word) + ".nii.gz"


def _check_target(target: Path, how: Conversion) -> None:
    """Refuse to replace a file unless told to, before anything is read.

    Raises:
        ConfigError: It exists.
    """
    if target.exists() and not how.overwrite:
        todo = "Name another file, or add --overwrite"
        raise ConfigError(expected_got(target.name, "the target exists", "a new file", "one that is there", todo))


def _write(target: Path, volume: Volume, reference: Path | None, how: Conversion) -> None:
    """Write the target and say what it holds.

    Raises:
        DataError: The format cannot hold the volume, or the disk refuses.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_volume(target, volume, reference, how.reference_key, how.labels)
    except OSError as error:
        todo = "Free space, or name a folder that you may write to"
        raise DataError(expected_got(target.name, "it cannot be written", "room", error.strerror, todo)) from error
    spacing = " x ".join(f"{size:.4g}" for size in volume.spacing_mm)
    shape = " x ".join(map(str, volume.array.shape))
    print(f"written: {target}: {shape} {volume.array.dtype}, spacing {spacing} mm")
