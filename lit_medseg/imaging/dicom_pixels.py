"""Decode the pixels of one DICOM file to the numbers that they stand for."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.late_imports import LATE_IMPORTS

DAMAGE = (
    OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, IndexError, NotImplementedError, RuntimeError,
    struct.error, MemoryError,
)  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """One image's stored numbers and what makes them real ones: `stored * slope + intercept`.

    Attributes:
        stored: `(H, W)`, or `(H, W, 3)` RGB.
        slope: RescaleSlope of this image.
        intercept: RescaleIntercept of this image.
    """

    stored: NDArray[np.generic]
    slope: float
    intercept: float


def read_frames(path: Path, frames: Sequence[int], where: str) -> list[Frame]:
    """Decode images of a file, compressed or not.

    MONOCHROME1 is inverted within the stored bits, so that more is brighter, as other readers do; YBR and palettes
    become RGB; a modality look-up table is applied.

    Args:
        path: The file.
        frames: Which of its images.
        where: What errors call it.

    Returns:
        One entry for each of `frames`.

    Raises:
        DataError: Missing, truncated or corrupt, or a transfer syntax without a decoder.
    """
    dataset = read_dataset(path, where)
    try:
        pixels = _decode(dataset, frames)
        return [_frame(dataset, plane, frame) for plane, frame in zip(pixels, frames, strict=True)]
    except DAMAGE as error:
        raise DataError(_damaged(path, where, error)) from error


def stored_frames(dataset: Any, path: Path, where: str) -> list[NDArray[np.generic]]:
    """Decode all images of an opened file to the stored numbers, as `read_frames` without scaling.

    Raises:
        DataError: As for `read_frames`.
    """
    try:
        return _decode(dataset, range(int(dataset.get("NumberOfFrames") or 1)))
    except DAMAGE as error:
        raise DataError(_damaged(path, where, error)) from error


def read_dataset(path: Path, where: str) -> Any:
    """Open a DICOM file, with or without a preamble.

    Args:
        path: The file.
        where: What errors call it.

    Returns:
        pydicom's dataset, its transfer syntax named.

    Raises:
        DataError: Missing or damaged.
    """
    with LATE_IMPORTS:
        from pydicom import dcmread  # noqa: PLC0415 start-up stays quick without pydicom
        from pydicom.errors import InvalidDicomError  # noqa: PLC0415

    try:
        dataset = dcmread(path, force=True)
        _name_syntax(dataset)
    except FileNotFoundError as error:
        todo = "Restore the file or take its case out of the data set"
        raise DataError(expected_got(where, "the file is missing", "a DICOM file", "nothing", todo)) from error
    except (*DAMAGE, InvalidDicomError) as error:
        raise DataError(_damaged(path, where, error)) from error
    return dataset


def _damaged(path: Path, where: str, error: Exception) -> str:
    todo = "Copy the file again from its origin or take its case out of the data set"
    reason = " ".join(str(error).replace(f"{path.parent}/", "").split())[:200]
    what = "the DICOM file is truncated, corrupt or of an unknown coding"
    return expected_got(where, what, "whole, decodable pixels", f"{type(error).__name__}: {reason}", todo)


def real_numbers(frames: Sequence[Frame]) -> NDArray[np.generic]:
    """Stack images and apply their slopes and intercepts.

    Args:
        frames: Of one shape.

    Returns:
        `(n, H, W)` or `(n, H, W, 3)`: the stored dtype where nothing is scaled; int16 where all slopes and intercepts
        are whole and the results fit; else float32.
    """
    scales = {(frame.slope, frame.intercept) for frame in frames}
    if scales == {(1.0, 0.0)}:
        stacked = np.stack([frame.stored for frame in frames])
        return stacked.astype(stacked.dtype.newbyteorder("="), copy=False)
    whole = all(slope.is_integer() and intercept.is_integer() for slope, intercept in scales)
    if whole and all(_fits(frame) for frame in frames):
        shorts = np.empty((len(frames), *frames[0].stored.shape), np.int16)
        for place, frame in enumerate(frames):
            wide = frame.stored.astype(np.int32)
            shorts[place] = wide * int(frame.slope) + int(frame.intercept)
        return shorts
    floats = np.empty((len(frames), *frames[0].stored.shape), np.float32)
    for place, frame in enumerate(frames):
        floats[place] = frame.stored.astype(np.float64) * frame.slope + frame.intercept
    return floats


def _fits(frame: Frame) -> bool:
    """Whether an image's real numbers are int16."""
    if frame.stored.dtype.kind not in "iu" or frame.stored.dtype.itemsize > 2:
        return False
    ends = [int(end) * int(frame.slope) + int(frame.intercept) for end in (frame.stored.min(), frame.stored.max())]
    return min(ends) >= -(2**15) and max(ends) < 2**15


def _name_syntax(dataset: Any) -> None:
    """Files without a header group are plain; pydicom found out how they are coded but wants it named."""
    with LATE_IMPORTS:
        from pydicom.dataset import FileMetaDataset  # noqa: PLC0415
        from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian  # noqa: PLC0415

    meta = getattr(dataset, "file_meta", None) or FileMetaDataset()
    if "TransferSyntaxUID" not in meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    dataset.file_meta = meta


def _decode(dataset: Any, frames: Sequence[int]) -> list[NDArray[np.generic]]:
    """Decode the named images to `(H, W)` or `(H, W, 3)`."""
    with LATE_IMPORTS:
        from pydicom.pixels.processing import apply_color_lut  # noqa: PLC0415
        from pydicom.pixels.utils import pixel_array  # noqa: PLC0415

    total = int(dataset.get("NumberOfFrames") or 1)
    if list(frames) == list(range(total)):
        array = pixel_array(dataset)
        planes = [array] if total == 1 else list(array)
    else:
        planes = [pixel_array(dataset, index=frame) for frame in frames]
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        return [apply_color_lut(plane, dataset) for plane in planes]
    return planes


def _frame(dataset: Any, plane: NDArray[np.generic], frame: int) -> Frame:
    with LATE_IMPORTS:
        from pydicom.pixels.processing import apply_modality_lut  # noqa: PLC0415

    dark = dataset.PhotometricInterpretation == "MONOCHROME1"
    if dataset.get("ModalityLUTSequence"):  # which is for the numbers as they are stored
        plane = apply_modality_lut(plane, dataset)
        bits = int(dataset.ModalityLUTSequence[0].LUTDescriptor[2])
        return Frame(_inverted(plane, bits, signed=False) if dark else plane, 1.0, 0.0)
    if dark:
        plane = _inverted(plane, int(dataset.BitsStored), bool(dataset.get("PixelRepresentation")))
    slope, intercept = _scale(dataset, frame)
    if slope == 0 and plane.min() != plane.max():  # a slice of nothing but 0 may have such a slope
        raise ValueError("a RescaleSlope of 0")
    return Frame(plane, slope, intercept)


def _inverted(plane: NDArray[np.generic], bits: int, signed: bool) -> NDArray[np.generic]:
    """Mirror the range of the stored bits; floats are mirrored at zero."""
    if plane.dtype.kind == "f":
        return np.negative(plane.astype(plane.dtype.type))
    numbers = plane.astype(np.int64)
    top = -1 if signed else 2**bits - 1
    return (top - numbers).astype(plane.dtype)


def _scale(dataset: Any, frame: int) -> tuple[float, float]:
    """Slope and intercept: of the frame, shared by all, or of the file; 1 and 0 where there are none."""
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for group in [*frames[frame : frame + 1], *shared[:1]]:
        values = group.get("PixelValueTransformationSequence")
        if values:
            return float(values[0].RescaleSlope), float(values[0].RescaleIntercept)
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    return 1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept)
