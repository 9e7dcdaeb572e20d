"""What every rank alone knows: its random streams, and its part of a task's sums."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from lightning.pytorch import LightningModule

from lit_medseg.cluster.random_streams import random_streams


@runtime_checkable
class HasRankState(Protocol):
    """A module with a state that differs from rank to rank."""

    def rank_state(self) -> dict[str, Any]:
        """Give what this rank alone knows: plain data and CPU tensors."""

    def load_rank_state(self, states: Sequence[dict[str, Any]], rank: int) -> None:
        """Take over what the ranks of an earlier attempt, perhaps another number of them, knew."""


def rank_state(module: LightningModule) -> dict[str, Any]:
    """Collect the state of this rank, for a checkpoint."""
    streams = random_streams()
    return {"streams": streams, "module": module.rank_state() if isinstance(module, HasRankState) else None}


def load_rank_states(module: LightningModule, ranks: Sequence[dict[str, Any]], rank: int) -> None:
    """Give the module back what the ranks' checkpoint has of it; the streams are set later, before the first batch."""
    states = [state["module"] for state in ranks]
    if isinstance(module, HasRankState) and None not in states:
        module.load_rank_state(states, rank)
