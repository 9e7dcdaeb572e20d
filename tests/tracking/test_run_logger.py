import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from lit_medseg.tracking.attach import add_to_run, begin_run, continue_run
from lit_medseg.tracking.run_folder import create_run_folder
from lit_medseg.tracking.run_logger import RunLogger
from lit_medseg.tracking.store import open_store


def _begin(tmp_path, database):
    store = open_store(database, "a")
    folder = create_run_folder(tmp_path / "runs", "a", "0" * 16)
    return begin_run(folder, store, {"data_hash": "1"}), store, folder


def _steps(store, run_id, key):
    return [(metric.step, metric.value) for metric in store.client.get_metric_history(run_id, key)]


class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, index):
        loss = self.layer(batch).square().mean()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, index):
        self.log("val/dice/T1+", 0.5)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def test_a_lightning_fit_is_recorded(tmp_path, database):
    logger, store, folder = _begin(tmp_path, database)
    logger.log_hyperparams({"optimizer": {"lr": 0.1, "betas": [0.9, 0.99]}, "callbacks": [{"n": 1}, {"n": 2}]})
    data = DataLoader(torch.ones(6, 1), batch_size=2)
    trainer = Trainer(
        logger=logger,
        max_epochs=2,
        log_every_n_steps=1,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    trainer.fit(Line(), data, data)
    assert trainer.log_dir == str(folder.path)
    assert logger.outcome == "FINISHED"
    assert folder.read().status == "RUNNING"
    run_id = logger.run_id
    assert logger.close("FINISHED")
    run = store.client.get_run(run_id)
    assert run.info.status == folder.read().status == "FINISHED"
    assert run.data.params == {
        "optimizer/lr": "0.1",
        "optimizer/betas": "[0.9, 0.99]",
        "callbacks/0/n": "1",
        "callbacks/1/n": "2",
    }
    assert [step for step, _ in _steps(store, run_id, "train/loss")] == list(range(6))
    assert [step for step, _ in _steps(store, run_id, "epoch")] == list(range(6))
    assert sum(key.startswith("val/dice/T1_-") for key in run.data.metrics) == 1
    assert (run.data.tags["data_hash"], run.info.run_name) == ("1", folder.name)


def test_an_exception_and_ctrl_c_are_told_apart_by_the_command(tmp_path, database):
    logger, store, folder = _begin(tmp_path, database)
    logger.finalize("failed")
    assert logger.outcome == "FAILED"
    run_id = logger.run_id
    logger.close("KILLED", "Ctrl-C")
    run = store.client.get_run(run_id)
    assert (run.info.status, run.data.tags["end_reason"]) == ("KILLED", "Ctrl-C")
    assert (folder.read().status, folder.read().reason) == ("KILLED", "Ctrl-C")


def test_a_parameter_is_recorded_once_and_a_changed_one_becomes_a_tag(tmp_path, database):
    logger, store, _ = _begin(tmp_path, database)
    logger.log_hyperparams({"lr": 0.1, "text": "x" * 7000})
    logger.log_hyperparams({"lr": 0.1, "text": "x" * 7000, "more": None})
    logger.log_hyperparams({"lr": 0.2})
    run_id = logger.run_id
    assert logger.close("FINISHED")
    run = store.client.get_run(run_id)
    assert run.data.params == {"lr": "0.1", "text": "x" * 6000, "more": "None"}
    assert run.data.tags["changed/lr"] == "0.2"
    assert not (tmp_path / "runs/a/00000000-1/refused.jsonl").exists()


def test_a_resumed_run_is_running_again_and_repeats_no_step(tmp_path, database):
    logger, store, folder = _begin(tmp_path, database)
    for step in range(10):
        logger.log_metrics({"loss": step}, step)
    run_id = logger.run_id
    logger.close("KILLED", "preempted")
    again = continue_run(folder, store.client)
    assert again.run_id == run_id
    assert again.next_step("loss") == 10
    for step in range(7, 13):
        again.log_metrics({"loss": step, "new": step}, step)
    again.queue.flush(20)
    assert store.client.get_run(run_id).info.status == folder.read().status == "RUNNING"
    again.close("FINISHED")
    assert _steps(store, run_id, "loss") == [(step, step) for step in range(13)]
    assert _steps(store, run_id, "new") == [(step, step) for step in range(7, 13)]
    assert store.client.get_run(run_id).info.status == "FINISHED"


def test_a_later_test_adds_scores_and_leaves_the_status(tmp_path, database):
    logger, store, folder = _begin(tmp_path, database)
    logger.log_metrics({"test/dice": 0.5}, 10)
    run_id = logger.run_id
    logger.close("FAILED", "boom")
    for value in (0.5, 0.6):
        later = add_to_run(folder, store)
        later.log_metrics({"test/dice": value}, 10)
        later.close(None)
    assert _steps(store, run_id, "test/dice") == [(10, 0.5), (10, 0.6)]
    assert store.client.get_run(run_id).info.status == folder.read().status == "FAILED"


def test_other_ranks_do_nothing(tmp_path):
    folder = create_run_folder(tmp_path, "a", "0" * 16)
    logger = RunLogger(folder, None)
    logger.log_metrics({"a": 1.0}, 1)
    logger.log_hyperparams({"a": 1})
    logger.finalize("success")
    assert logger.close("FINISHED")
    assert logger.experiment is None
    assert folder.read().status == "RUNNING"
    assert (logger.name, logger.version) == ("a", folder.name)
