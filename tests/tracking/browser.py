"""A real browser on MLflow's pages, with the selectors that MLflow 3.17 gives for tests."""

import shutil
from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
WAIT_S = 60.0
NO_ASSISTANT = """
localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
"""
"""MLflow's chat opens itself over a third of the first page."""
SHOWN_IMAGE = "const image = arguments[0]; return image.complete && image.naturalWidth > 0 && image.clientWidth > 0"


def missing() -> str:
    """Name what a browser test lacks on this machine; empty where nothing is lacking."""
    names = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"not on PATH: {', '.join(names)} (Debian: apt-get install chromium chromium-driver)" if names else ""


class Browser:
    """Chromium without a window, on the pages of one MLflow server.

    Args:
        address: `http://host:port`.
        profile: An empty folder of its own.
        size: Width and height of a page in pixels.
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

    def open(self, page: str) -> None:
        """Go to a page: what stands behind `#/` in its address."""
        self.driver.get(f"{self.address}/#/{page}")

    def find(self, selector: str, text: str = "") -> WebElement:
        """Wait for an element that is shown, and whose text contains a text."""
        return self.until(lambda: self._shown(selector, text), f"{selector} with the text {text!r}")

    def click(self, selector: str, text: str = "") -> None:
        """Wait for an element and click it."""

        def clicked() -> bool:
            element = self._shown(selector, text)
            if element is not None:
                element.click()
            return element is not None

        self.until(clicked, f"a click on {selector} with the text {text!r}")

    def until[ValueT](self, condition: Callable[[], ValueT], what: str) -> ValueT:
        """Wait until a condition gives something true; pages are drawn again and again, so elements may vanish."""
        ignored = (StaleElementReferenceException, WebDriverException)
        return WebDriverWait(self.driver, WAIT_S, ignored_exceptions=ignored).until(
            lambda _: condition(), f"not on the page within {WAIT_S:.0f} s: {what}"
        )
