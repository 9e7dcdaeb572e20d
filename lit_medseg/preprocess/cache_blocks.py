"""Arrays cut into small compressed blocks, so that a patch reads what it needs.

Why this and not a library's container: milliseconds for a patch of 64^3 of a brain tiled to 256x512x512 float32
(256 MiB), in memory and from a cold disk, and the size, by `benchmarks/cache.py`:

    plain NumPy, mapped         0.08    28.5    256 MiB
    blosc2's NDArray            0.35    10.0     39 MiB
    zarr, 64^3 chunks           3.07     4.5     36 MiB
    these blocks                0.63     6.6     39 MiB

Compression pays wherever the data set is larger than the memory, and costs half a millisecond elsewhere. Zarr is too
slow from memory; blosc2's own container has no checksums (a flipped bit becomes other voxels) and waits for one block
after the other. Images below `BLOCKED_BYTES` stay plain (a hippocampus is a view in no time against 0.13 ms), and so
do pictures.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from mmap import MADV_WILLNEED, PAGESIZE, mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_medseg.imaging.late_imports import LATE_IMPORTS
from lit_medseg.preprocess.cache_index import ArrayRecord

EDGE = 32
"""Side of a block in voxels, all channels together: 128 KiB in float32 decompress in 20 microseconds."""

BLOCKED_BYTES = 4 << 20
"""Volumes from this size on are cut into blocks: below, a plain array is read faster than it is decompressed."""


@dataclass(frozen=True)
class EncodedArray:
    """An array as bytes, ready to be written; see `ArrayRecord` for the fields."""

    shape: tuple[int, ...]
    dtype: str
    crc: int
    edge: int
    parts: tuple[Any, ...]

    def record(self, offset: int) -> ArrayRecord:
        """Say where it lies."""
        return ArrayRecord(offset, self.shape, self.dtype, self.crc, self.edge)


class DamagedBlockError(ValueError):
    """Bytes whose checksum does not fit."""


def encode_array(array: NDArray[Any]) -> EncodedArray:
    """Compress a large volume in blocks; leave small arrays and pictures as they are.

    Args:
        array: `(C, D, H, W)` volumes from `BLOCKED_BYTES` on become blocks; anything else is kept plain.

    Returns:
        Plain: the bytes in one part. Blocks: a table of 8-byte numbers (first byte of each block, the end, checksum of
        each block), then the blocks in row-major order, shuffled and LZ4-compressed by blosc2.
    """
    stored = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    if stored.ndim != 4 or stored.nbytes < BLOCKED_BYTES:
        data = stored.reshape(-1).view(np.uint8).data
        return EncodedArray(tuple(stored.shape), stored.dtype.str, zlib.crc32(data), 0, (data,))
    blocks = [_compress(stored[_slices(box)]) for box in _boxes(stored.shape[1:], EDGE)]
    starts = np.cumsum([0, *(len(block) for block in blocks)]) + 8 * (2 * len(blocks) + 1)
    checksums = [zlib.crc32(block) for block in blocks]
    table = np.concatenate([starts, checksums]).astype("<i8").tobytes()
    return EncodedArray(tuple(stored.shape), stored.dtype.str, zlib.crc32(table), EDGE, (table, *blocks))


def read_plain(data: mmap, record: ArrayRecord) -> NDArray[Any]:
    """Look at a plain array within the mapped file."""
    return np.ndarray(record.shape, record.dtype, data, record.offset)


def check_head(data: mmap, record: ArrayRecord) -> None:
    """Check the bytes that a record's checksum covers: a plain array's own, or the table of its blocks.

    Raises:
        DamagedBlockError: They have changed since they were written.
    """
    size = 8 * (2 * _count(record) + 1) if record.edge else int(np.prod(record.shape)) * np.dtype(record.dtype).itemsize
    if zlib.crc32(memoryview(data)[record.offset : record.offset + size]) != record.crc:
        raise DamagedBlockError


def read_box(data: mmap, record: ArrayRecord, start: Sequence[int], stop: Sequence[int]) -> NDArray[Any]:
    """Decompress the blocks that a box touches; each block's checksum is compared first.

    Args:
        data: The mapped file.
        record: Of an array in blocks.
        start: First voxel of the box, within the grid.
        stop: The voxel after its last, within the grid.

    Returns:
        `(C, *box)`, freshly allocated.

    Raises:
        DamagedBlockError: A block has changed since it was written.
    """
    channels, grid, edge, count = record.shape[0], record.shape[1:], record.edge, _count(record)
    table, view = np.ndarray((2 * count + 1,), "<i8", data, record.offset), memoryview(data)
    box = np.empty((channels, *(high - low for low, high in zip(start, stop, strict=True))), record.dtype)
    for row, place in _touched(data, record, start, stop):
        first, last = (record.offset + int(table[row + step]) for step in (0, 1))
        lows = [index * edge for index in place]
        highs = [min(low + edge, side) for low, side in zip(lows, grid, strict=True)]
        shape = (channels, *(high - low for low, high in zip(lows, highs, strict=True)))
        block = _decompress(view[first:last], int(table[count + 1 + row]), shape, record.dtype)
        ends = list(zip(lows, highs, start, stop, strict=True))
        from_block = tuple(slice(max(low, a) - low, min(high, b) - low) for low, high, a, b in ends)
        into_box = tuple(slice(max(low, a) - a, min(high, b) - a) for low, high, a, b in ends)
        box[(slice(None), *into_box)] = block[(slice(None), *from_block)]
    return box


def _touched(
    data: mmap, record: ArrayRecord, start: Sequence[int], stop: Sequence[int]
) -> list[tuple[int, tuple[int, ...]]]:
    """List the blocks of a box with their places, and ask the system for all their bytes at once.

    Waiting for one block after the other took three times as long on a cold disk. Blocks that are neighbours along the
    last axis lie side by side.
    """
    table = np.ndarray((2 * _count(record) + 1,), "<i8", data, record.offset)
    sides = [-(-side // record.edge) for side in record.shape[1:]]
    ranges = [range(low // record.edge, -(-high // record.edge)) for low, high in zip(start, stop, strict=True)]
    touched = list[tuple[int, tuple[int, ...]]]()
    for lead in product(*ranges[:-1]):
        row = int(np.ravel_multi_index((*lead, ranges[-1][0]), sides))
        touched.extend((row + step, (*lead, last)) for step, last in enumerate(ranges[-1]))
        first, end = (record.offset + int(table[edge]) for edge in (row, row + len(ranges[-1])))
        page = first // PAGESIZE * PAGESIZE
        data.madvise(MADV_WILLNEED, page, end - page)
    return touched


def _compress(block: NDArray[Any]) -> bytes:
    with LATE_IMPORTS:
        import blosc2  # type: ignore[import-untyped]  # noqa: PLC0415 - half a second that only volumes need

    plain = np.ascontiguousarray(block)
    packed: bytes = blosc2.compress2(
        plain,
        codec=blosc2.Codec.LZ4,
        clevel=5,
        filters=[blosc2.Filter.SHUFFLE],
        typesize=plain.itemsize,
        nthreads=1,
    )
    return packed


def _decompress(packed: memoryview, crc: int, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    with LATE_IMPORTS:
        import blosc2  # noqa: PLC0415 - half a second that only volumes need

    if zlib.crc32(packed) != crc:
        raise DamagedBlockError
    block = np.empty(shape, dtype)
    blosc2.decompress2(packed, dst=block, nthreads=1)
    return block


def _count(record: ArrayRecord) -> int:
    """Count the blocks."""
    return int(np.prod([-(-side // record.edge) for side in record.shape[1:]]))


def _boxes(grid: Sequence[int], edge: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Give the blocks' boxes in row-major order."""
    sides = [[(low, min(low + edge, side)) for low in range(0, side, edge)] for side in grid]
    return product(*sides)


def _slices(box: Sequence[tuple[int, int]]) -> tuple[slice, ...]:
    return (slice(None), *(slice(low, high) for low, high in box))
