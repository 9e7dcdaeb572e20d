import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lit_medseg.commands import doctor
from lit_medseg.commands.doctor_checks import (
    check,
    driver,
    interpreter,
    limits,
    lock,
    machine,
    packages,
    stores,
    torch_stack,
)
from lit_medseg.commands.doctor_checks.check import State

ROOT = Path(__file__).parents[2]
GIB = 2**30
CPU_MACHINE = {"torch": "2.15.0", "cuda_build": "13.2", "nccl": True, "gpus": 0, "torchvision": "0.29.2"}
GPU_MACHINE = CPU_MACHINE | {"gpus": 2, "names": ["A", "A"], "cuda_works": True, "nccl_version": "2.30.7"}


def judge(monkeypatch, facts, version=None, pinned="2.15.0"):
    monkeypatch.setattr(torch_stack, "run_probe", lambda: facts)
    monkeypatch.setattr(torch_stack, "driver_version", lambda: version)
    monkeypatch.setattr(torch_stack, "pinned_torch", lambda: pinned)
    return {one.name: one for one in torch_stack.check_torch_stack()}


def states(checks):
    return {name: one.state.value for name, one in checks.items()}


def fake_torchvision(folder):
    package = folder / "torchvision"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_a_broken_torchvision_is_reported_with_the_mending_command(tmp_path):
    environment = fake_torchvision(tmp_path) | {"COLUMNS": "200"}
    command = [sys.executable, "-m", "lit_medseg", "doctor"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert result.returncode == 1
    assert result.stderr == ""
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("fault")]
    assert "torchvision" in line
    assert "RuntimeError: operator torchvision::nms does not exist" in line
    assert result.stdout.splitlines()[-2].strip() == lock.reinstall("torch", "torchvision")


@pytest.mark.parametrize(
    ("tools", "command"),
    [
        ({"uv", "pip"}, "{python} -m uv pip install --reinstall torch=={torch} torchvision=={torchvision}"),
        ({"pip"}, "{python} -m pip install --force-reinstall torch=={torch} torchvision=={torchvision}"),
        (set(), "rm -rf .venv && make install"),
    ],
)
def test_the_mending_command_uses_what_is_there(monkeypatch, tools, command):
    monkeypatch.setattr(lock.importlib.util, "find_spec", lambda name: name if name in tools else None)
    pins = {name: version for name, (version, _) in lock.read_lock().items()}
    expected = command.format(python=sys.executable, torch=pins["torch"], torchvision=pins["torchvision"])
    assert lock.reinstall("torch", "torchvision") == expected


def test_it_works_when_nothing_is_installed(tmp_path):
    # -S: without site-packages there is only the standard library.
    command = [sys.executable, "-S", "-m", "lit_medseg", "doctor"]
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\")\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert result.returncode == 1
    assert result.stderr == ""
    assert re.search(r"^fault +packages +\d+ missing", result.stdout, re.MULTILINE)
    assert re.search(r"^fault +torch +does not import: ModuleNotFoundError", result.stdout, re.MULTILINE)
    assert re.search(r"^ok +cores", result.stdout, re.MULTILINE)


def test_torch_that_ends_the_process_is_told(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("import os\nos._exit(7)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (only,) = torch_stack.check_torch_stack()
    assert (only.name, only.state) == ("torch", State.FAULT)
    assert "status 7" in only.found
    assert only.mend


def test_torch_that_raises_is_told(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so.13: cannot open\\nsecond line')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (only,) = torch_stack.check_torch_stack()
    assert only.found == "does not import: OSError: libcudart.so.13: cannot open"


def test_torch_machines_without_fault(monkeypatch):
    assert set(states(judge(monkeypatch, CPU_MACHINE)).values()) == {"ok"}
    assert set(states(judge(monkeypatch, GPU_MACHINE, "610.1")).values()) == {"ok"}


@pytest.mark.parametrize(
    ("facts", "version", "name", "state", "words"),
    [
        (CPU_MACHINE, "470.1", "CUDA", "fault", "torch sees no GPU"),
        (CPU_MACHINE | {"cuda_build": None}, "610.1", "CUDA", "warning", "built for the CPU"),
        (GPU_MACHINE | {"cuda_error": "RuntimeError: no kernel image"}, "610.1", "CUDA", "fault", "no kernel image"),
        (GPU_MACHINE | {"nccl": False}, "610.1", "NCCL", "fault", "several GPUs cannot train together"),
        (CPU_MACHINE | {"nccl": False}, None, "NCCL", "ok", "several GPUs only"),
        (CPU_MACHINE | {"torch": "2.14.1+cpu"}, None, "torchvision", "warning", "built for 2.15.0"),
        (CPU_MACHINE | {"torchvision_error": "RuntimeError: x"}, None, "torchvision", "fault", "RuntimeError: x"),
    ],
)
def test_torch_machines_with_a_fault(monkeypatch, facts, version, name, state, words):
    found = judge(monkeypatch, facts, version)
    assert found[name].state.value == state
    assert words in found[name].found
    assert bool(found[name].mend) == (state != "ok")
    assert {other for key, other in states(found).items() if key != name} == {"ok"}


def nvidia_smi(folder, monkeypatch, rows):
    script = folder / "nvidia-smi"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{rows}\nEND\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_gpus_and_whether_they_are_in_use(tmp_path, monkeypatch):
    nvidia_smi(tmp_path, monkeypatch, "0, NVIDIA A, 81920, 20480, 97\n1, NVIDIA A, 81920, 4, [N/A]")
    busy, free = driver.check_gpus()
    assert (busy.name, busy.state) == ("GPU 0", State.WARNING)
    assert busy.found == "NVIDIA A, 20.0 of 80.0 GiB used, 97% busy: in use"
    assert (free.state, free.found) == (State.OK, "NVIDIA A, 0.0 of 80.0 GiB used")


def test_no_driver_is_no_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert driver.check_gpus() == []
    assert driver.driver_version() is None


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, 1.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2.0),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_core_limit_of_both_kinds_of_control_group(tmp_path, files, cores):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert limits.core_limit(tmp_path) == cores


def test_cores_that_are_seen_but_not_paid_for(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "affinity", lambda: 64)
    (tmp_path / "cpu.max").write_text("400000 100000\n")
    found = machine.check_cores(tmp_path)
    assert found.state is State.WARNING
    assert found.mend == "export OMP_NUM_THREADS=4, and workers: 4 below data.loading in the YAML"
    (tmp_path / "cpu.max").write_text("6400000 100000\n")
    assert machine.check_cores(tmp_path) == check.ok("cores", "64")


@pytest.mark.parametrize(
    ("limit", "used", "found", "state"),
    [
        ("max", 0, "24.0 of 32.0 GiB free", State.OK),
        (str(8 * GIB), 2 * GIB, "6.0 of 8.0 GiB free", State.OK),
        (str(8 * GIB), 7 * GIB, "1.0 of 8.0 GiB free", State.WARNING),
        (str(2**63 - 4096), 0, "24.0 of 32.0 GiB free", State.OK),
    ],
)
def test_memory_is_the_control_groups_where_it_is_less(tmp_path, limit, used, found, state):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal: {32 * 2**20} kB\nMemFree: 1 kB\nMemAvailable: {24 * 2**20} kB\n")
    (tmp_path / "memory.max").write_text(limit)
    (tmp_path / "memory.current").write_text(str(used))
    result = machine.check_memory(meminfo, tmp_path)
    assert (result.found, result.state) == (found, state)


def disk_usage(monkeypatch, free_gib):
    usage = type("Usage", (), {"total": 100 * GIB, "used": 0, "free": int(free_gib * GIB)})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: usage)


@pytest.mark.parametrize(("free_gib", "state"), [(0.06, "fault"), (0.5, "warning"), (8, "ok")])
def test_shared_memory(monkeypatch, tmp_path, free_gib, state):
    disk_usage(monkeypatch, free_gib)
    result = machine.check_shared_memory(tmp_path)
    assert result.state.value == state
    assert ("--shm-size" in result.mend) == (state != "ok")


@pytest.mark.parametrize(("free_gib", "state"), [(0.4, "fault"), (4, "warning"), (50, "ok")])
def test_disk(monkeypatch, tmp_path, free_gib, state):
    disk_usage(monkeypatch, free_gib)
    assert machine.check_disk(tmp_path).state.value == state


def test_packages_against_pins(monkeypatch):
    monkeypatch.setattr(packages, "installed_versions", lambda: {"torch": "2.15.0+cpu", "numpy": "2.4.6"})
    right = {"torch": ("2.15.0", True), "numpy": ("2.4.6", True), "pywin32": ("312", False)}
    assert packages.check_packages(right).state is State.OK
    other = packages.check_packages(right | {"numpy": ("2.5.0", True)})
    assert (other.state, other.found) == (State.WARNING, "1 differ: numpy 2.4.6 (pinned 2.5.0)")
    missing = packages.check_packages(right | {f"p{i}": ("1", True) for i in range(7)})
    assert (missing.state, missing.found) == (State.FAULT, "7 missing: p0, p1, p2, p3, p4 and 2 more")
    assert packages.check_packages({}).state is State.WARNING


def test_this_environment_holds_the_lock():
    assert packages.check_packages().state is State.OK


@pytest.mark.parametrize(("version", "state"), [((3, 10, 9), "fault"), ((3, 11, 0), "ok"), ((3, 14, 1), "ok")])
def test_python(monkeypatch, version, state):
    monkeypatch.setattr(interpreter.sys, "base_prefix", "/elsewhere")
    assert interpreter.check_python(version).state.value == state


def test_python_outside_of_an_environment(monkeypatch):
    monkeypatch.setattr(interpreter.sys, "base_prefix", sys.prefix)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    assert interpreter.check_python((3, 11, 0)).state is State.WARNING


def test_platform():
    assert interpreter.check_platform("Linux").state is State.OK
    assert interpreter.check_platform("Darwin").state is State.WARNING


def test_data_root(monkeypatch, tmp_path):
    assert stores.check_data_root().state is State.OK
    monkeypatch.setenv("LIT_MEDSEG_DATA", str(tmp_path / "none"))
    assert stores.check_data_root().state is State.FAULT
    monkeypatch.setenv("LIT_MEDSEG_DATA", str(tmp_path))
    assert stores.check_data_root() == check.ok("LIT_MEDSEG_DATA", str(tmp_path))


def test_sqlite_store_is_looked_at_and_not_made(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert "none yet" in stores.check_mlflow_store().found
    assert list(tmp_path.iterdir()) == []
    file = tmp_path / "mlflow.db"
    file.write_text("not a database, but long enough to be read as one" * 20)
    assert stores.check_mlflow_store().state is State.FAULT
    file.unlink()
    with sqlite3.connect(file) as store:
        store.execute("create table runs (name text)")
        store.execute("insert into runs values ('a'), ('b')")
    store.close()
    assert stores.check_mlflow_store() == check.ok("MLflow store", f"{file}: 2 runs")


def test_store_that_does_not_answer(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:1")
    result = stores.check_mlflow_store()
    assert result.state is State.FAULT
    assert "does not answer" in result.found
    assert "secret" not in result.found


@pytest.mark.parametrize(("state", "status"), [(State.OK, 0), (State.WARNING, 0), (State.FAULT, 1)])
def test_exit_status_and_copyable_commands(monkeypatch, capsys, state, status):
    mend = "a long command " * 20 + "end"
    monkeypatch.setattr(doctor, "examine", lambda: [check.Check("x", state, "y [bold]z", "" if status == 0 else mend)])
    assert doctor.main([]) == status
    out = capsys.readouterr().out
    assert "y [bold]z" in out
    assert (mend in out) == (status == 1)


def test_a_check_that_breaks_does_not_hide_the_others(monkeypatch):
    def breaks():
        raise ValueError("odd machine")

    monkeypatch.setattr(doctor, "check_cores", breaks)
    monkeypatch.setattr(doctor, "check_torch_stack", list)
    found = {one.name: one for one in doctor.examine()}
    assert found["cores"].found == "could not be looked at: ValueError: odd machine"
    assert found["cores"].state is State.FAULT
    assert "memory" in found
