"""Run by test_exact_fsdp: trains on two gloo ranks, with DDP and with FSDP, and lets each rank write what it saw.

Call: fsdp_ranks.py FOLDER PORT. One interpreter imports torch once and forks the ranks.
"""

import copy
import logging
import multiprocessing
import multiprocessing.connection
import os
import sys
import warnings
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import nn
from torch.utils.data import DataLoader

from lit_medseg.cluster.exact_ddp import ExactDDP
from lit_medseg.cluster.exact_fsdp import ExactFSDP
from lit_medseg.networks.gradient_checkpointing import checkpoint_parts

STEPS = 3
QUIET = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)


class Block(nn.Module):
    """Ends with an instance norm, whose output is a view."""

    def __init__(self, width):
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.Tanh())
        self.norm = nn.InstanceNorm2d(width, affine=True)

    def forward(self, image):
        return self.norm(self.inner(image))


class Decoder(nn.Module):
    """Holds the encoder, as nnU-Net's does: its weights have two names."""

    def __init__(self, encoder, width):
        super().__init__()
        self.encoder = encoder
        self.block = Block(width)
        self.head = nn.Conv2d(width, 3, 1)

    def forward(self, features):
        return self.head(self.block(features))


class Encoder(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width))
        self.stages = nn.ModuleList(Block(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, image):
        features = self.stem(image)
        for stage in self.stages:
            new = stage(features)
            new += features  # in place, on what a unit gave
            features = self.dropout(torch.tanh_(new))
        return features


class Net(nn.Module):
    def __init__(self, width=5, dropout=0.0):
        super().__init__()
        torch.manual_seed(int(os.environ.get("LOCAL_RANK", "0")))  # only the strategy makes the ranks equal
        self.encoder = Encoder(width, dropout)
        self.decoder = Decoder(self.encoder, width)
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def forward(self, image):
        return self.decoder(self.encoder(image))


class Uncalled(nn.Module):
    """Uses a part's weights without calling it."""

    def __init__(self):
        super().__init__()
        self.part = nn.Sequential(nn.Conv2d(1, 3, 1))

    def forward(self, image):
        return nn.functional.conv2d(image, self.part[0].weight)


class Trained(pl.LightningModule):
    def __init__(self, network, make=lambda parts: torch.optim.SGD(parts, lr=0.1, momentum=0.9), poison=None):
        super().__init__()
        self.network, self.make, self.poison = network, make, poison
        self.seen, self.kinds = [], []

    def training_step(self, batch, batch_idx):
        loss = self.network(batch).float().square().mean()
        return loss * float("inf") if (self.global_rank, batch_idx) == self.poison else loss

    def validation_step(self, batch, batch_idx):
        self.kinds.append(type(self.network).__name__)
        self.seen.append(self.network(batch))

    def configure_optimizers(self):
        return self.make(self.network.parameters())


class Saves(pl.Callback):
    """Saves in the middle of training, and where the best checkpoint is saved."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == 0:
            trainer.save_checkpoint(self.folder / f"{self.name}-middle.ckpt")

    def on_validation_end(self, trainer, pl_module):
        trainer.save_checkpoint(self.folder / f"{self.name}-best.ckpt")

    def on_train_end(self, trainer, pl_module):
        trainer.save_checkpoint(self.folder / f"{self.name}-last.ckpt")


def batches(rank, count=STEPS, size=2):
    made = [torch.randn(size, 1, 6, 6, generator=torch.Generator().manual_seed(10 * n + rank)) for n in range(count)]
    return DataLoader(made, batch_size=None)


def fit(folder, name, module, strategy, ckpt_path=None, **values):
    rank = int(os.environ["LOCAL_RANK"])
    trainer = pl.Trainer(
        **{
            "accelerator": "cpu",
            "devices": 2,
            "plugins": [LightningEnvironment()],
            "strategy": strategy,
            "max_epochs": 2,
            "use_distributed_sampler": False,
            "num_sanity_val_steps": 0,
            "callbacks": [Saves(folder, name)],
            "default_root_dir": folder,
            **QUIET,
            **values,
        }
    )
    # one rank has more to evaluate than the other: a collective within it would hang
    val = batches(7, count=3 - 2 * rank)
    trainer.fit(module, batches(rank), val, ckpt_path=ckpt_path, weights_only=True)
    return trainer


def plain(strategy):
    def compare(folder, name, **values):
        module = Trained(Net())
        fit(folder, name, module, strategy(), gradient_clip_val=0.05, **values)
        weights = {key: value.clone() for key, value in module.network.state_dict().items()}
        return {"weights": weights, "seen": module.seen, "kinds": module.kinds}

    return compare


def resumed(strategy, of):
    def go_on(folder, name):
        module = Trained(Net())
        fit(folder, name, module, strategy(), folder / f"{of}-middle.ckpt", gradient_clip_val=0.05)
        return {}

    return go_on


def unusual(strategy, half):
    def train(folder, name):
        # in half precision one rank overflows once: both have to leave the step out
        module = Trained(Net(), poison=(1, 1) if half else None)
        # Lightning knows no float16 on CPUs, torch does
        values = {"plugins": [MixedPrecision("16-mixed", "cpu")]} if half else {"accumulate_grad_batches": STEPS}
        fit(folder, name, module, strategy(), **values)
        return {}

    return train


def spread(folder, name):
    """How much a rank holds while it trains, and what it trains with checkpointed parts."""
    network = Net(width=8, dropout=0.3)
    checkpoint_parts(network, ["encoder.stages.*", "decoder.block"])
    module = Trained(copy.deepcopy(network))
    held = []

    class Held(pl.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            state = trainer.optimizers[0].state
            held.append(sum(parameter.to_local().numel() for parameter in pl_module.network.parameters()))
            held.append(sum(value["momentum_buffer"].to_local().numel() for value in state.values()))

    torch.manual_seed(5)
    fit(folder, name, module, ExactFSDP(least_parameters=100), callbacks=[Held()], limit_val_batches=0)
    reference = Trained(Net(width=8, dropout=0.3))
    torch.manual_seed(5)
    fit(folder, f"{name}-reference", reference, ExactDDP(), limit_val_batches=0)
    found = {
        key: (value - reference.network.state_dict()[key]).abs().max()
        for key, value in module.network.state_dict().items()
        if value.is_floating_point()
    }
    return {"held": held, "whole": sum(p.numel() for p in reference.network.parameters()), "apart": found}


def refused(folder, name):
    texts = []
    for network, values in ((Net(), {"callbacks": [WeightAveraging()]}), (Uncalled(), {})):
        try:
            fit(folder, name, Trained(network), ExactFSDP(units=["part"] if values == {} else None), **values)
        except Exception as error:
            texts.append((type(error).__name__, str(error)))
    return {"texts": texts}


def small():
    return ExactFSDP(least_parameters=100)


SCENARIOS = {
    "ddp": plain(ExactDDP),
    "fsdp": plain(small),
    "named": plain(lambda: ExactFSDP(units=["encoder.stages.*"], reshard_after_forward=False)),
    "fsdp-after-fsdp": resumed(small, "fsdp"),
    "fsdp-after-ddp": resumed(small, "ddp"),
    "ddp-after-fsdp": resumed(ExactDDP, "fsdp"),
    "half-ddp": unusual(ExactDDP, half=True),
    "half-fsdp": unusual(small, half=True),
    "accumulated-ddp": unusual(ExactDDP, half=False),
    "accumulated-fsdp": unusual(small, half=False),
    "spread": spread,
    "refused": refused,
}


def main(rank, folder, port):
    os.environ |= {"LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("error")
    texts = (".*does not have many workers", "The number of training batches", ".*LeafSpec", "Total length of")
    for text in (*texts, "The `srun` command is available"):
        warnings.filterwarnings("ignore", message=text)
    for name, scenario in SCENARIOS.items():
        torch.save(scenario(folder, name), folder / f"{name}-{rank}.pt")


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    ranks = [context.Process(target=main, args=(rank, Path(sys.argv[1]), sys.argv[2])) for rank in (0, 1)]
    for process in ranks:
        process.start()
    multiprocessing.connection.wait([process.sentinel for process in ranks])
    for process in ranks:
        process.join(0 if any(one.exitcode for one in ranks) else None)  # the other one would wait for it
        process.kill()
    sys.exit(max(abs(process.exitcode or 0) for process in ranks))
