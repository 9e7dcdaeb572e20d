"""NumPy files: `.npy` and the arrays of an `.npz`, of which one row is read many times."""

import threading
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got

_LOADING = threading.Lock()


def load_array(path: Path, where: str, key: str = "", kinds: str = "biuf") -> NDArray[np.generic]:
    """Load an array; one of an archive stays in memory (the last eight per process), so that rows are cheap.

    Args:
        path: `.npy` or `.npz`.
        where: What errors call the file.
        key: Name of the array within an archive; may be empty where the archive holds one array.
        kinds: NumPy's letters of the kinds of dtype that are taken; the default is all real numbers.

    Returns:
        The array, not to be written to (an `.npy` is mapped from the disk).

    Raises:
        DataError: Missing, truncated or corrupt; no such key; objects or complex numbers.
    """
    try:
        stat = path.stat()
        if path.suffix.lower() == ".npz":
            with _LOADING:  # threads that ask for the same archive wait for one decompression
                array = _from_archive(path, stat.st_mtime_ns, stat.st_size, key)
        else:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        todo = "Restore the file or take its case out of the data set"
        raise DataError(expected_got(where, "the file is missing", "a file", "nothing", todo)) from error
    except DataError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(_damaged(path, where, error)) from error
    if array.dtype.kind not in kinds:
        todo = "Save it with another dtype"
        expected = f"one of the dtype kinds {list(kinds)}"
        raise DataError(expected_got(where, "the array's dtype is unusable", expected, array.dtype, todo))
    return array


def archive_shapes(path: Path, where: str) -> dict[str, tuple[int, ...]]:
    """Read the shapes of an archive's arrays from their headers, without decompressing them.

    Args:
        path: `.npz`.
        where: What errors call the file.

    Returns:
        Shape by name, in the file's order.

    Raises:
        DataError: Missing, truncated or corrupt.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name.removesuffix(".npy"): _header_shape(archive, name) for name in names}
    except FileNotFoundError as error:
        todo = "Correct `file` in the YAML"
        raise DataError(expected_got(where, "the archive is missing", "an .npz file", "nothing", todo)) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(_damaged(path, where, error)) from error


def _damaged(path: Path, where: str, error: Exception) -> str:
    detail = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
    detail = detail.replace(f"{path.parent}/", "")  # texts go into records: no folders of this machine
    todo = "Save the array again without objects (allow_pickle=False)"
    return expected_got(where, "the NumPy file is truncated or corrupt", "a whole .npy or .npz", detail, todo)


@lru_cache(maxsize=8)
def _from_archive(path: Path, mtime_ns: int, size: int, key: str) -> NDArray[np.generic]:
    """Decompress one array; the time and size of the file make a changed archive another entry."""
    del mtime_ns, size
    with zipfile.ZipFile(path) as archive:  # numpy.load leaves a broken archive open
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        name = names[0] if not key and len(names) == 1 else key
        if name not in names:
            todo = "Name an array that the archive holds"
            raise DataError(
                expected_got(path.name, "the archive has no such array", f"one of {names}", repr(key), todo)
            )
        with archive.open(f"{name}.npy") as file:
            array: NDArray[np.generic] = np.lib.format.read_array(file, allow_pickle=False)
    array.setflags(write=False)
    return array


def _header_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape: tuple[int, ...] = read(file)[0]
    return shape
