"""Reading one case and finding what is wrong with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.catalogue.case import Case
from lit_medseg.catalogue.classes import Classes, LabelClasses, MaskClasses
from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.mask_place import PlacedMasks, different_grids, missing_fault, place_masks, reading_fault
from lit_medseg.catalogue.plain_hash import plain_hash
from lit_medseg.catalogue.read_ref import read_image_ref
from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.kept_file import keep_last_file
from lit_medseg.imaging.pixel_hash import pixel_hash
from lit_medseg.imaging.volume import Volume, shear_degrees

MOST_SHEAR_DEGREES = 3.0  # volumes are then within 0.2 %, and distances within 5 %, of what the spacing says


def scan_case(folder: Path, case: Case, classes: Classes | None) -> tuple[Entry | None, list[str]]:
    """Read images and truth of a case.

    Channels may lie on different grids where their places in space are known (a step brings them together); pictures
    must be of one size. The mask lies on one of the channels' grids.

    Args:
        folder: The folder that the case's references start from.
        case: The case.
        classes: The declared classes; None leaves the truth unread (predict).

    Returns:
        The facts and no faults, or None and every fault of the case, in the house form.
    """
    images, faults = _read_images(folder, case)
    truth: dict[str, Any] = {}
    native = images[0] if images else None
    if isinstance(classes, MaskClasses):
        truth, placed = _read_masks(folder, case, classes, images)
        faults += placed.faults
        native = placed.masks[0] if placed.masks else native
    elif isinstance(classes, LabelClasses):
        truth, truth_faults = _read_label(case, classes)
        faults += truth_faults
    if faults or native is None:
        return None, faults
    return _entry(case, images, native, truth), []


def _entry(case: Case, images: Sequence[Volume], native: Volume, truth: dict[str, Any]) -> Entry:
    """Gather the facts of a sound case."""
    return Entry(
        case,
        native.grid,
        sum(image.array.shape[0] for image in images),
        np.result_type(*(image.array for image in images)).name,
        _hash_of(images),
        spacing_mm=tuple(float(spacing) for spacing in native.spacing_mm),
        geometry_hash=_geometry_hash(case, [*images, native]),
        grids=sum(1 for _ in different_grids(images)),
        **truth,
    )


def _hash_of(images: Sequence[Volume]) -> str:
    """Hash the voxels of all channels."""
    if len(images) == 1:
        return pixel_hash(images[0].array)
    if len({image.grid for image in images}) == 1 and images[0].array.ndim == 3:
        return pixel_hash(np.concatenate([image.array for image in images]))
    return plain_hash([pixel_hash(image.array) for image in images])


def _geometry_hash(case: Case, volumes: Sequence[Volume]) -> str:
    """Hash where the images lie; an empty text for pictures without names, spacing and place."""
    places = [None if volume.affine is None else np.round(volume.affine, 6).tolist() for volume in volumes]
    spacings = [[round(float(spacing), 6) for spacing in volume.spacing_mm] for volume in volumes]
    known = any(place is not None for place in places) or any(set(spacing) != {1.0} for spacing in spacings)
    return plain_hash([places, spacings, list(case.channels)]) if known or case.channels else ""


def _read_images(folder: Path, case: Case) -> tuple[list[Volume], list[str]]:
    """Read the channels; check that they fit each other, are finite and hold something."""
    images: list[Volume] = []
    faults: list[str] = []
    with keep_last_file():
        for ref in case.images:
            fault = missing_fault(folder, case, ref, "image")
            try:
                images += [] if fault else [read_image_ref(folder, ref)]
            except DataError as error:
                fault = reading_fault(folder, case, ref, "image", error)
            faults += [fault] if fault else []
    if not faults:
        faults = _image_faults(case, images)
    return ([], faults) if faults else (images, [])


def _image_faults(case: Case, images: Sequence[Volume]) -> list[str]:
    """Look for voxels that are no numbers, empty volumes, and channels that nothing can bring together."""
    faults: list[str] = []
    first = images[0]
    for ref, image in zip(case.images, images, strict=True):
        where, array = f"case {case.case_id}, image {ref}", image.array
        bad = int(array.size - np.isfinite(array).sum()) if array.dtype.kind == "f" else 0
        if bad:
            got = f"{bad} NaN or infinite"
            faults.append(expected_got(where, "unusable pixels", "finite", got, "Mend or leave it out"))
        if image.affine is not None and (lean := shear_degrees(image.affine)) > MOST_SHEAR_DEGREES:
            todo = "Resample the study onto a straight grid (a tilted gantry: convert its DICOM with `--resample`)"
            what, expected = "the axes are not at right angles", f"{MOST_SHEAR_DEGREES:g} degrees at most"
            faults.append(expected_got(where, what, expected, f"{lean:.1f} degrees off", todo))
        if not _can_be_joined(image, first):
            expected, got = f"{first.grid} like {case.images[0]}", str(image.grid)
            todo = "Bring the channels onto one grid"
            faults.append(expected_got(where, "channels differ in size", expected, got, todo))
    if not faults and first.array.ndim == 4 and all(_is_constant(image.array) for image in images):
        where = f"case {case.case_id}, image " + ", ".join(str(ref) for ref in case.images)
        todo = "Export the study anew or leave it out"
        faults.append(expected_got(where, "the volume is empty", "different values", f"{first.array.flat[0]}", todo))
    return faults


def _can_be_joined(image: Volume, first: Volume) -> bool:
    """Whether two channels are of one size, or lie at known places so that a step can resample them."""
    known = image.affine is not None and first.affine is not None
    return len(image.grid) == len(first.grid) and (known or image.grid == first.grid)


def _is_constant(array: NDArray[Any]) -> bool:
    return bool(array.min() == array.max())


def _read_masks(
    folder: Path, case: Case, classes: MaskClasses, images: Sequence[Volume]
) -> tuple[dict[str, Any], PlacedMasks]:
    """Read the masks, put them on a channel's grid, and code them."""
    if len(case.masks) != classes.files:
        todo = "Give each case its mask files (one per overlapping class), or leave the case out"
        where = f"case {case.case_id}"
        fault = expected_got(where, "other number of masks", classes.files, len(case.masks), todo)
        return {}, PlacedMasks((), (fault,))
    placed = place_masks(folder, case, images)
    if len(placed.masks) < len(case.masks):
        return {}, placed
    try:
        codes = _code_each([mask.array[0] for mask in placed.masks], case, classes)
    except DataError as error:
        return {}, PlacedMasks(placed.masks, (*placed.faults, str(error)))
    return ({} if placed.faults else _mask_facts(codes, classes)), placed


def _code_each(masks: Sequence[NDArray[Any]], case: Case, classes: MaskClasses) -> NDArray[np.uint8]:
    """Code the masks; one that does not fit the others' size is still searched for undeclared values."""
    where = f"case {case.case_id}, mask " + ", ".join(str(ref) for ref in case.masks)
    if len({mask.shape for mask in masks}) > 1:
        for name, mask in zip(classes.names, masks, strict=True):
            MaskClasses({name: classes.codes[name]}, others=classes.others).encode(mask, where)
        return np.zeros((0, 0), np.uint8)
    return classes.encode(masks if classes.overlapping else masks[0], where)


def _mask_facts(codes: NDArray[np.uint8], classes: MaskClasses) -> dict[str, Any]:
    """Count the pixels of each class."""
    if classes.overlapping:
        counts = np.array([np.count_nonzero(plane) for plane in codes], dtype=np.int64)
    else:
        counts = _code_counts(codes, len(classes.names) + 1)[1:]
    pixels = {name: int(count) for name, count in zip(classes.names, counts, strict=True)}
    present = tuple(name for name, count in pixels.items() if count)
    return {"truth_hash": pixel_hash(codes), "present": present, "pixels": pixels}


def _code_counts(codes: NDArray[np.uint8], number: int) -> NDArray[np.int64]:
    """Count the codes slice by slice: `bincount` copies what it counts to eight bytes each."""
    counts = np.zeros(number, np.int64)
    for plane in codes:
        counts += np.bincount(plane.ravel(), minlength=number)
    return counts


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
