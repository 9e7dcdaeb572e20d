"""What a checkpoint says about itself, beside the weights."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from lit_medseg.cluster.atomic_checkpoint_io import AtomicCheckpointIO
from lit_medseg.cluster.read_checkpoint import read_checkpoint
from lit_medseg.errors import CheckpointError

KEY = "lit_medseg"
_PARTS = ("task", "data", "config")


class CheckpointCard(Callback):
    """Puts a card of plain data into every checkpoint: task, classes, fitted pipeline, resolved YAML, run.

    Args:
        card: JSON-able; the same for all checkpoints of a run.
    """

    def __init__(self, card: dict[str, Any]) -> None:
        self.card = card

    @override
    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[KEY] = self.card


def update_card(path: Path, parts: dict[str, Any]) -> None:
    """Put parts into the card of a checkpoint; the file is replaced as a whole.

    Args:
        path: A file that `fit` wrote.
        parts: Plain data by name; earlier ones of these names are replaced.

    Raises:
        CheckpointError: No such file, or no checkpoint of lit_medseg.
        OSError: It cannot be written.
    """
    card = read_card(path)
    content = read_checkpoint(path)
    content[KEY] = {**card, **parts}
    AtomicCheckpointIO().save_checkpoint(content, path)


def read_card(path: Path) -> dict[str, Any]:
    """Read the card of a checkpoint.

    Args:
        path: A file that `fit` wrote.

    Returns:
        The card: `task`, `target`, `data`, `config` and `run`.

    Raises:
        CheckpointError: No such file, or no checkpoint of lit_medseg.
    """
    content = read_checkpoint(path)
    if KEY not in content:
        raise CheckpointError(
            f"{path}: of another program, expected the key {KEY!r}, got {sorted(content)}. Use it as start_from."
        )
    card = content[KEY]
    missing = [name for name in _PARTS if not isinstance(card, dict) or name not in card]
    if missing:
        raise CheckpointError(
            f"{path}: its card is incomplete, expected {list(_PARTS)}, got none of {missing}. Use one that fit wrote."
        )
    return dict(card)
