"""Reading one case and finding what is wrong with it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.classes import Classes, LabelClasses, MaskClasses
from lit_medseg.catalogue.entry import Entry
from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.pixel_hash import pixel_hash
from lit_medseg.imaging.read_array import read_image, read_mask


def scan_case(folder: Path, case: Case, classes: Classes | None) -> tuple[Entry | None, list[str]]:
    """Read image and truth of a case.

    Args:
        folder: The folder that the case's references start from.
        case: The case.
        classes: The declared classes; None leaves the truth unread (predict).

    Returns:
        The facts and no faults, or None and every fault of the case, in the house form.
    """
    where = f"case {case.case_id}"
    image, faults = _read_image(folder, case, where)
    grid = None if image is None else tuple(image.shape[1:])
    truth: dict[str, Any] = {}
    if isinstance(classes, MaskClasses):
        truth, truth_faults = _read_masks(folder, case, classes, grid)
        faults += truth_faults
    elif isinstance(classes, LabelClasses):
        truth, truth_faults = _read_label(case, classes)
        faults += truth_faults
    if faults or image is None or grid is None:
        return None, faults
    return Entry(case, grid, image.shape[0], image.dtype.name, pixel_hash(image), **truth), []


def _read_image(folder: Path, case: Case, where: str) -> tuple[NDArray[Any] | None, list[str]]:
    """Read and stack the channels; check that they fit each other and are finite."""
    faults: list[str] = []
    channels: list[NDArray[Any]] = []
    for ref in case.images:
        fault = _missing(folder, ref, f"{where}, image {ref}")
        try:
            channels += [] if fault else [read_image(folder / ref.path, ref.key, ref.index)]
        except DataError as error:
            fault = f"{where}, {error}"
        faults += [fault] if fault else []
    for ref, array in zip(case.images, channels, strict=False) if not faults else ():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            got = f"{int((~np.isfinite(array)).sum())} NaN or infinite"
            faults.append(
                expected_got(f"{where}, image {ref}", "unusable pixels", "finite", got, "Mend or leave it out")
            )
        if array.shape[1:] != channels[0].shape[1:]:
            expected, got = f"{channels[0].shape[1:]} like {case.images[0]}", str(array.shape[1:])
            todo = "Bring the channels onto one grid"
            faults.append(expected_got(f"{where}, image {ref}", "channels differ in size", expected, got, todo))
    return (None, faults) if faults or not channels else (np.concatenate(channels), [])


def _read_masks(
    folder: Path, case: Case, classes: MaskClasses, grid: tuple[int, ...] | None
) -> tuple[dict[str, Any], list[str]]:
    """Read the masks, check their size against the image's, and code them."""
    where = f"case {case.case_id}"
    if len(case.masks) != classes.files:
        todo = "Give each case its mask files (one per overlapping class), or leave the case out"
        return {}, [expected_got(where, "other number of masks", classes.files, len(case.masks), todo)]
    masks: list[NDArray[Any]] = []
    faults: list[str] = []
    for ref in case.masks:
        fault = _missing(folder, ref, f"{where}, mask {ref}")
        try:
            masks += [] if fault else [read_mask(folder / ref.path, ref.key, ref.index)]
        except DataError as error:
            fault = f"{where}, {error}"
        faults += [fault] if fault else []
    if faults:
        return {}, faults
    for ref, mask in zip(case.masks, masks, strict=True):
        if mask.shape != (grid or mask.shape):
            todo = "Pair each image with its own mask"
            faults.append(expected_got(f"{where}, mask {ref}", "not of the image's size", grid, mask.shape, todo))
    try:
        codes = _code_each(masks, case, classes)
    except DataError as error:
        faults.append(str(error))
        return {}, faults
    return ({}, faults) if faults else (_mask_facts(codes, classes), [])


def _code_each(masks: list[NDArray[Any]], case: Case, classes: MaskClasses) -> NDArray[np.uint8]:
    """Code the masks; one that does not fit the others' size is still searched for undeclared values."""
    where = f"case {case.case_id}, mask " + ", ".join(str(ref) for ref in case.masks)
    if len({mask.shape for mask in masks}) > 1:
        for name, mask in zip(classes.names, masks, strict=True):
            MaskClasses({name: classes.codes[name]}).encode(mask, where)
        return np.zeros((0, 0), np.uint8)
    return classes.encode(masks if classes.overlapping else masks[0], where)


def _mask_facts(codes: NDArray[np.uint8], classes: MaskClasses) -> dict[str, Any]:
    """Count the pixels of each class."""
    if classes.overlapping:
        counts = codes.reshape(len(codes), -1).sum(axis=1, dtype=np.int64)
    else:
        counts = np.bincount(codes.ravel(), minlength=len(classes.names) + 1)[1:]
    pixels = {name: int(count) for name, count in zip(classes.names, counts, strict=True)}
    present = tuple(name for name, count in pixels.items() if count)
    return {"truth_hash": pixel_hash(codes), "present": present, "pixels": pixels}


def _read_label(case: Case, classes: LabelClasses) -> tuple[dict[str, Any], list[str]]:
    """Code the label."""
    where = f"case {case.case_id}, label"
    if case.labels is None:
        return {}, [
            expected_got(where, "missing", f"one of {list(classes.values.values())}", "none", "Give it a label")
        ]
    try:
        label = classes.encode(case.labels, where)
    except DataError as error:
        return {}, [str(error)]
    bits = label if isinstance(label, tuple) else tuple(int(code == label) for code in range(len(classes.names)))
    present = tuple(name for name, bit in zip(classes.names, bits, strict=True) if bit)
    truth = np.asarray(label, dtype=np.uint8)
    return {"truth_hash": pixel_hash(truth), "present": present, "label": label}, []


def _missing(folder: Path, ref: Ref, where: str) -> str:
    """Say that a file is missing; an empty text where it is there."""
    if (folder / ref.path).is_file():
        return ""
    return expected_got(where, "missing file", "a file", "nothing there", "Restore the file or leave the case out")
