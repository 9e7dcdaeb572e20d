"""A real MLflow for these tests: a SQLite store, and a server process."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from lit_medseg.tracking.mlflow_environment import set_mlflow_environment
from lit_medseg.tracking.store import open_store

set_mlflow_environment()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """Nothing is written beside the sources, and no address of the caller's is used."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A SQLite store whose tables are made once for all tests, by four threads that want it at once."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    found: list[str] = []

    def first_command() -> None:
        found.append(open_store(f"sqlite:///{path}", "race").experiment_id)

    threads = [threading.Thread(target=first_command) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    return path


@pytest.fixture
def database(empty_database, tmp_path):
    """Address of a fresh SQLite store."""
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


class Server:
    """`mlflow server` as a process that can be frozen, killed and started again on the same port and store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}"]
        command += ["--artifacts-destination", str(self.folder / "files")]
        # The server's own jobs (evaluation, gateway) would start further processes that nothing here needs.
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, env=environment, start_new_session=True
            )
        for _ in range(1500):
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise TimeoutError((self.folder / "server.log").read_text())

    def send(self, number: signal.Signals) -> None:
        """Signal the server and its workers: the process group that this fixture made."""
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.send(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory, empty_database):
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_database, folder / "mlflow.db")
    server = Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
