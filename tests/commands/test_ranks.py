"""The command line on one, two and three ranks: equal numbers, one run, a clean end however it comes."""

import signal
import socket
import time

import pytest
import torch

from tests.commands.rank_commands import (
    INTERRUPTIONS,
    START_S,
    Command,
    ended_as,
    on,
    query,
    run,
    state,
    until,
    witnessed,
    write_labels,
    write_masks,
    write_yaml,
)

PATCH = {"patch_size": [24, 24], "foreground": 0.5}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
HOST = socket.gethostname()
SLOW = ["--trainer.max_epochs", 1000, "--model.init_args.network.init_args.step_s", 0.05]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    write_masks(folder / "pairs")
    write_labels(folder / "classes")
    pairs = {
        "class_path": "lit_medseg.catalogue.folder_pairs.FolderPairs",
        "init_args": {"root": str(folder / "pairs"), "patient_pattern": r"(p\d+)"},
    }
    classes = {
        "class_path": "lit_medseg.catalogue.class_folders.ClassFolders",
        "init_args": {"root": str(folder / "classes"), "patient_pattern": r"(q\d+)"},
    }
    for name in ("masks", "steps", "ends"):
        truth = {"masks": {"organ": 255}}
        write_yaml(folder / f"{name}.yaml", pairs, truth, "Segmentation", {"eval_batch_size": 4}, PATCH)
    truth = {"labels": ["dark", "bright"]}
    write_yaml(folder / "labels.yaml", classes, truth, "Classification", {"eval_batch_size": 100}, {})
    return folder


@pytest.fixture(scope="module")
def fitted(work):
    """One run on two ranks with averaged weights; its table of the last validation is kept aside."""
    run(work, "fit", "--config", "masks.yaml", "--run", "one", "--ema_decay", 0.9, *on(2))
    folder = work / "runs/masks/one"
    (work / "fit-val.csv").write_bytes((folder / "cases/val.csv").read_bytes())
    return folder


def test_two_ranks_are_one_run(work, fitted):
    assert [folder.name for folder in (work / "runs/masks").iterdir()] == ["one"]
    assert state(work, "masks", "one")["status"] == "FINISHED"
    assert query(work, "select name, status from runs") == [("one", "FINISHED")]
    twice = query(work, "select key, step, count(*) from metrics group by run_uuid, key, step having count(*) > 1")
    assert [key for key, _, _ in twice if not key.startswith("system/")] == []
    [(validations,)] = query(work, "select count(*) from metrics where key = 'val/dice'")
    assert validations == 2


def test_ranks_start_from_equal_weights_and_share_each_batch(work, fitted):
    starts = [witnessed(work, "masks", rank, "start") for rank in (0, 1)]
    assert [len(start) for start in starts] == [1, 1]
    assert starts[0][0]["world_size"] == 2
    assert starts[0][0]["weights"] == starts[1][0]["weights"]
    first, second = ([step["cases"] for step in witnessed(work, "masks", rank, "step")] for rank in (0, 1))
    epoch = [case for pair in zip(first[:2], second[:2], strict=True) for part in pair for case in part]
    # seven training cases in two batches of four: a permutation, filled from its start
    assert len(set(epoch[:7])) == 7
    assert epoch[7] == epoch[0]
    assert [len(first), len(second)] == [4, 4]


def test_averaged_weights_are_evaluated_alike_on_all_ranks(work, fitted):
    first, second = (witnessed(work, "masks", rank, "validation") for rank in (0, 1))
    assert len(first) == 2
    assert [(one["scores"], one["rows"]) for one in first] == [(one["scores"], one["rows"]) for one in second]
    weights = [witnessed(work, "masks", rank, "batch")[-1]["weights"] for rank in (0, 1)]
    assert weights[0] == weights[1]
    last = torch.load(fitted / "checkpoints/last.ckpt", weights_only=True)
    average, current = (
        [value.flatten().tolist() for value in last[key].values()] for key in ("state_dict", "current_model_state")
    )
    by_length = sorted(weights[0], key=lambda values: (len(values), values))
    assert by_length == sorted(average, key=lambda values: (len(values), values))
    assert by_length != sorted(current, key=lambda values: (len(values), values))


def trains(work, run_name, *arguments, ranks=2):
    """A fit that goes on for long, with a checkpoint already written."""
    command = Command(work, "fit", "--config", "ends.yaml", "--run", run_name, *SLOW, *arguments, *on(ranks))
    last = work / "runs/ends" / run_name / "checkpoints/last.ckpt"
    until(lambda: last.exists() or command.process.poll() is not None, START_S, lambda: command.text)
    assert last.exists(), command.text
    return command


@pytest.fixture(scope="module")
def validated(work, fitted):
    """The next command after the main process of another run was killed: `validate` on three ranks."""
    command = trains(work, "gone", "--data.init_args.loading.workers", 1)
    command.process.kill()
    command.wait(10.0)
    assert state(work, "ends", "gone")["status"] == "RUNNING"
    run(work, "validate", "--config", "masks.yaml", "--ckpt_path", fitted / "checkpoints/last.ckpt", *on(3))


def test_validate_with_fewer_batches_than_ranks_repeats_the_fits_table(work, fitted, validated):
    table = (fitted / "cases/val.csv").read_bytes()
    assert table == (work / "fit-val.csv").read_bytes()
    assert len(table.splitlines()) > 3
    batches = [len(witnessed(work, "masks", rank, "batch")) for rank in (0, 1, 2)]
    cases = [[one["cases"] for one in witnessed(work, "masks", rank, "batch")][-1] for rank in (0, 1, 2)]
    assert batches[2] == 1
    assert cases[2] == []


def test_a_run_whose_main_process_was_killed_is_marked_by_the_next_command(work, validated):
    assert state(work, "ends", "gone")["status"] == "KILLED"
    assert ended_as(work, "gone") == ("KILLED", "its process ended without a word (kill, lost machine or power)")


def tables(work, name, checkpoint, numbers, *arguments):
    """The table and the scores that these numbers of ranks give."""
    found = []
    for ranks in numbers:
        run(work, "test", "--config", f"{name}.yaml", "--ckpt_path", checkpoint, *arguments, *on(ranks))
        table = checkpoint.parents[1] / "cases/test.csv"
        events = [witnessed(work, name, rank, "test")[-1] for rank in range(ranks)]
        assert [event["scores"] for event in events] == [events[0]["scores"]] * ranks
        found.append((table.read_bytes(), events[0]["scores"]))
        table.unlink()
    return found


def test_masks_score_the_same_on_one_two_and_three_ranks(work, fitted):
    smaller = ("--data.init_args.loading.eval_batch_size", 2)
    one, two, three = tables(work, "masks", fitted / "checkpoints/best.ckpt", (1, 2, 3), *smaller)
    assert len(one[0].splitlines()) == 1 + 7  # seven cases: neither two nor three divides them
    assert one == two == three
    assert {"dice", "dice/ci_low", "loss"} <= set(one[1])
    assert state(work, "masks", "one")["status"] == "FINISHED"


def test_labels_score_the_same_in_one_batch_on_one_and_three_ranks(work):
    limits = ("--trainer.limit_train_batches", 2, "--trainer.limit_val_batches", 1)
    unmoved = ("--model.init_args.optimizer.init_args.lr", 0.0, "--early_stopping", 1, "--trainer.max_epochs", 9)
    run(work, "fit", "--config", "labels.yaml", "--run", "early", *limits, *unmoved, *on(2))
    assert [len(witnessed(work, "labels", rank, "validation")) for rank in (0, 1)] == [2, 2]
    assert [len(witnessed(work, "labels", rank, "step")) for rank in (0, 1)] == [4, 4]
    one, three = tables(work, "labels", work / "runs/labels/early/checkpoints/best.ckpt", (1, 3))
    assert len(one[0].splitlines()) > 4
    assert one == three
    assert {"auroc", "accuracy"} <= set(one[1])


def test_one_and_two_ranks_take_the_same_steps(work):
    accumulate = (
        '[{"class_path": "lightning.pytorch.callbacks.GradientAccumulationScheduler",'
        ' "init_args": {"scheduling": {"4": 2}}}]'
    )
    weights = []
    for ranks in (1, 2):
        arguments = ("--run", f"ranks{ranks}", "--trainer.max_epochs", 8, "--trainer.callbacks", accumulate)
        run(work, "fit", "--config", "steps.yaml", *arguments, *on(ranks))
        last = torch.load(work / f"runs/steps/ranks{ranks}/checkpoints/last.ckpt", weights_only=True)
        assert last["global_step"] >= 10
        kept = {key: value for key, value in last["state_dict"].items() if "seen" not in key}
        weights.append((last["global_step"], kept))
    (steps_one, one), (steps_two, two) = weights
    assert steps_one == steps_two
    assert one.keys() == two.keys()
    apart = max(float((one[key] - two[key]).abs().max()) for key in one)
    assert apart < 1e-5


def test_a_batch_that_the_ranks_do_not_divide_ends_at_once(work):
    odd = ("--data.init_args.loading.batch_size", 5)
    command = Command(work, "fit", "--config", "ends.yaml", "--run", "odd", *odd, *on(2))
    assert command.wait() == 2
    [line] = command.text.strip().splitlines()
    assert line.startswith(
        "error: data.loading.batch_size: not divisible by the ranks, expected a multiple of 2, got 5."
    )
    assert not (work / "runs/ends/odd").exists()


NETWORK = "--model.init_args.network.init_args."
WORKERS = ("--data.init_args.loading.workers", 2)
HANGS = (f"{NETWORK}fail_rank", 1, f"{NETWORK}fail_step", 6, f"{NETWORK}hang", "true")


def steps_of(work, command):
    """How many steps the first rank has done."""
    return sum(step["pid"] == command.process.pid for step in witnessed(work, "ends", 0, "step"))


@pytest.mark.parametrize(
    ("how", "ranks", "arguments"),
    [
        ("ctrl-c", 2, WORKERS),  # a terminal signals the whole group
        ("sigint", 2, HANGS),  # the first rank waits in a collective for one that hangs
        ("sigterm", 2, ()),
        ("sigterm-to-all", 1, WORKERS),
    ],
)
def test_an_interrupted_run_is_killed_and_leaves_nobody_behind(work, how, ranks, arguments):
    command = trains(work, how, *arguments, ranks=ranks)
    workers = 2 * ranks if arguments == WORKERS else 0
    until(lambda: len(command.living()) >= ranks + workers, 30.0, lambda: str(command.living()))
    if arguments == HANGS:
        until(lambda: steps_of(work, command) == 5, 60.0, lambda: command.text)
        time.sleep(1.0)
    INTERRUPTIONS[how](command)
    status, reason = (143, "preempted (SIGTERM)") if "term" in how else (130, "interrupted (Ctrl-C)")
    # a rank that hangs is given 20 s, and MLflow has 10 s after that
    assert command.wait(60.0 if arguments == HANGS else 30.0) == status, command.text
    assert state(work, "ends", how)["status"] == "KILLED"
    assert ended_as(work, how) == ("KILLED", reason)
    assert "Traceback" not in command.text
    assert torch.load(work / f"runs/ends/{how}/checkpoints/last.ckpt", weights_only=True)["global_step"] > 0


@pytest.mark.parametrize("rank", [0, 1])
def test_an_exception_in_one_rank_fails_the_run(work, rank):
    name = f"raises{rank}"
    fails = (f"{NETWORK}fail_rank", rank, f"{NETWORK}fail_step", 6)
    command = Command(work, "fit", "--config", "ends.yaml", "--run", name, *SLOW, *fails, *on(2))
    assert command.wait() == 1
    assert f"made to fail on rank {rank}" in command.text
    status, reason = ended_as(work, name)
    assert status == state(work, "ends", name)["status"] == "FAILED"
    assert f"made to fail on rank {rank}" in reason
    assert (f"rank 1 on {HOST} failed (in the forward pass" in reason) == (rank == 1)


def test_a_killed_rank_fails_the_run(work):
    command = trains(work, "lost")
    command.rank(1).send_signal(signal.SIGKILL)
    assert command.wait(60.0) == 1
    assert ended_as(work, "lost") == ("FAILED", f"rank 1 on {HOST} was ended by signal 9 (Killed)")
    assert "Traceback" not in command.text
