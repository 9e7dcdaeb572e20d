"""A real browser on MLflow's pages, with what MLflow 3.17 offers tests to find its elements by."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).parents[2]
WAIT_S = 60.0
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
NO_ASSISTANT = """
localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
"""
"""MLflow's chat would open itself over a quarter of the first page."""
IMAGE_IS_SHOWN = "const i = arguments[0]; return i.complete && i.naturalWidth > 0 && i.clientWidth > 0;"
ROW_OF_TABLE = """
const grids = [...document.querySelectorAll('.ReactVirtualized__Grid')];
const body = grids.at(-1);
const name = grids.flatMap(g => [...g.querySelectorAll('a')]).find(a => a.textContent === arguments[0]);
if (!body) return null;
if (!name) {
  const end = body.scrollTop + body.clientHeight >= body.scrollHeight;
  body.scrollTop = end ? 0 : body.scrollTop + 0.6 * body.clientHeight;
  return null;
}
const top = name.closest('[style]').style.top, at = parseInt(top);
body.scrollTop = body.scrollTop === at ? at - 1 : at;
if (!grids.every(g => Math.abs(g.scrollTop - at) <= 1)) return null;
return grids.flatMap(g => [...g.querySelectorAll('[style]')]).filter(c => c.style.top === top).map(c => c.textContent);
"""
"""The page holds only those rows of a comparison's table that are in sight: the scores are scrolled until the row is
the first, then by a pixel to and fro, since the names follow one event later."""


def missing() -> str:
    """Name what this machine lacks for a browser test; empty where nothing is lacking."""
    names = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"not on PATH: {', '.join(names)} (Debian: apt-get install chromium chromium-driver)" if names else ""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run `ui` in a folder with an MLflow store, and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "lit_medseg", "ui", "--no-browser", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("MLflow: http"), line
            yield line.removeprefix("MLflow: ").strip()
        finally:
            process.terminate()


class Browser:
    """Chromium without a window, on the pages of one MLflow server.

    Args:
        address: `http://host:port`.
        profile: An empty folder of its own.
        size: Width and height of the page in pixels.
    """

    def __init__(self, address: str, profile: Path, size: tuple[int, int] = (1280, 900)) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        self.address = address
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        page = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", page)
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NO_ASSISTANT})

    def close(self) -> None:
        """End the browser."""
        self.driver.quit()

    def open_experiment(self, name: str) -> None:
        """Go from the list of experiments to the runs of one, as a reader does."""
        self.driver.get(f"{self.address}/#/experiments")
        self.click("[role='button']", "Model training")
        self.click("[data-testid='experiment-list-item-link']", name)

    def open_run(self, name: str, tab: str) -> None:
        """Go from the list of runs to one of them, and to a tab of its page."""
        self.click(".ag-row a[href*='/runs/']", name)
        self.click("[role='tab']", tab)

    def pick_run(self, run_id: str) -> None:
        """Tick a run in the list of runs."""
        self.click(f".ag-row[row-id='{run_id}'] .ag-selection-checkbox")
        self.find(f".ag-row-selected[row-id='{run_id}']")

    def open_artifact(self, path: str) -> None:
        """Open the folders of a path one after the other on the tab Artifacts, then the file."""
        for part in path.split("/"):
            self.click(f"[data-testid='artifact-tree-node'][artifact-name='{part}']")

    def find(self, selector: str, text: str = "") -> WebElement:
        """Wait for an element that is shown and has a text."""
        return self._wait(selector, text, lambda element: element)

    def row(self, name: str) -> list[str]:
        """Wait for a row of the table of scores in a comparison: its name, then a score of each run."""
        waiting = WebDriverWait(self.driver, WAIT_S)
        row: list[str] = waiting.until(lambda driver: driver.execute_script(ROW_OF_TABLE, name), f"no row {name}")
        return row

    def click(self, selector: str, text: str = "") -> None:
        """Wait for an element that can be clicked, and click it."""
        self._wait(selector, text, lambda element: element.click() or element)

    def image(self, selector: str) -> WebElement:
        """Wait for a picture that has arrived and is shown."""
        return self._wait(selector, "", lambda image: self.driver.execute_script(IMAGE_IS_SHOWN, image) and image)

    def _wait(self, selector: str, text: str, use: Callable[[WebElement], Any]) -> WebElement:
        """Try until it works: pages are drawn again and again, and elements vanish under one's hands."""

        def tried(driver: webdriver.Chrome) -> Any:
            for element in driver.find_elements(By.CSS_SELECTOR, selector):
                if element.is_displayed() and text in element.text:
                    return use(element)
            return None

        passing = (StaleElementReferenceException, ElementNotInteractableException, ElementClickInterceptedException)
        message = f"not on the page within {WAIT_S:.0f} s: {selector} with the text {text!r}"
        return WebDriverWait(self.driver, WAIT_S, ignored_exceptions=passing).until(tried, message)
