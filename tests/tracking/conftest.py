"""A real MLflow for these tests: a SQLite store, and servers."""

import shutil
import threading

import pytest

from lit_medseg.tracking.mlflow_environment import set_mlflow_environment
from lit_medseg.tracking.store import open_store
from tests.tracking.mlflow_server import postgres, postgres_server

__all__ = ["postgres", "postgres_server"]  # fixtures, one server for all modules

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
