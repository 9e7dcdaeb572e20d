"""How fast patches come out of the cache, and how large it is: why volumes are stored as they are.

Real images (`LIT_MEDSEG_DATA`): open_ms FLAIR, tiled to 256 x 512 x 512, as int16 and as z-scored float32 and
float16, its lesion mask as uint8, and a hippocampus. Random patches are read from

- `plain`: one row-major file, mapped (NumPy),
- `blosc2`: a blosc2 NDArray with chunks and blocks, LZ4, mapped: nnU-Net's way,
- `zarr`: 64^3 chunks, zarr's own default compressor; only where zarr is installed,
- `blocks`: what lit_medseg writes: 32^3 blocks, LZ4 by blosc2, each with a checksum that is compared.

`warm`: the file lies in the machine's memory. `cold`: it was dropped from it (posix_fadvise) before each patch.

    LIT_MEDSEG_DATA=../shared/data python -m benchmarks.cache [FOLDER ON THE DISK TO MEASURE]
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import blosc2
import nibabel as nib
import numpy as np

from lit_medseg.preprocess import cache_blocks
from lit_medseg.preprocess.cache_blocks import check_head, encode_array, read_box

Reader = Callable[[tuple[int, ...], tuple[int, ...]], Any]
PATCHES = ((128, 128, 128), (64, 64, 64), (40, 56, 40))
LARGE = (256, 512, 512)


def main() -> None:
    """Print a table for each kind of image."""
    if find_spec("zarr") is None:
        print("zarr is not installed: left out")
    data = Path(os.environ["LIT_MEDSEG_DATA"])
    patient = data / "mri_multimodal_open_ms" / "patient07"
    flair, lesions = (_read(next(patient.glob(f"{name}*.nii.gz"))) for name in ("FLAIR", "GOLD"))
    hippocampus = _read(min((data / "mri_hippocampus_msd" / "images").glob("*.nii.gz")))
    scored = ((flair - flair.mean()) / flair.std()).astype(np.float32)
    parent = sys.argv[1] if len(sys.argv) > 1 else None
    for name, array in (
        ("int16, 256x512x512", _tiled(np.rint(flair * 10).astype(np.int16))),
        ("float32, 256x512x512", _tiled(scored)),
        ("float16, 256x512x512", _tiled(scored.astype(np.float16))),
        ("mask uint8, 256x512x512", _tiled(lesions.astype(np.uint8))),
        (f"float32, hippocampus {hippocampus.shape}", hippocampus.astype(np.float32)),
    ):
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            _table(name, array[np.newaxis], Path(folder))


def _table(name: str, array: Any, folder: Path) -> None:
    """Write the array in every way, and read patches."""
    print(f"\n{name}: {array.nbytes / 2**20:.1f} MiB")
    patches = [tuple(min(pair) for pair in zip(patch, array.shape[1:], strict=True)) for patch in PATCHES]
    patches = list(dict.fromkeys(patches))
    heads = "".join(f"{'x'.join(map(str, patch)):>22}" for patch in patches)
    print(f"{'':8}{'MiB':>8}{'write s':>9}{heads}\n{'':25}" + f"{'warm ms':>12}{'cold ms':>10}" * len(patches))
    for kind, (write, opened) in _kinds().items():
        start = time.perf_counter()
        path = write(array, folder)
        write_s = time.perf_counter() - start
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        times = "".join(
            f"{warm:12.2f}{cold:10.2f}" for warm, cold in (_times(array, opened, path, files, p) for p in patches)
        )
        print(f"{kind:8}{size / 2**20:8.1f}{write_s:9.2f}{times}")


def _times(array: Any, opened: Any, path: Path, files: list[Path], patch: tuple[int, ...]) -> tuple[float, float]:
    """Give milliseconds a patch, warm and cold; what is read is compared with the array."""
    rng = np.random.default_rng(0)
    boxes = []
    for _ in range(24):
        low = tuple(int(rng.integers(side - part + 1)) for side, part in zip(array.shape[1:], patch, strict=True))
        boxes.append((low, tuple(start + part for start, part in zip(low, patch, strict=True))))
    with opened(path, array) as read:
        for low, high in boxes:
            sides = (slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))
            np.testing.assert_array_equal(read(low, high), array[sides])
        warm = np.median([_clock(read, *box) for box in boxes for _ in range(2)])
    del read  # and with it the mapping: mapped pages cannot be dropped
    cold = list[float]()
    for box in boxes:
        for file in files:
            _drop(file)
        with opened(path, array) as read:
            cold.append(_clock(read, *box))
        del read
    return float(warm), float(np.median(cold))


def _clock(read: Reader, low: tuple[int, ...], high: tuple[int, ...]) -> float:
    start = time.perf_counter()
    np.array(read(low, high))  # a copy, as a batch is one
    return (time.perf_counter() - start) * 1000


def _drop(file: Path) -> None:
    """Take a file out of the machine's memory; it must not be mapped."""
    handle = os.open(file, os.O_RDONLY)
    os.fsync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(handle)


def _kinds() -> dict[str, tuple[Any, Any]]:
    kinds: dict[str, tuple[Any, Any]] = {
        "plain": (_write_plain, _open_plain),
        "blosc2": (_write_blosc2, _open_blosc2),
        "zarr": (_write_zarr, _open_zarr),
        "blocks": (_write_blocks, _open_blocks),
    }
    return {kind: both for kind, both in kinds.items() if kind != "zarr" or find_spec("zarr") is not None}


def _write_plain(array: Any, folder: Path) -> Path:
    path = folder / "plain.bin"
    array.tofile(path)
    return path


@contextmanager
def _open_plain(path: Path, array: Any) -> Iterator[Reader]:
    mapped = np.memmap(path, array.dtype, "r", shape=array.shape)
    yield lambda low, high: mapped[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))]
    mapped._mmap.close()


def _write_blosc2(array: Any, folder: Path) -> Path:
    path = folder / "array.b2nd"
    chunks = tuple(min(side, 64) for side in array.shape)
    blocks = tuple(min(side, 32) for side in array.shape)
    codec = {"codec": blosc2.Codec.LZ4, "clevel": 5, "filters": [blosc2.Filter.SHUFFLE], "nthreads": 1}
    blosc2.asarray(
        np.ascontiguousarray(array), urlpath=str(path), chunks=chunks, blocks=blocks, cparams=codec, mode="w"
    )
    return path


@contextmanager
def _open_blosc2(path: Path, _array: Any) -> Iterator[Reader]:
    stored = blosc2.open(str(path), mode="r", dparams={"nthreads": 1}, mmap_mode="r")
    yield lambda low, high: stored[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))]


def _write_zarr(array: Any, folder: Path) -> Path:
    import zarr  # type: ignore[import-not-found]  # noqa: PLC0415 - only where it is installed

    path = folder / "array.zarr"
    chunks = tuple(min(side, 64) for side in array.shape)
    stored = zarr.create_array(str(path), shape=array.shape, dtype=array.dtype, chunks=chunks)
    stored[:] = array
    return path


@contextmanager
def _open_zarr(path: Path, _array: Any) -> Iterator[Reader]:
    import zarr  # noqa: PLC0415 - only where it is installed

    stored = zarr.open_array(str(path), mode="r")
    yield lambda low, high: stored[(slice(None), *(slice(a, b) for a, b in zip(low, high, strict=True)))]


def _write_blocks(array: Any, folder: Path) -> Path:
    path = folder / "blocks.bin"
    with path.open("wb") as file:
        file.writelines(_encoded(array).parts)
    return path


def _encoded(array: Any) -> Any:
    """Cut into blocks whatever the size is."""
    least, cache_blocks.BLOCKED_BYTES = cache_blocks.BLOCKED_BYTES, 0
    try:
        return encode_array(array)
    finally:
        cache_blocks.BLOCKED_BYTES = least


_RECORDS: dict[Path, Any] = {}


@contextmanager
def _open_blocks(path: Path, array: Any) -> Iterator[Reader]:
    if path not in _RECORDS:
        _RECORDS[path] = _encoded(array).record(0)
    with path.open("rb") as file:
        data = mmap(file.fileno(), 0, access=ACCESS_READ)
    check_head(data, _RECORDS[path])
    yield lambda low, high: read_box(data, _RECORDS[path], low, high)


def _read(path: Path) -> Any:
    return np.ascontiguousarray(nib.load(path).get_fdata(dtype=np.float32).T)


def _tiled(array: Any) -> Any:
    """Repeat the volume until it fills the large grid."""
    times = [-(-wanted // side) for wanted, side in zip(LARGE, array.shape, strict=True)]
    return np.ascontiguousarray(np.tile(array, times)[tuple(slice(side) for side in LARGE)])


if __name__ == "__main__":
    main()
