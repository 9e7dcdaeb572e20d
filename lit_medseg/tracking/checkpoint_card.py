"""What a checkpoint says about itself, beside the weights."""

from pathlib import Path
from typing import Any, override

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_medseg.errors import CheckpointError

KEY = "lit_medseg"


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


def read_card(path: Path) -> dict[str, Any]:
    """Read the card of a checkpoint.

    Args:
        path: A file that `fit` wrote.

    Returns:
        The card: `task`, `target`, `data`, `config` and `run`.

    Raises:
        CheckpointError: No such file, or no checkpoint of lit_medseg.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint, expected a file, got nothing. Mend --ckpt_path, or run fit first.")
    try:
        # mapped and not read: the weights are loaded later, once, by the trainer
        card = torch.load(path, map_location="cpu", weights_only=True, mmap=True)[KEY]
    except (RuntimeError, KeyError, EOFError, ValueError, OSError, TypeError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path}: not a checkpoint of lit_medseg, expected one that fit wrote, got: {text}. Mend --ckpt_path.") from error
    return dict(card)
