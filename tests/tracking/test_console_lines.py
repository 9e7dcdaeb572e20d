"""A log that nobody sits in front of."""

import re

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import RandomDataset
from torch.utils.data import DataLoader

from lit_medseg.tracking.console_lines import ConsoleLines, clock


class Scored(LightningModule):
    """Scores 0.1, 0.4, 0.3, ... in its validations."""

    def __init__(self):
        super().__init__()
        self.network = torch.nn.Linear(4, 1)
        self.scores = iter((0.1, 0.4, 0.3, 0.2))

    def training_step(self, batch, batch_idx):
        return self.network(batch).mean()

    def validation_step(self, batch, batch_idx):
        pass

    def on_validation_epoch_end(self):
        self.log_dict({"val/loss": 0.5, "val/dice": next(self.scores), "val/dice/organ": 0.9})

    def on_train_epoch_end(self):
        self.log("train/loss", 0.25)

    def test_step(self, batch, batch_idx):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture
def lines(tmp_path, capsys):
    """Runs a verb and gives what was printed."""

    def run(verb="fit", every_s=300.0, **options):
        keeper = ModelCheckpoint(tmp_path, monitor="val/dice", mode="max")
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "devices": 1}
        trainer = Trainer(accelerator="cpu", callbacks=[ConsoleLines(every_s), keeper], **quiet, **options)
        images = DataLoader(RandomDataset(4, 4))
        capsys.readouterr()
        getattr(trainer, verb)(Scored(), *((images, images) if verb == "fit" else (images,)))
        return [line for line in capsys.readouterr().err.splitlines() if re.match("epoch|test|val", line)]

    return run


def without_times(line):
    return re.sub(r"[\d.:]+ (s|min|h)\b", "TIME", line)


def test_a_line_an_epoch_with_what_chooses_the_best(lines):
    assert [without_times(line) for line in lines(max_epochs=3, num_sanity_val_steps=0)] == [
        "epoch 1/3  step 4  train/loss 0.2500  val/loss 0.5000  val/dice 0.1000 (best)  "
        "TIME, validation TIME of it  TIME left",
        "epoch 2/3  step 8  train/loss 0.2500  val/loss 0.5000  val/dice 0.4000 (best)  "
        "TIME, validation TIME of it  TIME left",
        "epoch 3/3  step 12  train/loss 0.2500  val/loss 0.5000  val/dice 0.3000 (best 0.4000)  "
        "TIME, validation TIME of it",
    ]


def test_an_epoch_without_validation_repeats_no_old_score(lines):
    found = lines(max_epochs=2, check_val_every_n_epoch=2, num_sanity_val_steps=0)
    assert without_times(found[0]) == "epoch 1/2  step 4  train/loss 0.2500  TIME  TIME left"
    assert "val/dice 0.1000 (best)" in found[1]


def test_a_validation_within_an_epoch_has_its_own_line(lines):
    found = [without_times(line) for line in lines(max_epochs=1, val_check_interval=2, num_sanity_val_steps=0)]
    assert found[0] == "epoch 1/1  batch 2/4  step 2  val/loss 0.5000  val/dice 0.1000  TIME left"
    assert found[1].startswith("epoch 1/1  step 4  train/loss 0.2500  val/loss 0.5000  val/dice 0.4000 (best)")
    assert len(found) == 2


def test_a_long_epoch_is_not_silent(lines):
    found = [without_times(line) for line in lines(max_epochs=1, every_s=0.0, num_sanity_val_steps=0)]
    assert re.fullmatch(r"epoch 1/1  batch 1/4  step 1  loss -?\d+\.\d{4}  TIME left", found[0])
    assert "epoch 1/1  validation batch 4/4" in found
    assert lines("test", every_s=0.0) == [f"test batch {number}/4" for number in (1, 2, 3, 4)]
    assert lines("test") == []


def test_times_for_people():
    assert [clock(seconds) for seconds in (0.04, 59.9, 60.0, 187, 45_000.4)] == [
        "0.0 s", "59.9 s", "1:00 min", "3:07 min", "12:30:00 h"
    ]  # fmt: skip
