"""Weights of an earlier run as the start of another."""

import logging
from pathlib import Path

from torch import nn

from lit_medseg.cluster.read_checkpoint import read_checkpoint
from lit_medseg.errors import CheckpointError

_LOG = logging.getLogger(__name__)


def load_start_weights(network: nn.Module, path: str) -> list[str]:
    """Copy what fits from the network of a checkpoint of ours.

    Entries with another shape (a head for other classes) or of another name keep their fresh values.

    Args:
        network: Changed in place.
        path: A checkpoint that `fit` wrote.

    Returns:
        The names of the entries that were left fresh.

    Raises:
        CheckpointError: No such file, no checkpoint of ours, or nothing in it fits.
    """
    saved = read_checkpoint(Path(path))["state_dict"]
    prefix = "network."
    saved = {name.removeprefix(prefix): value for name, value in saved.items() if name.startswith(prefix)}
    own = network.state_dict()
    fitting = {name: value for name, value in saved.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        expected, got = (
            next((f"{name} {tuple(value.shape)}" for name, value in some.items()), "none") for some in (own, saved)
        )
        raise CheckpointError(
            f"start_from: nothing in {path} fits the network, expected entries such as {expected}, got {got}. "
            "Use the network of that checkpoint."
        )
    network.load_state_dict(fitting, strict=False)
    fresh = [name for name in own if name not in fitting]
    _LOG.info("start_from: %d of %d entries taken, fresh: %s", len(fitting), len(own), fresh[:10])
    return fresh
