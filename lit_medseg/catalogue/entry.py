"""What is known of a case once its files were read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lit_medseg.catalogue.case import Case, Ref
from lit_medseg.catalogue.plain_hash import plain_hash


@dataclass(frozen=True)
class Entry:
    """A checked case.

    Attributes:
        case: Where its files are.
        grid: Spatial shape S of the native grid, (H, W) or (D, H, W): the mask's, else the first image's.
        channels: Channels of all images together, alpha not counted.
        dtype: Name of the image's dtype, such as `uint8`.
        pixel_hash: Hash of the image's pixels: equal for equal images, whatever their files.
        truth_hash: Hash of the class codes; empty where the truth was not read (predict).
        present: Names of the classes that the case has (foreground only), in the order of the classes.
        pixels: Segmentation: pixels by foreground class, zeros included; else empty.
        label: Classification: the class code, or a 0 or 1 per overlapping class; else None.
        spacing_mm: Distance of neighbouring samples of the native grid, in the order of its axes; 1.0 where unknown.
        geometry_hash: Hash of the channels' names and of where each image lies in space; empty for nameless pictures.
        grids: Number of different grids that the channels lie on.
    """

    case: Case
    grid: tuple[int, ...]
    channels: int
    dtype: str
    pixel_hash: str
    truth_hash: str = ""
    present: tuple[str, ...] = ()
    pixels: Mapping[str, int] = field(default_factory=dict)
    label: int | tuple[int, ...] | None = None
    spacing_mm: tuple[float, ...] = ()
    geometry_hash: str = ""
    grids: int = 1

    @property
    def content_hash(self) -> str:
        """Hash of images, their places and truth: what a cache of this case is keyed by."""
        return plain_hash([self.pixel_hash, self.truth_hash, *([self.geometry_hash] if self.geometry_hash else [])])

    @property
    def volume_ml(self) -> dict[str, float]:
        """Volume by foreground class, in millilitres; empty for pictures."""
        if len(self.spacing_mm) != 3:
            return {}
        voxel_mm3 = self.spacing_mm[0] * self.spacing_mm[1] * self.spacing_mm[2]
        return {name: count * voxel_mm3 / 1000 for name, count in self.pixels.items()}

    def plain(self) -> dict[str, Any]:
        """Give the entry as plain data."""
        facts = {
            "grid": list(self.grid),
            "channels": self.channels,
            "dtype": self.dtype,
            "pixel_hash": self.pixel_hash,
            "truth_hash": self.truth_hash,
            "present": list(self.present),
            "pixels": dict(self.pixels),
            "label": list(self.label) if isinstance(self.label, tuple) else self.label,
            "spacing_mm": list(self.spacing_mm),
            "geometry_hash": self.geometry_hash,
            "grids": self.grids,
        }
        return {"case": case_plain(self.case), **facts}


def entry_from_plain(plain: Mapping[str, Any]) -> Entry:
    """Rebuild an entry from what `Entry.plain` gave."""
    facts = dict(plain)
    label = facts.pop("label")
    return Entry(
        case=_case_from_plain(facts.pop("case")),
        grid=tuple(facts.pop("grid")),
        present=tuple(facts.pop("present")),
        spacing_mm=tuple(facts.pop("spacing_mm")),
        label=tuple(label) if isinstance(label, list) else label,
        **facts,
    )


def case_plain(case: Case) -> dict[str, Any]:
    """Give a case as plain data."""
    return {
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "images": [[ref.path, ref.key, ref.index] for ref in case.images],
        "masks": [[ref.path, ref.key, ref.index] for ref in case.masks],
        "labels": None if case.labels is None else list(case.labels),
        "metadata": dict(case.metadata),
        "channels": list(case.channels),
    }


def _case_from_plain(plain: Mapping[str, Any]) -> Case:
    """Rebuild a case from what `case_plain` gave."""
    return Case(
        case_id=plain["case_id"],
        patient_id=plain["patient_id"],
        images=tuple(Ref(*ref) for ref in plain["images"]),
        masks=tuple(Ref(*ref) for ref in plain["masks"]),
        labels=None if plain["labels"] is None else tuple(plain["labels"]),
        metadata=plain["metadata"],
        channels=tuple(plain["channels"]),
    )
