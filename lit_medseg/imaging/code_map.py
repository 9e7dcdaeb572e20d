"""Several regions as one map of codes, as long as they do not overlap."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.imaging.paste_plane import Pasted


@dataclass(frozen=True)
class Region:
    """A segment of a DICOM-SEG or a region of an RTSTRUCT.

    Attributes:
        code: Its number there, or 1 where it was asked for by name.
        name: Its label.
    """

    code: int
    name: str


@dataclass
class CodeMap:
    """A map that regions are painted on, which remembers where they meet.

    Attributes:
        codes: `(D, H, W)`, 0 where nothing is painted.
        where: What errors call the mask.
    """

    codes: NDArray[np.uint16]
    where: str
    meetings: dict[tuple[int, int], int] = field(default_factory=dict)

    def paint(self, pasted: Pasted, code: int) -> None:
        """Give the covered voxels of a plane (a view of `codes`) a code; painting twice with one code is harmless."""
        before = pasted.plane[pasted.inside]
        for other in np.unique(before[(before != 0) & (before != code)]).tolist():
            pair = (min(other, code), max(other, code))
            self.meetings[pair] = self.meetings.get(pair, 0) + int((before == other).sum())
        pasted.plane[pasted.inside] = code

    def finished(self, regions: list[Region]) -> NDArray[np.integer]:
        """Return the map as uint8 or uint16.

        Raises:
            DataError: Regions overlap; they are named, with the numbers of voxels.
        """
        if self.meetings:
            names = {region.code: region.name for region in regions}
            pairs = sorted(self.meetings.items(), key=lambda entry: -entry[1])
            told = [f"{names.get(a, a)!r} and {names.get(b, b)!r} in {n} voxels" for (a, b), n in pairs[:5]]
            todo = "Name one at a time (`key`) and declare overlapping classes"
            got = "; ".join(told)
            raise DataError(expected_got(self.where, "regions overlap", "one code a voxel", got, todo))
        return self.codes.astype(np.uint8) if self.codes.max() < 256 else self.codes


def chosen_regions(regions: list[Region], key: str, where: str) -> list[tuple[int, Region]]:
    """Choose regions by label.

    Args:
        regions: All of a file.
        key: A label (several regions of one label are one); empty for all.
        where: What errors call the mask.

    Returns:
        Number in the file and region; its code is 1 for a label, else its number.

    Raises:
        DataError: No region has the label.
    """
    if not key:
        return [(region.code, region) for region in regions]
    chosen = [(region.code, Region(1, region.name)) for region in regions if region.name == key]
    if not chosen:
        names = [region.name for region in regions]
        todo = "Name one of them, or none for all"
        raise DataError(expected_got(where, "no such segment or region", f"one of {names[:20]}", repr(key), todo))
    return chosen
