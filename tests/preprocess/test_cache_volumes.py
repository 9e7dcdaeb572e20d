"""The cache of volumes: compressed blocks, patches, locations, damage, disks that refuse, memory."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lit_medseg.errors import DataError
from lit_medseg.preprocess import cache_blocks, cache_writer
from lit_medseg.preprocess.cache import open_cache
from lit_medseg.preprocess.cache_locations import MOST, class_locations
from lit_medseg.preprocess.processed_case import ProcessedCase
from lit_medseg.preprocess.trace import CaseTrace

KEY = "c" * 64
GRIDS = {"whole": (33, 64, 70), "thin": (1, 100, 40), "exact": (32, 32, 64), "tiny": (3, 2, 1)}
DTYPES = {"whole": np.float32, "thin": np.int16, "exact": np.float16, "tiny": np.uint8}


def make(case_id):
    rng = np.random.default_rng(len(case_id))
    grid = GRIDS[case_id]
    image = rng.normal(40, 20, (2, *grid)).astype(DTYPES[case_id])
    mask = np.zeros((1, *grid), np.uint8)
    mask[0, : grid[0] // 2 + 1, : grid[1] // 3 + 1] = 3
    mask[0, :1, :2] = 1
    return ProcessedCase(case_id, image, mask, mask[:, ::-1], CaseTrace(grid, (1.0,) * 3, None, ()))


@pytest.fixture(params=[0, 1 << 40], ids=["blocks", "plain"])
def cache(request, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_blocks, "BLOCKED_BYTES", request.param)
    return open_cache(tmp_path, KEY, list(GRIDS), make)


def test_whole_arrays_and_patches_are_what_was_made(cache):
    rng = np.random.default_rng(0)
    for row, case_id in enumerate(cache.case_ids):
        case = make(case_id)
        for read, patch, made in (
            (cache.image(row), cache.image_patch, case.image),
            (cache.mask(row), cache.mask_patch, case.mask),
        ):
            assert read.dtype == made.dtype
            np.testing.assert_array_equal(read, made)
            with pytest.raises(ValueError, match="read-only"):
                read[0, 0, 0, 0] = 1
            for _ in range(20):
                start = [int(rng.integers(-20, side)) for side in made.shape[1:]]
                stop = [max(0, low) + int(rng.integers(1, 60)) for low in start]
                sides = tuple(slice(max(0, low), high) for low, high in zip(start, stop, strict=True))
                np.testing.assert_array_equal(patch(row, start, stop), made[(slice(None), *sides)])
        np.testing.assert_array_equal(cache.reference(row), case.reference)


def test_patches_outside_are_refused(cache):
    with pytest.raises(DataError, match="case thin: a patch outside"):
        cache.image_patch(1, (1, 0, 0), (2, 5, 5))
    with pytest.raises(DataError, match="outside"):
        cache.mask_patch(1, (0, -9, 0), (1, 0, 5))


def test_locations_are_those_of_the_mask(cache):
    for row, case_id in enumerate(cache.case_ids):
        mask = make(case_id).mask[0]
        found = cache.locations(row)
        assert len(found) == 3
        for code, places in enumerate(found, 1):
            assert (places.dtype, places.shape[1]) == (np.int32, 3)
            assert len(places) == min(MOST, (mask == code).sum())
            assert (mask[tuple(places.T)] == code).all()
            assert len(np.unique(places, axis=0)) == len(places)


def test_locations_of_planes_and_of_nothing():
    planes = np.zeros((3, 4, 5), np.uint8)
    planes[0, 1], planes[2, 1, 2] = 1, 1
    first, none, last = class_locations(planes, "a")
    assert (len(first), none.shape, last.tolist()) == (5, (0, 2), [[1, 2]])
    assert class_locations(np.zeros((1, 4, 5), np.uint8), "a") == ()
    large = np.ones((1, 30, 30, 30), np.uint8)
    once, again, other = (class_locations(large, name)[0] for name in ("a", "a", "b"))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)
    np.testing.assert_allclose(once.mean(axis=0), 14.5, atol=0.6)


def test_cases_without_truth_have_no_locations(tmp_path):
    def blind(case_id):
        case = make(case_id)
        return ProcessedCase(case_id, case.image, None, None, case.trace)

    cache = open_cache(tmp_path, KEY, list(GRIDS), blind)
    assert cache.locations(0) == ()
    assert cache.mask_patch(0, (0, 0, 0), (2, 2, 2)) is None


def test_volumes_shrink_and_pictures_do_not(tmp_path):
    mask = np.zeros((1, 70, 300, 300), np.uint8)
    blocks = cache_blocks.encode_array(mask)
    assert blocks.edge == cache_blocks.EDGE
    assert sum(len(part) for part in blocks.parts) < mask.nbytes / 100
    assert cache_blocks.encode_array(mask[0]).edge == 0
    assert cache_blocks.encode_array(mask[:, :20]).edge == 0


@pytest.mark.parametrize("what", ["image", "mask", "reference", "locations"])
def test_a_flipped_byte_is_found_when_it_is_read(cache, what):
    record = getattr(cache.index.records[0], what)
    size = int(np.prod(record.shape)) * np.dtype(record.dtype).itemsize
    with (cache.folder / "cases.bin").open("r+b") as file:
        # the middle of a plain array, the middle of a block
        place = record.offset + size // 2
        if record.edge:
            count = cache_blocks._count(record)
            file.seek(record.offset + 8 * (count // 2))
            first, last = np.frombuffer(file.read(16), "<i8")
            place = record.offset + int(first + last) // 2
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 16]))
    cache = open_cache(cache.folder.parent, KEY, list(GRIDS), make)
    with pytest.raises(DataError, match=r"case whole: the cached case has changed.*Delete") as caught:
        getattr(cache, what)(0)
    assert "\n" not in str(caught.value)
    getattr(cache, what)(1)  # other cases are not touched


def test_a_flipped_byte_in_the_table_of_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_blocks, "BLOCKED_BYTES", 0)
    cache = open_cache(tmp_path, KEY, list(GRIDS), make)
    with (cache.folder / "cases.bin").open("r+b") as file:
        file.seek(cache.index.records[0].image.offset + 9)
        file.write(b"\xff")
    with pytest.raises(DataError, match="has changed"):
        cache.image_patch(0, (0, 0, 0), (1, 1, 1))


def test_a_file_that_is_too_large_for_the_system(tmp_path):
    """RLIMIT_FSIZE: the system refuses to let a file grow, as a full quota does."""
    code = f"""
        import resource, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        from lit_medseg.errors import DataError
        from lit_medseg.preprocess.cache import open_cache
        from tests.preprocess.test_cache_volumes import GRIDS, KEY, make
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        try:
            open_cache(Path({str(tmp_path)!r}), KEY, list(GRIDS), make)
        except DataError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True, timeout=120
    )
    assert "the cache cannot be written" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_a_small_disk_fills(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", tmp_path]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        return  # mounts are not allowed here: the test before, and /dev/full in test_cache.py, have to do
    try:
        with pytest.raises(DataError, match="the disk is full"):
            open_cache(tmp_path, KEY, list(GRIDS), make)
        assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_ctrl_c_leaves_nothing(tmp_path):
    started = threading.Event()

    def interrupting(case_id):
        if case_id == "exact" and not started.is_set():
            started.set()
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return make(case_id)

    with pytest.raises(KeyboardInterrupt):
        open_cache(tmp_path, KEY, list(GRIDS), interrupting)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []
    assert len(open_cache(tmp_path, KEY, list(GRIDS), make)) == len(GRIDS)


def test_large_cases_are_made_one_at_a_time(tmp_path, monkeypatch):
    running, most, lock = [0], [0], threading.Lock()

    def counted(case_id):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        case = make(case_id)
        with lock:
            running[0] -= 1
        return case

    monkeypatch.setattr(cache_writer, "_AHEAD_BYTES", 1)
    open_cache(tmp_path, KEY, list(GRIDS), counted)
    assert most[0] == 1


def test_a_small_case_does_not_let_large_ones_go_together(tmp_path, monkeypatch):
    sizes, later, together = {"a": 64, "b": 8, "c": 64, "d": 64}, threading.Event(), []

    def made(case_id):
        if case_id == "c":
            together.append(later.wait(0.2))
        elif case_id == "d":
            later.set()
        image = np.zeros((1, 8, sizes[case_id], 8), np.float32)
        return ProcessedCase(case_id, image, None, None, CaseTrace((8, 8, 8), (1.0,) * 3, None, ()))

    room = 4 * 8 * 8 * 40  # for small ones, not for a large one
    monkeypatch.setattr(cache_writer, "_AHEAD_BYTES", cache_writer._WORKING_COPIES * room)
    open_cache(tmp_path, KEY, list(sizes), made)
    assert together == [False]


def private_bytes():
    """Memory that belongs to this process alone: what is mapped from a file does not count."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:"))


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's smaps_rollup")
def test_private_memory_does_not_grow_with_the_data(tmp_path, monkeypatch):
    monkeypatch.setitem(GRIDS, "large", (64, 128, 128))
    monkeypatch.setitem(DTYPES, "large", np.float32)
    ids, (large, small) = [f"case{n}" for n in range(12)], (make("large"), make("whole"))

    def one(case_id):
        return replace(large if len(case_id) % 2 else small, case_id=case_id)

    cache = open_cache(tmp_path, KEY, ids, one)

    def read(rows):
        for row in rows:
            side = cache.grid(row)
            for low in range(0, side[0], 16):
                cache.image_patch(row, (low, 0, 0), (low + 16, side[1], side[2])).sum()
                cache.mask_patch(row, (low, 0, 0), (low + 16, side[1], side[2])).sum()

    read([0, 11])
    before = private_bytes()
    read(range(len(ids)))
    grown = private_bytes() - before
    assert (cache.folder / "cases.bin").stat().st_size > 80e6
    assert grown < 3e6
