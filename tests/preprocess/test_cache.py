import errno
import multiprocessing
import os
import pickle
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from lit_medseg.errors import DataError
from lit_medseg.imaging.volume import flat_volume
from lit_medseg.preprocess import cache_writer
from lit_medseg.preprocess.cache import open_cache
from lit_medseg.preprocess.cache_index import CacheIndex
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.processed_case import process_case
from lit_medseg.preprocess.resize import ResizeWithin
from lit_medseg.preprocess.sample import Sample

KEY = "a" * 64
IDS = [f"case{n:02}" for n in range(23)]


def make(case_id):
    number = int(case_id[4:])
    rng = np.random.default_rng(number)
    image = rng.integers(0, 256, (3, 10 + number, 30)).astype(np.uint8)
    mask = rng.integers(0, 4, (1, 10 + number, 30)).astype(np.uint8)
    return process_case(case_id, Sample((flat_volume(image),), flat_volume(mask)), Pipeline((ResizeWithin(31),)))


def assert_whole(cache):
    assert cache.case_ids == tuple(IDS)
    for row, case_id in enumerate(IDS):
        expected = make(case_id)
        np.testing.assert_array_equal(cache.image(row), expected.image)
        np.testing.assert_array_equal(cache.mask(row), expected.mask)
        np.testing.assert_array_equal(cache.reference(row), expected.reference)
        assert cache.trace(row) == expected.trace
        assert cache.grid(row) == expected.image.shape[1:]


def never(case_id):
    raise AssertionError(case_id)


def test_holds_every_case_and_is_made_once(tmp_path):
    assert_whole(open_cache(tmp_path, KEY, IDS, make))
    cache = open_cache(tmp_path, KEY, IDS, never)
    assert_whole(cache)
    with pytest.raises(ValueError, match="read-only"):
        cache.image(0)[0, 0, 0] = 1
    # A reference that equals the processed mask is stored once.
    assert cache.index.records[3].reference == cache.index.records[3].mask
    assert cache.index.records[22].reference != cache.index.records[22].mask


def test_pickles_without_its_bytes(tmp_path):
    cache = open_cache(tmp_path, KEY, IDS, make)
    assert_whole(cache)
    pickled = pickle.dumps(cache)
    assert len(pickled) < 20_000
    assert_whole(pickle.loads(pickled))


def _damage_bin_short(folder):
    with (folder / "cases.bin").open("r+b") as file:
        file.truncate(100)


def _damage_index(folder):
    text = (folder / "index.json").read_text()
    (folder / "index.json").write_text(text.replace("case03", "case04"))


def _damage_half(folder):
    (folder / "index.json").unlink()


def _damage_foreign(folder):
    text = CacheIndex("b" * 64, (folder / "cases.bin").stat().st_size, ()).to_json()
    (folder / "index.json").write_text(text)


@pytest.mark.parametrize("damage", [_damage_bin_short, _damage_index, _damage_half, _damage_foreign])
def test_damaged_cache_is_made_anew(tmp_path, damage, caplog):
    damage(open_cache(tmp_path, KEY, IDS, make).folder)
    assert_whole(open_cache(tmp_path, KEY, IDS, make))
    assert "made anew" in caplog.text


def test_fault_in_a_case_leaves_nothing(tmp_path):
    def faulty(case_id):
        if case_id == IDS[7]:
            raise DataError("case07: bad")
        return make(case_id)

    with pytest.raises(DataError, match="case07"):
        open_cache(tmp_path, KEY, IDS, faulty)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []
    assert_whole(open_cache(tmp_path, KEY, IDS, make))


def test_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(file, array):
        if file.tell() > 9000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return append(file, array)

    append = cache_writer._append
    monkeypatch.setattr(cache_writer, "_append", full)
    with pytest.raises(DataError, match="the disk is full") as caught:
        open_cache(tmp_path, KEY, IDS, make)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_of_the_system(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_writer, "PACKED", "/dev/full")
    with pytest.raises(DataError, match="the disk is full"):
        open_cache(tmp_path, KEY, IDS, make)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cache_dir"):
        open_cache(tmp_path / "file" / "cache", KEY, IDS, make)


def slow_make(case_id):
    time.sleep(0.02)
    return make(case_id)


def _open_in_child(folder, results, maker):
    made = []

    def counted(case_id):
        made.append(case_id)
        return maker(case_id)

    cache = open_cache(folder, KEY, IDS, counted)
    results.put((len(made), int(cache.image(5).sum())))


def test_one_process_writes_while_others_wait(tmp_path):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    children = [context.Process(target=_open_in_child, args=(tmp_path, results, slow_make)) for _ in range(3)]
    for child in children:
        child.start()
    found = [results.get(timeout=30) for _ in children]
    for child in children:
        child.join(30)
    assert sorted(made for made, _ in found) == [0, 0, len(IDS)]
    assert len({total for _, total in found}) == 1


def test_killed_writer_leaves_nothing_that_is_used(tmp_path):
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_open_in_child, args=(tmp_path, context.Queue(), slow_make))
    child.start()
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob("*.writing/cases.bin")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.join(10)
    assert list(tmp_path.glob("*.writing"))
    assert not (tmp_path / KEY[:32]).exists()
    assert_whole(open_cache(tmp_path, KEY, IDS, make))
    assert not list(tmp_path.glob("*.writing"))


def test_few_cases_are_held_at_once(tmp_path):
    running, most, lock = [0], [0], threading.Lock()

    def counted(case_id):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        case = make(case_id)
        with lock:
            running[0] -= 1
        return case

    open_cache(tmp_path, KEY, IDS, counted)
    assert most[0] <= cache_writer._THREADS


@pytest.mark.parametrize(
    ("array", "named"),
    [
        (np.zeros((1, 4, 4), np.uint16), "uint16"),
        (np.full((1, 4, 4), 7.0), "7.0 to 7.0"),
        (np.full((1, 4, 4), -0.5), "-0.5"),
        (np.full((1, 4, 4), np.nan), "nan"),
    ],
)
def test_refuses_intensities_that_augmentation_would_clip(array, named):
    with pytest.raises(DataError, match=named):
        process_case("x", Sample((flat_volume(array),)), Pipeline())


def test_refuses_channels_on_different_grids():
    images = (flat_volume(np.zeros((1, 4, 4), np.uint8)), flat_volume(np.zeros((1, 4, 5), np.uint8)))
    with pytest.raises(DataError, match="different grids"):
        process_case("x", Sample(images), Pipeline())
