import os
import stat
import threading

import pytest

from lit_medseg.cluster.count_gpus import count_gpus
from lit_medseg.cluster.device_pool import DevicePool
from lit_medseg.errors import ConfigError


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose driver reports a number of GPUs."""

    def with_gpus(count):
        program = tmp_path / "nvidia-smi"
        program.write_text("#!/bin/sh\n" + "".join(f"echo {number}\n" for number in range(count)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return with_gpus


def slots(pool):
    return [pool.take() for _ in range(pool.size)]


def test_slots_on_the_processors(machine):
    pool = DevicePool(3, None)
    assert pool.size == 3
    assert slots(pool) == [(), (), ()]
    assert pool.take() is None
    pool.give(())
    assert pool.take() == ()
    assert DevicePool(None, None).size == 1


def test_slots_on_devices(machine):
    machine(8)
    assert slots(DevicePool(None, [0, 1, 2, 3])) == [(0,), (1,), (2,), (3,)]
    assert slots(DevicePool(None, [7, 2, 4, 0], per_child=2)) == [(7, 2), (4, 0)]
    assert slots(DevicePool(1, [0, 1, 2, 3], per_child=2)) == [(0, 1)]
    assert slots(DevicePool(5, [0, 1])) == [(0,), (1,), (0,), (1,), (0,)]


def test_what_is_not_taken_cannot_be_given_back(machine):
    machine(2)
    pool = DevicePool(None, [0, 1])
    slot = pool.take()
    pool.give(slot)
    with pytest.raises(ValueError, match=r"the slot is not taken"):
        pool.give(slot)


def test_no_slot_is_with_two_children_at_once(machine):
    machine(4)
    pool, lock, busy, seen = DevicePool(None, [0, 1, 2, 3]), threading.Lock(), set(), []

    def work():
        for _ in range(300):
            slot = pool.take()
            if slot is None:
                continue
            with lock:
                seen.append(slot in busy)
                busy.add(slot)
            with lock:
                busy.discard(slot)
            pool.give(slot)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) > 300
    assert not any(seen)


def test_processors_are_shared_out(machine, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert DevicePool(None, None).threads is None
    assert DevicePool(2, None).threads == 4
    assert DevicePool(3, None).threads == 2
    assert DevicePool(20, None).threads == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    assert DevicePool(2, None).threads is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0, None), r"--workers: nobody works, expected 1 or more, got 0"),
        ((None, []), r"--devices: unusable list, expected each device once, got none"),
        ((None, [0, 1, 0]), r"got \[0\] twice"),
        ((None, [0, 4, -1]), r"--devices: no such device, expected 0 to 3, got \[4, -1\]"),
        ((None, [0, 1, 2], 2), r"cannot be shared out, expected a multiple of 2, got 3"),
        ((None, [0, 1], 4), r"expected a multiple of 4, got 2"),
        ((None, [0, 1], 0), r"expected a multiple of 1, got 2"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(machine, arguments, text):
    machine(4)
    with pytest.raises(ConfigError, match=text):
        DevicePool(*arguments)


def test_devices_of_a_machine_without(machine):
    machine(0)
    with pytest.raises(ConfigError, match=r"expected none, this machine shows no GPU, got \[0\]"):
        DevicePool(None, [0])


def test_gpus_are_counted_within_what_this_process_may_see(machine, monkeypatch):
    machine(4)
    assert count_gpus() == 4
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-abc")
    assert count_gpus() == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert count_gpus() == 0
    machine(0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert count_gpus() == 0
