"""Ranks that a scheduler has started on machines of their own: one fails, hangs, or does not fit, and all end."""

import signal
import socket
import time

import pytest

from tests.commands.rank_commands import (
    ROOT,
    START_S,
    ended_as,
    nodes,
    query,
    state,
    torchrun,
    until,
    witnessed,
    write_masks,
    write_yaml,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NETWORK = "--model.init_args.network.init_args."
LONG = ("--trainer.max_epochs", 1000, f"{NETWORK}step_s", 0.05)
FAILS = (f"{NETWORK}fail_rank", 1, f"{NETWORK}fail_step", 6)
HOST = socket.gethostname()


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nodes")
    write_masks(folder / "pairs")
    write_masks(folder / "others", grids=((40, 48), (36, 40)))
    pairs = {
        "class_path": "lit_medseg.catalogue.folder_pairs.FolderPairs",
        "init_args": {"root": str(folder / "pairs"), "patient_pattern": r"(p\d+)"},
    }
    patch = {"patch_size": [24, 24], "foreground": 0.5}
    for name in ("raises", "hangs", "lost", "first", "differs", "port"):
        write_yaml(
            folder / f"{name}.yaml", pairs, {"masks": {"organ": 255}}, "Segmentation", {"eval_batch_size": 4}, patch
        )
    (folder / "hasty.yaml").write_text(
        "strategy: {class_path: lit_medseg.cluster.exact_ddp.ExactDDP, init_args: {timeout_s: 8}}\n"
    )
    return folder


def trains(work, commands, name):
    """Wait until both ranks have taken steps."""
    texts = [command.text for command in commands]
    until(
        lambda: (
            min(len(witnessed(work, name, rank, "step")) for rank in (0, 1)) > 3
            or any(command.process.poll() is not None for command in commands)
        ),
        START_S,
        lambda: "\n".join(texts),
    )
    assert [command.process.poll() for command in commands] == [None, None], "\n".join(c.text for c in commands)


def test_under_torchrun_a_ranks_own_words_and_host_stand_in_the_runs_page(work):
    command = torchrun(work, "fit", "--config", "raises.yaml", "--run", "raises", *LONG, *FAILS)
    assert command.wait() != 0
    status, reason = ended_as(work, "raises")
    assert status == state(work, "raises", "raises")["status"] == "FAILED"
    assert reason == (
        f"rank 1 on {HOST} failed (in the forward pass of batch 1 of epoch 2): ArithmeticError: made to fail on rank 1"
    )
    report = (work / "runs/raises/raises/failure.txt").read_text()
    assert report.startswith(reason)
    assert 'rank_fakes.py", line' in report
    assert str(ROOT) not in report
    tags = dict(query(work, "select key, value from tags"))
    assert tags["failure"] == reason
    page = tags["mlflow.note.content"]
    assert page.startswith(f"**Failed**: {reason}")
    assert "raise ArithmeticError" in page
    assert "| train | 7 |" in page  # what it told before
    assert list((work / "mlartifacts").rglob("failure.txt"))


def test_a_rank_that_hangs_is_named_with_what_it_was_doing(work):
    hasty = ("--trainer", work / "hasty.yaml", f"{NETWORK}hang", "true")
    first, second = nodes(work, "fit", "--config", "hangs.yaml", "--run", "hangs", *LONG, *FAILS, last=hasty)
    assert first.wait() == 1, first.text
    assert second.wait(60.0) == 1
    status, reason = ended_as(work, "hangs")
    assert status == "FAILED"
    assert reason.startswith(f"rank 1 on {HOST} did not come: in the forward pass of batch 1 of epoch 2 since ")
    assert reason.endswith(f"while rank 0 on {HOST} waited in the backward pass of batch 1 of epoch 2")
    report = (work / "runs/hangs/hangs/failure.txt").read_text()
    assert "time.sleep(1000)" in report.split("rank 1 was here:")[1]
    assert f"error: {reason}." in first.text


def test_a_killed_rank_of_another_machine_ends_the_run(work):
    commands = nodes(work, "fit", "--config", "lost.yaml", "--run", "lost", *LONG)
    trains(work, commands, "lost")
    killed = time.monotonic()
    commands[1].process.send_signal(signal.SIGKILL)
    assert commands[0].wait(60.0) == 1, commands[0].text
    assert time.monotonic() - killed < 45
    commands[1].end()
    status, reason = ended_as(work, "lost")
    assert status == "FAILED"
    assert reason.startswith(f"rank 1 on {HOST} ended without a word (killed, out of memory, or its machine is gone)")
    assert "Traceback" not in commands[0].text
    assert [path.name for path in (work / "runs/lost/lost").rglob("*unfinished*")] == []


def test_ranks_whose_first_is_killed_leave(work):
    commands = nodes(work, "fit", "--config", "first.yaml", "--run", "first", *LONG)
    trains(work, commands, "first")
    commands[0].process.send_signal(signal.SIGKILL)
    assert commands[1].wait(60.0) == 1, commands[1].text
    assert "Traceback" not in commands[1].text
    commands[0].end()


def test_ranks_that_see_different_data_are_refused_with_their_names(work):
    other = {1: ("--data.init_args.source.init_args.root", work / "others")}
    first, second = nodes(work, "fit", "--config", "differs.yaml", *LONG, own=other)
    assert first.wait() == 2
    assert second.wait(60.0) == 2
    [line] = first.text.strip().splitlines()
    assert line.startswith("error: ranks: the data (pixels, truths, metadata) differs, expected rank 0's ")
    assert f" on rank 1 ({HOST})" in line
    assert second.text.strip() == ""
    assert not (work / "runs/differs").exists()


def test_a_taken_port_is_one_line_and_nobody_waits(work):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        first, second = nodes(work, "fit", "--config", "port.yaml", port=port)
        assert first.wait() == 2
        assert second.wait(60.0) == 2
    [line] = first.text.strip().splitlines()
    assert line.startswith(f"error: 127.0.0.1:{port}: the port is taken on {HOST}, expected a free port")
    assert f"error: 127.0.0.1:{port}: rank 1 on {HOST} has not found rank 0" in second.text
    assert "Traceback" not in second.text
