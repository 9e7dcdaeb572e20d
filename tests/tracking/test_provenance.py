import getpass
import io
import json
import shlex
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from lit_medseg.catalogue.summary import DataSummary
from lit_medseg.tracking.attach import begin_run
from lit_medseg.tracking.dataset_input import dataset_input
from lit_medseg.tracking.flatten import flatten
from lit_medseg.tracking.note import NOTE_TAG, run_note
from lit_medseg.tracking.page import print_page
from lit_medseg.tracking.provenance import MAX_DIFF_BYTES, provenance, write_diff
from lit_medseg.tracking.run_folder import create_run_folder
from lit_medseg.tracking.store import open_store, resolve_uri
from lit_medseg.tracking.without_paths import without_paths

SUMMARY = DataSummary(
    name="nuclei", cases={"train": 3, "val": 1}, patients={"train": 2, "val": 1},
    classes={"train": {"nucleus": 3}, "val": {"nucleus": 1}}, unused=0, data_hash="a" * 64, split_hash="b" * 64,
    split_rule="HoldOut", source={"class_path": "FolderPairs", "init_args": {"root": "nuclei"}},
)  # fmt: skip


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, env={"PATH": "/usr/bin:/bin"})
    return folder


def test_a_clean_and_a_dirty_commit(repository, tmp_path):
    tags = provenance(repository)
    assert len(tags["git.commit"]) == 40
    assert tags["git.dirty"] == "false"
    assert not write_diff(repository, tmp_path / "diff")
    (repository / "new.txt").write_text("untracked")
    assert provenance(repository)["git.dirty"] == "false"
    (repository / "a.txt").write_text("two\n")
    assert provenance(repository)["git.dirty"] == "true"
    assert write_diff(repository, tmp_path / "diff")
    assert "-one\n+two\n" in (tmp_path / "diff").read_text()
    assert "untracked" not in (tmp_path / "diff").read_text()
    (repository / "a.txt").write_text("x" * 2 * MAX_DIFF_BYTES)
    write_diff(repository, tmp_path / "diff")
    assert (tmp_path / "diff").read_text().endswith("longer than a million bytes)\n")


def test_tags_name_versions_and_machine_but_no_path(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["x", "fit", "--config", str(tmp_path / "exp.yaml"), "--data.root=/home/ann/scans"])
    tags = provenance(tmp_path)
    assert tags["git.commit"] == "none"
    assert tags["command"] == "lit_medseg fit --config exp.yaml --data.root=.../scans"
    assert int(tags["hardware/cores"]) > 0
    assert float(tags["hardware/memory_gib"]) > 0
    assert {"package/torch", "package/mlflow", "python", "hardware/cpu", "hardware/gpus", "host"} <= set(tags)
    assert not any(str(Path.home()) in value or str(tmp_path) in value for value in tags.values())
    if len(getpass.getuser()) > 4:
        assert not any(getpass.getuser() in value for value in tags.values())


def test_addresses_lose_their_password(tmp_path):
    line = without_paths(["--tracking=postgresql://ann:sec=ret@db/x", "~/a.yaml", "0.1"], tmp_path)
    assert line == "'--tracking=postgresql://***@db/x' .../a.yaml 0.1"
    assert without_paths(["--tracking=http://h/?password=s", "--a=/b/c"], tmp_path) == (
        "'--tracking=http://h/?password=***' --a=.../c"
    )


@pytest.mark.parametrize("parent", [("--parent_pid", "12"), ("--parent_pid=12",)])
def test_the_command_of_a_child_can_be_typed_again(tmp_path, monkeypatch, parent):
    monkeypatch.setattr("sys.argv", ["x", "fit", *parent, "--tags", '{"a": "b"}'])
    assert shlex.split(provenance(tmp_path)["command"]) == ["lit_medseg", "fit", "--tags", '{"a": "b"}']


def test_the_data_set_is_an_input_of_the_run(tmp_path, database):
    store = open_store(database, "a")
    logger = begin_run(create_run_folder(tmp_path / "runs", "a", "0" * 16), store, {})
    logger.queue.put(dataset_input(SUMMARY), dataset_input(SUMMARY))
    logger.log_tags({NOTE_TAG: run_note("lit_medseg fit", SUMMARY, {"test/dice": 0.9})})
    run_id = logger.run_id
    assert logger.close("FINISHED")
    run = store.client.get_run(run_id)
    (found,) = run.inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("nuclei", "a" * 36)
    profile = json.loads(found.dataset.profile)
    assert (profile["data_hash"], profile["split_hash"], profile["cases"]["train"]) == ("a" * 64, "b" * 64, 3)
    assert "| train | 3 | 2 | nucleus 3 |" in run.data.tags[NOTE_TAG]
    assert "| test/dice | 0.9000 |  |" in run.data.tags[NOTE_TAG]


def test_the_page_has_scores_folder_and_command():
    out = io.StringIO()
    scores = {"test/dice": 0.91, "test/dice/ci_low": 0.9, "test/dice/ci_high": 0.92, "test/x": float("nan")}
    print_page(Console(file=out, width=100), Path("runs/a/b"), scores, resolve_uri(None))
    text = out.getvalue()
    assert "0.9000 to 0.9200" in text
    assert "run folder  runs/a/b\n" in text
    assert "open MLflow python -m lit_medseg ui\n" in text
    print_page(Console(file=out, width=100), Path("runs/a/b"), {}, "http://tracking:5000")
    assert "ui --store http://tracking:5000\n" in out.getvalue()


def test_flatten_numbers_lists_of_settings():
    nested = {"a": {"b": 1, "c": {}}, "l": [1, 2], "s": [{"x": 1}, {"x": 2}], "n": None}
    assert flatten(nested) == {"a/b": 1, "a/c": {}, "l": [1, 2], "s/0/x": 1, "s/1/x": 2, "n": None}
