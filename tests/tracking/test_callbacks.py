"""All callbacks in a real Lightning fit and test, with a real store."""

import time
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader

from lit_medseg.imaging.volume import flat_volume
from lit_medseg.metrics.case_table import read_case_table
from lit_medseg.metrics.evaluation import Evaluation
from lit_medseg.target import MultiClass
from lit_medseg.tracking.attach import begin_run
from lit_medseg.tracking.case_tables import CaseTables
from lit_medseg.tracking.checkpoint_artifact import CheckpointArtifact
from lit_medseg.tracking.curves import Curves
from lit_medseg.tracking.overlay import Overlay
from lit_medseg.tracking.run_folder import create_run_folder
from lit_medseg.tracking.store import open_store
from lit_medseg.tracking.system_metrics import SystemMetrics
from lit_medseg.tracking.throughput import Throughput
from lit_medseg.tracking.wrong_cases import WrongCases

WAIT_S = 0.05
NAMES = ("background", "organ", "lesion")
IDS = tuple(f"site A/case {number}" for number in range(8))


class Cases(LightningDataModule):
    """Eight cases of 40 x 60, in batches of two; a training batch takes 50 ms to come."""

    split = SimpleNamespace(val=IDS)

    def native_image(self, case_id):
        return flat_volume(np.full((1, 40, 60), 20 * IDS.index(case_id) + 20, np.uint8))

    def _batch(self, numbers):
        reference = torch.zeros(len(numbers), 40, 60, dtype=torch.int64)
        reference[:, 10:30, 10:40] = 1
        reference[:, 15:20, 15:25] = 2
        return {
            "image": torch.ones(len(numbers), 1),
            "case_id": [IDS[n] for n in numbers],
            "reference": list(reference),
        }

    def _slow(self, numbers):
        time.sleep(WAIT_S)
        return self._batch(numbers)

    def train_dataloader(self):
        return DataLoader(range(8), batch_size=2, collate_fn=self._slow)

    def val_dataloader(self):
        return DataLoader(range(8), batch_size=2, collate_fn=self._batch)

    test_dataloader = val_dataloader


class Segmenter(LightningModule):
    target = MultiClass(NAMES)

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(self.layer.weight, 1.0)
        self.evaluation = None

    def training_step(self, batch, index):
        return 3 * self.layer(batch["image"]).mean()

    def _evaluate(self, batch):
        prediction, rows = [], []
        for case_id, reference in zip(batch["case_id"], batch["reference"], strict=True):
            shift = 3 * IDS.index(case_id)
            prediction.append(torch.roll(reference, shift, 1))
            rows.append([{"case_id": case_id, "class": name, "dice": 1 - shift / 30} for name in NAMES[1:]])
        self.rows += [row for case in rows for row in case]
        return {"prediction": prediction, "rows": rows}

    def validation_step(self, batch, index):
        return self._evaluate(batch)

    test_step = validation_step

    def on_validation_epoch_start(self):
        self.rows = []

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_epoch_end(self):
        self.evaluation = Evaluation("val", pd.DataFrame(self.rows), {"dice": 0.5}, self.target)
        self.log("val/dice", 0.5)

    def on_test_epoch_end(self):
        self.evaluation = Evaluation("test", pd.DataFrame(self.rows), {"dice": 0.5}, self.target)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


@pytest.fixture
def logger(tmp_path, database):
    store = open_store(database, "a")
    return begin_run(create_run_folder(tmp_path / "runs", "a", "0" * 16), store, {}), store.client


def _trainer(logger, callbacks, epochs=3):
    return Trainer(
        logger=logger,
        callbacks=callbacks,
        max_epochs=epochs,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        enable_model_summary=False,
        log_every_n_steps=1,
    )


def _artifacts(client, run_id, folder=""):
    found = []
    for file in client.list_artifacts(run_id, folder or None):
        found += _artifacts(client, run_id, file.path) if file.is_dir else [file.path]
    return sorted(found)


def test_a_segmentation_is_fully_recorded(tmp_path, logger):
    logger, client = logger
    run_id, folder = logger.run_id, logger.folder.path
    keep = ModelCheckpoint(dirpath=folder / "checkpoints", filename="best", monitor="val/dice", mode="max")
    callbacks = [
        Overlay(cases=2, worst=3, every_n_epochs=2), CaseTables(), Curves(), CheckpointArtifact(), keep,
        Throughput(), SystemMetrics(interval_s=60), WrongCases(),
    ]  # fmt: skip
    trainer, module = _trainer(logger, callbacks), Segmenter()
    trainer.fit(module, datamodule=Cases())
    trainer.test(module, datamodule=Cases(), verbose=False)
    assert logger.close("FINISHED", timeout_s=30)
    names = ["site_A_case_0", "site_A_case_7"]
    found = _artifacts(client, run_id)
    for epoch in ("0002", "0003"):
        drawn = [path for path in found if path.startswith(f"overlays/val/epoch_{epoch}/")]
        assert [path.split("/")[-1].rsplit("-", 1)[0] for path in drawn] == names
    worst = [path.split("/")[-1].rsplit("-", 1)[0] for path in found if path.startswith("overlays/test/")]
    assert worst == ["01_site_A_case_7", "02_site_A_case_6", "03_site_A_case_5"]
    rest = [path for path in found if not path.startswith("overlays/")]
    assert rest == [
        "cases/test.csv", "cases/val.csv", "checkpoints/best.ckpt", "curves/test/dice.png", "curves/val/dice.png",
    ]  # fmt: skip
    assert len(read_case_table(folder / "cases/test.csv")) == 16
    metrics = client.get_run(run_id).data.metrics
    assert metrics["train/grad_norm"] == metrics["train/grad_norm_max"] == pytest.approx(3.0)
    assert metrics["train/lr"] == 0.01
    assert metrics["system/cpu_utilization_percentage"] >= 0
    assert 0.8 < metrics["time/data_wait_share"] <= 1
    assert metrics["time/first_batch_s"] >= WAIT_S
    assert 4 * WAIT_S <= metrics["time/epoch_s"] < 20 * WAIT_S
    assert metrics["train/images_per_s"] == pytest.approx(8 / metrics["time/epoch_s"])
    assert len(client.get_metric_history(run_id, "train/images_per_s")) == 3


def test_overlay_shows_both_contours_where_they_are(tmp_path, logger):
    logger, _ = logger
    trainer = _trainer(logger, [Overlay(cases=2, worst=1)], epochs=1)
    trainer.fit(Segmenter(), datamodule=Cases())
    path = next((logger.folder.path / "overlays/val/epoch_0001").glob("*case_7*"))
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    # 60 pixels are enlarged five times, three panels with two gaps of six.
    assert picture.shape == (40 * 5 + 3 * 24, 3 * 300 + 12, 3)
    orange = (picture == (230, 159, 0)).all(axis=2)[48:248]
    assert not orange[:, :300].any(), "the image alone has no contour"
    assert orange[:, 306:606].any(axis=0).nonzero()[0][[0, -1]] == pytest.approx([50, 199], abs=2)
    # The organ's columns 10 to 39 were moved by 21 of 60: they are 31 to 59 and 0 now.
    edges = orange[130, 612:].nonzero()[0]
    assert ((edges >= 153) | (edges <= 5)).all()
    assert edges[edges > 5][0] == pytest.approx(155, abs=2)
    logger.close("FINISHED")


def test_epochs_without_logger_or_source_pass(tmp_path):
    callbacks = [Overlay(), CaseTables(), Curves(), CheckpointArtifact(), Throughput(), SystemMetrics(), WrongCases()]
    trainer, data = _trainer(False, callbacks, epochs=1), Cases()
    trainer.fit(Segmenter(), data.train_dataloader(), data.val_dataloader())
    assert not any(tmp_path.rglob("*.png"))
