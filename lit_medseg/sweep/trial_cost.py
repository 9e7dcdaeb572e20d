"""What a network costs: parameters, memory, time of a prediction. For searches that trade quality against them."""

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_medseg.tracking.find_logger import find_logger

_PARAMETERS, _MEMORY, _SECONDS = "cost/parameters", "cost/gpu_memory_mib", "cost/seconds_per_image"
_REPEATS = 5
_MOST_S = 10.0


def costs_on(device: str) -> tuple[str, ...]:
    """Name what is recorded on a kind of device, as torch calls it."""
    return (_PARAMETERS, _MEMORY, _SECONDS) if device == "cuda" else (_PARAMETERS, _SECONDS)


class TrialCost(Callback):
    """Records, on the first rank:

    - `cost/parameters`: parameters of the network, when training starts;
    - `cost/gpu_memory_mib`: the largest memory that tensors took on its GPU so far, after each epoch; none on a CPU;
    - `cost/seconds_per_image`: time to predict one image of the first validation batch, the fastest of a few tries
      (others compute on the same machine), when training ends.
    """  # noqa: D415

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the parameters."""
        network: Any = pl_module.network
        self._record(trainer, _PARAMETERS, float(sum(one.numel() for one in network.parameters())))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the memory."""
        if pl_module.device.type == "cuda":
            used = torch.cuda.max_memory_allocated(pl_module.device) / 2**20
            self._record(trainer, _MEMORY, used)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure a prediction."""
        if not trainer.is_global_zero or not trainer.val_dataloaders:
            return
        batch: Any = next((one for one in trainer.val_dataloaders if one["case_id"]), None)
        if batch is None:
            return
        images = batch["image"].to(pl_module.device)
        pl_module.eval()
        seconds = _fastest(pl_module, images) / len(images)
        pl_module.train()
        self._record(trainer, _SECONDS, seconds)

    @staticmethod
    def _record(trainer: Trainer, key: str, value: float) -> None:
        logger = find_logger(trainer)
        if logger is not None:
            # as Lightning counts an epoch's own metrics: the number of steps is the next epoch's first
            logger.log_metrics({key: value}, max(trainer.global_step - 1, 0))


def _fastest(module: Any, images: torch.Tensor) -> float:
    """Time a prediction a few times, or once where that takes long; the first try only warms up."""
    begin, best = time.perf_counter(), float("inf")
    with torch.inference_mode(), torch.autocast(images.device.type, enabled=False):
        for number in range(_REPEATS + 1):
            start = time.perf_counter()
            module.evaluation_logits(images)
            if images.device.type == "cuda":
                torch.cuda.synchronize(images.device)
            taken = time.perf_counter() - start
            best = min(best, taken) if number else taken
            if time.perf_counter() - begin > _MOST_S:
                break
    return best
