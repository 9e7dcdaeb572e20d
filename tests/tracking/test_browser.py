"""MLflow as a reader sees it: `ui` on a store with two finished runs, in a real browser."""

import os
from pathlib import Path

import pytest

from lit_medseg.main import main
from lit_medseg.tracking.run_folder import RunFolder
from lit_medseg.tracking.store import open_store, resolve_uri
from tests.tracking.browser import Browser, missing, served

pytestmark = [pytest.mark.slow]
RUNS = {"first": "1.0e-3", "second": "2.0e-3"}
EXPERIMENT = """
trainer: {max_epochs: 2, accelerator: cpu}
overlay_every: 1
model:
  class_path: lit_medseg.tasks.segmentation.SegmentationTask
  init_args:
    network:
      class_path: segmentation_models_pytorch.Unet
      init_args: {encoder_name: resnet18, encoder_depth: 3, decoder_channels: [16, 8, 8]}
data:
  class_path: data_modules.mri_slices.MRISlicesDataModule
  init_args:
    source: {class_path: lit_medseg.catalogue.phantom.Phantom, init_args: {patients: 12, slices: 2, size: 48}}
    truth: {masks: {organ: 1, lesion: 2}}
    splitter: {class_path: lit_medseg.catalogue.hold_out.HoldOut, init_args: {val: 0.25, test: 0.25}}
    loading: {workers: 0}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder with two finished runs, and their numbers in MLflow by name."""
    lacking = missing()
    if lacking and os.environ.get("CI") == "true":
        pytest.fail(lacking)
    elif lacking:
        pytest.skip(lacking)
    folder = tmp_path_factory.mktemp("browser")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        Path("looked-at.yaml").write_text(EXPERIMENT, encoding="utf-8")
        for run, rate in RUNS.items():
            arguments = ["--config", "looked-at.yaml", "--run", run]
            arguments += ["--model.init_args.optimizer", "torch.optim.AdamW"]
            arguments += ["--model.init_args.optimizer.init_args.lr", rate]
            assert main(["fit", *arguments]) == 0
    return folder, {run: RunFolder(folder / "runs/looked-at" / run).read().run_id for run in RUNS}


@pytest.fixture(scope="module")
def browser(store, tmp_path_factory):
    with served(store[0]) as address:
        browser = Browser(address, tmp_path_factory.mktemp("profile"))
        try:
            yield browser
        finally:
            browser.close()


def test_two_runs_are_picked_and_compared(store, browser):
    folder, run_ids = store
    browser.open_experiment("looked-at")
    for run, run_id in run_ids.items():
        browser.find(f".ag-row[row-id='{run_id}'] a[href*='{run_id}']", run)
        browser.pick_run(run_id)
    browser.click("[data-testid='runs-compare-button']", "Compare")
    browser.find("h2", "Comparing 2 Runs from 1 Experiment")
    for run in run_ids:
        browser.find("td, th", run)
    client = open_store(resolve_uri(f"sqlite:///{folder}/mlflow.db"), "looked-at").client
    name, *shown = browser.row("val/dice")
    recorded = [client.get_run(run_id).data.metrics["val/dice"] for run_id in run_ids.values()]
    assert name == "val/dice"
    assert [float(text) for text in shown] == pytest.approx(recorded, abs=6e-4)
    browser.click("[aria-label='Parameters - Show diff only']")
    browser.find("tr", "model/init_args/optimizer/init_args/lr 0.001 0.002")


def test_overlays_are_seen_in_the_page_of_a_run(browser):
    browser.open_experiment("looked-at")
    browser.open_run("second", "Artifacts")
    browser.open_artifact("checkpoints/best.ckpt")
    browser.open_artifact("overlays/val/epoch_0002")
    browser.click("[data-testid='artifact-tree-node'][artifact-name^='patient']")
    assert browser.image("img[alt^='overlays/val/epoch_0002/']").get_property("naturalWidth") > 3 * 48


def test_parameters_charts_and_data_set_are_seen(browser):
    browser.open_experiment("looked-at")
    browser.open_run("first", "Overview")
    browser.find("[data-testid='entity-overview-container']", "Finished")
    browser.find("[data-testid='entity-overview-container']", "phantoms")
    browser.find("[data-testid='entity-overview-container']", "trainer/max_epochs")
    browser.click("[role='tab']", "Model metrics")
    browser.find("[placeholder='Search metric charts']").send_keys("val/dice")
    browser.find("[data-testid='experiment-view-compare-runs-card'] .main-svg", "Step")
