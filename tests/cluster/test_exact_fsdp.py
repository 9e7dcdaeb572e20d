"""FSDP on two gloo ranks against DDP on the same ranks: weights, checkpoints, resuming, evaluation, memory."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("fsdp_ranks.py")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """All scenarios of fsdp_ranks.py, from one start of the two ranks."""
    folder = tmp_path_factory.mktemp("fsdp")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), str(port)],
        env=os.environ | {"PYTHONPATH": str(SCRIPT.parents[2]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def saved(folder, name, which="last"):
    return torch.load(folder / f"{name}-{which}.ckpt", weights_only=True)


def seen(folder, name, rank=0):
    return torch.load(folder / f"{name}-{rank}.pt", weights_only=True)


def apart(first, second):
    assert list(first) == list(second)
    return max(float((first[name].double() - second[name].double()).abs().max()) for name in first)


def momenta(checkpoint):
    return {key: value["momentum_buffer"] for key, value in checkpoint["optimizer_states"][0]["state"].items()}


@pytest.mark.parametrize("name", ["fsdp", "named", "fsdp-after-fsdp", "fsdp-after-ddp", "ddp-after-fsdp"])
@pytest.mark.parametrize("which", ["best", "last"])
def test_trains_as_ddp_does_and_saves_what_ddp_saves(found, name, which):
    ddp, fsdp = saved(found, "ddp", which), saved(found, name, which)
    assert list(ddp) == list(fsdp)
    assert apart(ddp["state_dict"], fsdp["state_dict"]) < 1e-6
    assert ddp["optimizer_states"][0]["param_groups"] == fsdp["optimizer_states"][0]["param_groups"]
    assert apart(momenta(ddp), momenta(fsdp)) < 1e-6
    assert apart(ddp["state_dict"], saved(found, "ddp", "middle")["state_dict"]) > 1e-3  # there was something to learn


def test_a_run_that_goes_on_ends_as_the_undisturbed_one_to_the_last_bit(found):
    undisturbed, resumed = saved(found, "fsdp"), saved(found, "fsdp-after-fsdp")
    assert apart(undisturbed["state_dict"], resumed["state_dict"]) == 0
    assert apart(momenta(undisturbed), momenta(resumed)) == 0


def test_evaluates_whole_and_alike_with_different_numbers_of_batches(found):
    first, second = seen(found, "fsdp"), seen(found, "fsdp", 1)
    assert [len(first["seen"]), len(second["seen"])] == [2 * 3, 2 * 1]
    assert set(first["kinds"]) == {"Net"}  # no hook of FSDP's is in the way
    # both ranks begin with the same batch
    assert torch.equal(first["seen"][0], second["seen"][0])
    assert torch.equal(first["seen"][3], second["seen"][1])
    assert not torch.equal(first["seen"][0], first["seen"][3])
    for ours, theirs in zip(first["seen"], seen(found, "ddp")["seen"], strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_what_is_evaluated_is_what_is_saved(found):
    """The task has the whole network after training, too."""
    weights = seen(found, "fsdp")["weights"]
    named = {f"network.{key}": value for key, value in weights.items()}
    assert apart(named, saved(found, "fsdp")["state_dict"]) == 0
    assert apart(named, saved(found, "fsdp", "best")["state_dict"]) == 0
    assert apart(weights, seen(found, "fsdp", 1)["weights"]) == 0


def test_a_step_that_overflows_on_one_rank_is_left_out_on_both(found):
    ddp, fsdp = saved(found, "half-ddp"), saved(found, "half-fsdp")
    assert ddp["MixedPrecision"] == fsdp["MixedPrecision"]
    assert fsdp["MixedPrecision"]["scale"] < 65536  # torch's first scale was halved
    assert apart(ddp["state_dict"], fsdp["state_dict"]) < 1e-3
    assert all(torch.isfinite(value).all() for value in fsdp["state_dict"].values())


def test_gradients_of_several_batches_are_summed_up(found):
    ddp, fsdp = saved(found, "accumulated-ddp"), saved(found, "accumulated-fsdp")
    assert ddp["global_step"] == fsdp["global_step"] == 2
    assert apart(ddp["state_dict"], fsdp["state_dict"]) < 1e-6


def test_a_rank_holds_its_share_and_checkpointed_parts_change_nothing(found):
    for rank in (0, 1):
        spread = seen(found, "spread", rank)
        weights, state = spread["held"][0::2], spread["held"][1::2]
        assert max(weights) < 0.51 * spread["whole"]
        assert state[0] == 0
        assert state[-1] == weights[-1]
    assert max(seen(found, "spread")["apart"].values()) < 1e-6


def test_what_it_cannot_do_is_refused_in_words(found):
    [averaged, uncalled] = seen(found, "refused")["texts"]
    assert averaged[0] == "ConfigError"
    assert "ExactFSDP keeps no averaged weights, expected none, got WeightAveraging" in averaged[1]
    assert "used without being called" in uncalled[1]
    assert "trainer.strategy.init_args.units" in uncalled[1]
