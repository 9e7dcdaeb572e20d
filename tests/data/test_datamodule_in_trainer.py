"""The data module in Lightning's Trainer."""

import lightning.pytorch as pl
import pytest
import torch

from lit_medseg.catalogue.folder_pairs import FolderPairs
from lit_medseg.catalogue.hold_out import HoldOut
from lit_medseg.data.loading import Loading
from lit_medseg.data.preparation import Preparation
from tests.data.fake_sets import segmentation, write_pairs

MIXED = ((32, 40), (50, 44))


class Network(pl.LightningModule):
    """Notes what it is given."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = {"train": [], "val": [], "test": [], "predict": []}

    def _note(self, stage, batch):
        self.seen[stage].append((self.current_epoch, batch["case_id"]))
        return (batch["image"].mean() * self.weight).square()

    def training_step(self, batch):
        return self._note("train", batch)

    def validation_step(self, batch):
        self._note("val", batch)

    def test_step(self, batch):
        self._note("test", batch)

    def predict_step(self, batch):
        assert not {"mask", "label", "reference"} & set(batch)
        return self._note("predict", batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def trainer(tmp_path, **values):
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return pl.Trainer(accelerator="cpu", default_root_dir=tmp_path, use_distributed_sampler=False, **quiet, **values)


# Lightning advises more workers.
@pytest.mark.filterwarnings("ignore:The '.*' does not have many workers:UserWarning")
class TestTrainer:
    def test_fit_and_test(self, tmp_path):
        module, network = segmentation(tmp_path), Network()
        trainer(tmp_path, max_epochs=2, log_every_n_steps=1).fit(network, module)
        epochs = [[case for at, cases in network.seen["train"] if at == epoch for case in cases] for epoch in (0, 1)]
        assert [set(cases) for cases in epochs] == [set(module.split.train)] * 2
        assert epochs[0] != epochs[1]
        trainer(tmp_path).test(network, module)
        assert sorted(case for _, cases in network.seen["test"] for case in cases) == list(module.split.test)

    def test_fast_dev_run_with_workers(self, tmp_path):
        module = segmentation(tmp_path, loading=Loading(batch_size=6, workers=1))
        trainer(tmp_path, fast_dev_run=True).fit(Network(), module)

    @pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero:UserWarning")
    def test_split_without_validation(self, tmp_path):
        module, network = segmentation(tmp_path, splitter=HoldOut(val=0.0, test=0.2)), Network()
        trainer(tmp_path, max_epochs=1, log_every_n_steps=1).fit(network, module)
        assert network.seen["val"] == []

    def test_predict_on_cases_without_truth(self, tmp_path):
        trained = segmentation(tmp_path)
        trained.prepare()
        write_pairs(tmp_path / "new", patients=3, grids=MIXED)
        source = FolderPairs(str(tmp_path / "new"), masks=None)
        module = type(trained)(
            source,
            preparation=Preparation(cache_dir=str(tmp_path / "cache")),
            loading=Loading(eval_batch_size=2, workers=0),
            predict_cases="all",
        )
        module.adopt(trained.plain())
        network = Network()
        trainer(tmp_path).predict(network, module)
        assert sorted(case for _, cases in network.seen["predict"] for case in cases) == [
            f"p{patient:02}_{number}" for patient in range(3) for number in range(2)
        ]
        assert module.target == trained.target
