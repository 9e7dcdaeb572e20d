"""The fingerprint of a data set: what preprocessing and patch sizes are chosen by."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.plain_hash import plain_hash
from lit_medseg.imaging.nearest_axes import nearest_axes
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.sample import Sample

MOST_VOXELS = 5000
PERCENTILES = (0.5, 1, 5, 25, 50, 75, 95, 99, 99.5)


@dataclass(frozen=True)
class CaseIntensities:
    """What was seen of a case's images.

    Attributes:
        foreground: Whether the numbers are of the mask's foreground; of the whole image where it has none.
        numbers: Up to 5000 intensities by channel, drawn by a generator that the case's id seeds.
        orientation: Directions that the axes of the native grid point to, such as `SPR`; empty where unknown.
    """

    foreground: bool
    numbers: Mapping[str, NDArray[np.float32]]
    orientation: str


def case_intensities(entry: Entry, sample: Sample) -> CaseIntensities:
    """Draw intensities from the foreground of a case, the same each time.

    Channels on another grid than the mask's are looked up where the mask's voxels lie in the patient.

    Args:
        entry: The case.
        sample: Its images and mask.
    """
    generator = np.random.default_rng(int(plain_hash(entry.case.case_id)[:12], 16))
    native = sample.native
    points = _points(native, sample.mask, generator)
    numbers: dict[str, NDArray[np.float32]] = {}
    for place, image in enumerate(sample.images):
        found = _looked_up(image, native, points)
        for plane, values in enumerate(found):
            numbers[channel_name(sample, place, plane)] = values
    foreground = sample.mask is not None and bool(sample.mask.array.any())
    return CaseIntensities(foreground, numbers, orientation(native))


def channel_name(sample: Sample, image: int, plane: int = 0) -> str:
    """Name a channel: as the source does, else by its number; with the plane where an image has several."""
    name = sample.channels[image] if sample.channels else f"channel {image}"
    return f"{name}[{plane}]" if sample.images[image].array.shape[0] > 1 else name


def orientation(volume: Volume) -> str:
    """Give the letters of the directions that the array's axes point to (`SPR`: up, back, right); empty if unknown."""
    if volume.affine is None or len(volume.grid) != 3:
        return ""
    return "".join("LRPAIS"[2 * world + int(sign > 0)] for world, sign in nearest_axes(volume.affine))


def fingerprint(
    entries: Sequence[Entry], seen: Iterable[CaseIntensities], class_names: Sequence[str]
) -> dict[str, Any]:
    """Sum up a data set as plain data.

    Args:
        entries: The cases.
        seen: What was seen of each, in their order.
        class_names: The foreground classes.

    Returns:
        Counts, shapes, spacings (mm), extents (mm), orientations, dtypes, intensities by channel, voxels and volumes
        (ml) by class; and the same facts by case.
    """
    looked = list(seen)
    spacings = [entry.spacing_mm for entry in entries]
    return {
        "cases": len(entries),
        "patients": len({entry.case.group for entry in entries}),
        "dtypes": dict(Counter(entry.dtype for entry in entries)),
        "orientations": dict(Counter(case.orientation for case in looked if case.orientation)),
        "shape": _spread([entry.grid for entry in entries]),
        "spacing_mm": _spread(spacings),
        "extent_mm": _spread(
            [[size * step for size, step in zip(entry.grid, entry.spacing_mm, strict=True)] for entry in entries]
        ),
        "intensities": _intensities(looked),
        "classes": {name: _class_facts(entries, name) for name in class_names},
        "by_case": [_case_facts(entry, case) for entry, case in zip(entries, looked, strict=True)],
    }


def _points(native: Volume, mask: Volume | None, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw voxels `(n, len(S))` of the foreground, of the whole grid where there is none."""
    inside = None if mask is None or not mask.array.any() else np.flatnonzero(mask.array.any(axis=0))
    number = int(np.prod(native.grid)) if inside is None else len(inside)
    # Drawn from a number, not from a list: the voxels of a large volume need not be listed.
    drawn = (
        np.arange(number) if number <= MOST_VOXELS else np.sort(generator.choice(number, MOST_VOXELS, replace=False))
    )
    flat = drawn if inside is None else inside[drawn]
    return np.stack(np.unravel_index(flat, native.grid), axis=1)


def _looked_up(image: Volume, native: Volume, points: NDArray[np.int64]) -> NDArray[np.float32]:
    """Read the voxels nearest to points of another grid, `(C, m)`; points outside are left out."""
    places = points
    if image.affine is not None and native.affine is not None and not np.array_equal(image.affine, native.affine):
        across = np.linalg.inv(image.affine) @ native.affine
        places = np.rint(points @ across[:3, :3].T + across[:3, 3]).astype(np.int64)
    inside = ((places >= 0) & (places < np.array(image.grid))).all(axis=1)
    return image.array[:, *places[inside].T].astype(np.float32)


def _spread(vectors: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    """Give least, median and greatest along each axis; nothing where the numbers of axes differ."""
    if len({len(vector) for vector in vectors}) != 1:
        return {}
    table = np.array(vectors, dtype=np.float64)
    rows = {"min": table.min(axis=0), "median": np.median(table, axis=0), "max": table.max(axis=0)}
    return {name: [round(float(number), 5) for number in row] for name, row in rows.items()}


def _intensities(looked: Sequence[CaseIntensities]) -> dict[str, Any]:
    names = list(dict.fromkeys(name for case in looked for name in case.numbers))
    pooled = {name: [case.numbers[name] for case in looked if name in case.numbers] for name in names}
    within = "foreground" if all(case.foreground for case in looked) else "image or foreground"
    within = "image" if not any(case.foreground for case in looked) else within
    return {name: {"within": within, **_statistics(np.concatenate(parts))} for name, parts in pooled.items()}


def _statistics(numbers: NDArray[np.float32]) -> dict[str, Any]:
    if not len(numbers):
        return {"voxels": 0}
    wide = numbers.astype(np.float64)
    percentiles = np.percentile(wide, PERCENTILES)
    facts = {"mean": wide.mean(), "std": wide.std(), "min": wide.min(), "max": wide.max()}
    return {
        "voxels": len(numbers),
        **{name: round(float(number), 5) for name, number in facts.items()},
        "percentiles": {
            f"{percent:g}": round(float(number), 5) for percent, number in zip(PERCENTILES, percentiles, strict=True)
        },
    }


def _class_facts(entries: Sequence[Entry], name: str) -> dict[str, Any]:
    present = [entry for entry in entries if name in entry.present]
    facts: dict[str, Any] = {"cases": len(present)}
    if any(entry.pixels for entry in entries):
        facts["voxels"] = sum(entry.pixels.get(name, 0) for entry in entries)
    volumes = [entry.volume_ml[name] for entry in present if name in entry.volume_ml]
    if volumes:
        low, middle, high = np.percentile(volumes, (0, 50, 100))
        facts["volume_ml"] = {"min": round(low, 5), "median": round(middle, 5), "max": round(high, 5)}
    return facts


def _case_facts(entry: Entry, case: CaseIntensities) -> dict[str, Any]:
    medians = {name: round(float(np.median(part)), 5) for name, part in case.numbers.items() if len(part)}
    return {
        "case_id": entry.case.case_id,
        "shape": list(entry.grid),
        "spacing_mm": [round(size, 5) for size in entry.spacing_mm],
        "orientation": case.orientation,
        "dtype": entry.dtype,
        "median_intensity": medians,
        "voxels": dict(entry.pixels),
        "volume_ml": {name: round(volume, 5) for name, volume in entry.volume_ml.items()},
    }
