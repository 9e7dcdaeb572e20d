import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lit_medseg.errors import ConfigError, TrackingError
from lit_medseg.tracking.lease import STALE_S, Owner, is_alive, process_mark, this_process
from lit_medseg.tracking.run_folder import RunFolder, all_runs, create_run_folder, dead_runs

HASH = "0123456789abcdef"


def test_names_count_up(tmp_path):
    names = [create_run_folder(tmp_path, "nuclei", HASH).name for _ in range(3)]
    assert names == ["01234567-1", "01234567-2", "01234567-3"]
    state = create_run_folder(tmp_path, "nuclei", HASH, "mine").read()
    assert (state.status, state.config_hash, state.owner.pid) == ("RUNNING", HASH, os.getpid())


def test_many_threads_never_share_a_folder(tmp_path):
    names = []
    threads = [
        threading.Thread(target=lambda: names.append(create_run_folder(tmp_path, "a", HASH).name)) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 16


def test_a_run_that_exists_is_never_taken(tmp_path):
    create_run_folder(tmp_path, "a", HASH, "mine").end("FINISHED")
    before = (tmp_path / "a/mine/state.json").read_bytes()
    with pytest.raises(ConfigError, match="--run: the run exists, expected a new name, got 'mine'"):
        create_run_folder(tmp_path, "a", HASH, "mine")
    assert (tmp_path / "a/mine/state.json").read_bytes() == before


def test_a_folder_whose_state_was_deleted_is_named(tmp_path):
    folder = create_run_folder(tmp_path, "a", HASH, "mine")
    (folder.path / "state.json").unlink()
    with pytest.raises(ConfigError) as raised:
        create_run_folder(tmp_path, "a", HASH, "mine")
    text = str(raised.value)
    assert text.startswith("--run mine: its folder is there, and its state.json is not")
    assert "Bring the file back to go on with the run, or move the folder away." in text
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "a b", "x" * 101])
def test_a_name_that_is_no_folder_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="--run: unusable name"):
        create_run_folder(tmp_path, "a", HASH, name)
    with pytest.raises(ConfigError, match="experiment: unusable name"):
        create_run_folder(tmp_path, name, HASH)
    assert not any(tmp_path.rglob("*"))


def test_a_run_that_another_process_went_on_with_meanwhile_is_not_taken(tmp_path):
    folder = create_run_folder(tmp_path, "a", HASH)
    folder.end("KILLED")
    chosen = folder.read().attempt
    assert folder.take(after=chosen).attempt == 2
    folder.end("KILLED")
    with pytest.raises(TrackingError, match="another process has gone on with it meanwhile, expected attempt 1"):
        folder.take(after=chosen)
    folder.end("FINISHED")
    before = (folder.path / "state.json").read_bytes()
    with pytest.raises(TrackingError, match="got attempt 2, FINISHED"):
        folder.take(after=2)
    assert (folder.path / "state.json").read_bytes() == before


@pytest.mark.parametrize("damaged", ["{", "null", "[]", '{"owner": null}'])
def test_a_damaged_state_is_named(tmp_path, damaged):
    folder = create_run_folder(tmp_path, "a", HASH)
    (folder.path / "state.json").write_text(damaged)
    with pytest.raises(TrackingError, match=r"a/01234567-1/state\.json: the run's state cannot be read"):
        folder.read()
    assert dead_runs(tmp_path) == []


def _child(root: Path) -> tuple[subprocess.Popen[bytes], RunFolder]:
    code = (
        "import sys, time; from pathlib import Path; from lit_medseg.tracking.run_folder import create_run_folder;"
        "create_run_folder(Path(sys.argv[1]), 'a', 'f' * 16); time.sleep(60)"
    )
    source = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", code, str(root)], env={**os.environ, "PYTHONPATH": str(source)})
    while not all_runs(root):
        time.sleep(0.02)
    return process, all_runs(root)[0]


def test_a_killed_process_leaves_a_dead_run_and_a_living_one_does_not(tmp_path):
    process, folder = _child(tmp_path)
    assert dead_runs(tmp_path) == []
    with pytest.raises(TrackingError, match="the run is in work, expected nobody at it, got process"):
        folder.take()
    os.kill(process.pid, signal.SIGKILL)
    while is_alive(folder.read().owner, folder.lease):
        # Not waited for yet: it is a zombie, which counts as dead.
        time.sleep(0.02)
    assert dead_runs(tmp_path) == [folder]
    process.wait()
    assert dead_runs(tmp_path) == [folder]
    assert folder.take().owner == this_process()
    assert dead_runs(tmp_path) == []


def test_another_process_with_the_same_number_is_not_the_owner(tmp_path):
    folder = create_run_folder(tmp_path, "a", HASH)
    state = folder.read()
    folder.write(replace(state, owner=replace(state.owner, mark="boot-1")))
    assert dead_runs(tmp_path) == [folder]
    folder.end("FINISHED")
    assert dead_runs(tmp_path) == []


def test_another_host_is_judged_by_its_lease(tmp_path):
    lease = tmp_path / "lease"
    lease.touch()
    owner = Owner("elsewhere", 1, "x")
    assert is_alive(owner, lease)
    old = time.time() - STALE_S - 5
    os.utime(lease, (old, old))
    assert not is_alive(owner, lease)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lease"]


def test_a_process_that_is_not_there_has_no_mark():
    assert process_mark(2**22 + 1) == ""


def test_state_is_plain_json_without_paths(tmp_path):
    folder = create_run_folder(tmp_path, "a", HASH)
    folder.set_run_id("abc")
    text = (folder.path / "state.json").read_text()
    assert json.loads(text)["run_id"] == "abc"
    assert str(tmp_path) not in text
