"""Which costs a run records on which device."""

import json

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel

from lit_medseg.sweep.metric_names import MetricNames
from lit_medseg.sweep.trial_cost import costs_on


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
def test_a_run_on_a_processor_offers_no_memory_of_a_gpu(tmp_path):
    file = tmp_path / "names.json"
    trainer = Trainer(
        fast_dev_run=True,
        accelerator="cpu",
        callbacks=[MetricNames(str(file))],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(BoringModel())
    names = json.loads(file.read_text())
    assert {name for name in names if name.startswith("cost/")} == {"cost/parameters", "cost/seconds_per_image"}
    assert "cost/gpu_memory_mib" in costs_on("cuda")
