"""Make the pictures of docs/images: two short runs on phantoms, seen in MLflow by a real browser.

    python docs/make_screenshots.py [FOLDER]

FOLDER keeps the runs, so that a second call only takes the pictures. Needs chromium and chromedriver.
"""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lit_medseg.tracking.run_folder import RunFolder  # noqa: E402 (after the path is set)
from tests.tracking.browser import Browser, served  # noqa: E402

IMAGES = ROOT / "docs" / "images"
RUNS = {"lr-0.002": 2.0e-3, "lr-0.0003": 3.0e-4}
TREE = "[data-testid='column-selector-tree'] .du-bois-light-tree-title"


def main() -> None:
    """Train where need be, then take the pictures."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for run, rate in RUNS.items():
        if not (folder / "runs/quickstart" / run / "cases/test.csv").exists():
            train(folder, run, rate)
    IMAGES.mkdir(exist_ok=True)
    with served(folder) as address, tempfile.TemporaryDirectory() as profile:
        browser = Browser(address, Path(profile), size=(1280, 920))
        try:
            take_runs(browser)
            take_comparison(browser, [RunFolder(folder / "runs/quickstart" / run).read().run_id for run in RUNS])
            take_overlay(browser)
        finally:
            browser.close()


def train(folder: Path, run: str, rate: float) -> None:
    """Fit and test one run; `git` shall find no repository, so that the pictures show none."""
    own = ["--config", "quickstart.yaml", "--run", run, "--model.init_args.optimizer.init_args.lr", str(rate)]
    (folder / "quickstart.yaml").write_bytes((ROOT / "experiments/quickstart.yaml").read_bytes())
    for verb in ("fit", "test"):
        command = [sys.executable, "-m", "lit_medseg", verb, *own]
        subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)


def take_runs(browser: Browser) -> None:
    """The list of runs with their test scores; without the bar at the left, so that they fit."""
    browser.open_experiment("quickstart")
    browser.click("[data-component-id='mlflow_header.toggle_sidebar_button']")
    browser.click("[data-testid='column-selection-dropdown']")
    for column in ("Source", "Models"):
        browser.click(TREE, column)
    browser.find("[placeholder='Search columns']").send_keys("test/dice")
    for column in ("test/dice", "test/dice/organ", "test/dice/lesion"):
        browser.click(TREE, column)
    browser.click("[data-testid='column-selection-dropdown']")
    browser.find(".ag-header", "test/dice/lesion")
    browser.click("h1, h2", "Runs")
    save(browser, "runs", height=360)
    browser.click("[data-component-id='mlflow_header.toggle_sidebar_button']")


def take_comparison(browser: Browser, run_ids: list[str]) -> None:
    """Two runs side by side: the parameters that differ, and scores."""
    browser.open_experiment("quickstart")
    for run_id in run_ids:
        browser.pick_run(run_id)
    browser.click("[data-testid='runs-compare-button']")
    browser.find("h2", "Comparing 2 Runs")
    browser.click(".du-bois-light-collapse-header", "Visualizations")
    browser.click("[aria-label='Parameters - Show diff only']")
    browser.row("test/dice")
    script = "arguments[0].scrollIntoView()"
    browser.driver.execute_script(script, browser.find(".du-bois-light-collapse-header", "Run details"))
    save(browser, "comparison", height=920)


def take_overlay(browser: Browser) -> None:
    """An overlay in the page of a run."""
    browser.open_experiment("quickstart")
    browser.open_run(next(iter(RUNS)), "Artifacts")
    browser.open_artifact("overlays/test")
    browser.click("[data-testid='artifact-tree-node']", "01_")
    browser.image("img[alt^='overlays/test/']")
    path = browser.find("[title^='file:']")
    browser.driver.execute_script("arguments[0].style.visibility = 'hidden'", path)
    save(browser, "overlay", height=540)


def save(browser: Browser, name: str, height: int) -> None:
    """Write the upper part of what the browser shows."""
    picture = Image.open(io.BytesIO(browser.driver.get_screenshot_as_png())).convert("RGB")
    picture.crop((0, 0, picture.width, height)).save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
