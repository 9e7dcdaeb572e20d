"""The table of contents of a cache, with a checksum of itself."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 2
"""Raised by whoever changes how a cache is written; older ones are then made anew."""


@dataclass(frozen=True)
class ArrayRecord:
    """Where an array lies in the packed file.

    Attributes:
        offset: First byte; of the table of the blocks where the array is cut into blocks.
        shape: Shape, row-major.
        dtype: NumPy's name of the dtype, little-endian.
        crc: CRC-32 of the array's bytes; of the table's where the array is cut into blocks.
        edge: Side of the compressed blocks; 0 where the array lies plain.
    """

    offset: int
    shape: tuple[int, ...]
    dtype: str
    crc: int
    edge: int = 0


@dataclass(frozen=True)
class CaseRecord:
    """The arrays of a case and its trace as plain data; see `ProcessedCase`.

    `locations` holds the positions of all classes one after the other, `location_counts` how many each has.
    """

    case_id: str
    image: ArrayRecord
    mask: ArrayRecord | None
    reference: ArrayRecord | None
    trace: dict[str, Any]
    locations: ArrayRecord | None
    location_counts: tuple[int, ...]


@dataclass(frozen=True)
class CacheIndex:
    """All cases of a cache.

    Attributes:
        key: What the cache was made of, as a hash.
        size_bytes: Length of the packed file.
        records: In the order in which the cases were asked for.
    """

    key: str
    size_bytes: int
    records: tuple[CaseRecord, ...]

    def to_json(self) -> str:
        """Write the index; the first line is the checksum of the rest."""
        plain = {"format": FORMAT, **asdict(self)}
        body = json.dumps(plain)
        return f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}\n"

    @classmethod
    def from_json(cls, text: str) -> "CacheIndex":
        """Read an index.

        Raises:
            ValueError: It is damaged, or of another format.
        """
        checksum, _, rest = text.partition("\n")
        body = rest.removesuffix("\n")
        if hashlib.sha256(body.encode()).hexdigest() != checksum:
            raise ValueError("the checksum does not fit")
        plain = json.loads(body)
        if plain["format"] != FORMAT:
            raise ValueError(f"format {plain['format']}, not {FORMAT}")
        return cls(plain["key"], plain["size_bytes"], tuple(_record(item) for item in plain["records"]))


def _record(plain: dict[str, Any]) -> CaseRecord:
    """Rebuild the record of a case."""
    image, mask, reference, locations = (_array(plain[name]) for name in ("image", "mask", "reference", "locations"))
    if image is None:
        raise ValueError(f"case {plain['case_id']} has no image")
    counts = tuple(plain["location_counts"])
    return CaseRecord(plain["case_id"], image, mask, reference, plain["trace"], locations, counts)


def _array(plain: dict[str, Any] | None) -> ArrayRecord | None:
    """Rebuild the record of an array."""
    if plain is None:
        return None
    return ArrayRecord(plain["offset"], tuple(plain["shape"]), plain["dtype"], plain["crc"], plain["edge"])
