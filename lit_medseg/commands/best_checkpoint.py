"""The best checkpoint of a run, wherever its folder is moved to."""

import warnings
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from typing_extensions import override

from lit_medseg.commands.find_checkpoint import BEST


class BestCheckpoint(ModelCheckpoint):
    """Keeps the checkpoint of the best validation as `best.ckpt`; without a metric, that of the last epoch.

    Lightning's own forgets its best score where a checkpoint comes from another folder, and has absolute paths in it.
    """

    def __init__(self, folder: Path, monitor: str | None) -> None:
        """Set up.

        Args:
            folder: The run's `checkpoints` folder.
            monitor: The metric, larger is better; None without validation.
        """
        super().__init__(
            dirpath=folder,
            filename=BEST.removesuffix(".ckpt"),
            monitor=monitor,
            mode="max",
            enable_version_counter=False,
            auto_insert_metric_name=False,
        )

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        with warnings.catch_warnings():
            # the folder of a run that goes on is not empty
            warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
            super().setup(trainer, pl_module, stage)

    @override
    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        names = {key: Path(state[key]).name for key in ("best_model_path", "kth_best_model_path") if state[key]}
        models = {Path(path).name: score for path, score in state["best_k_models"].items()}
        return {**state, **names, "best_k_models": models, "dirpath": "", "last_model_path": ""}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        folder = Path(str(self.dirpath))
        names = ("best_model_path", "kth_best_model_path")
        paths = {key: str(folder / state_dict[key]) for key in names if state_dict.get(key)}
        models = {str(folder / name): score for name, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **paths, "best_k_models": models, "dirpath": self.dirpath})
