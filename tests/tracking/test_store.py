import socket
import sqlite3
import time
from contextlib import closing

import pytest

from lit_medseg.errors import TrackingError
from lit_medseg.tracking.store import artifact_location, open_store, resolve_uri, shown_uri


def test_address_of_the_yaml_wins_then_the_environment_then_sqlite(tmp_path, monkeypatch):
    assert resolve_uri(None) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert resolve_uri("") == "http://tracking:5000"
    assert resolve_uri("sqlite:///other.db") == f"sqlite:///{tmp_path}/other.db"


def test_no_password_and_no_path_is_shown():
    assert shown_uri("postgresql://ann:secret@db/x") == "postgresql://***@db/x"
    assert shown_uri("sqlite:////home/ann/mlflow.db") == "sqlite:///mlflow.db"
    assert shown_uri("http://tracking:5000") == "http://tracking:5000"


def test_artifacts_lie_beside_the_database_and_a_server_decides_itself(tmp_path):
    assert artifact_location(f"sqlite:///{tmp_path}/mlflow.db", "a") == f"file://{tmp_path}/mlartifacts/a"
    assert artifact_location("http://tracking:5000", "a") is None


def test_opens_twice_the_same_experiment(database):
    first = open_store(database, "nuclei")
    second = open_store(database, "nuclei")
    assert first.experiment_id == second.experiment_id
    run = first.client.get_run(first.create_run("a", {"mlflow.parentRunId": "p"}))
    assert (run.info.run_name, run.info.status, run.data.tags["mlflow.parentRunId"]) == ("a", "RUNNING", "p")


def test_first_commands_at_once_make_one_database_and_one_experiment(empty_database):
    """The template of all tests is made by four threads at once."""
    with closing(sqlite3.connect(empty_database)) as connection:
        assert connection.execute("SELECT count(*) FROM experiments WHERE name = 'race'").fetchone() == (1,)
    assert sorted(path.name for path in empty_database.parent.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


def test_a_kill_while_the_database_is_made_leaves_none(tmp_path, monkeypatch):
    def killed(self, uri, _):
        (tmp_path / uri.removeprefix(f"sqlite:///{tmp_path}/")).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore.__init__", killed)
    with pytest.raises(KeyboardInterrupt):
        open_store(f"sqlite:///{tmp_path}/half.db", "a")
    assert [path.name for path in tmp_path.iterdir()] == ["half.db.lock"]


def test_a_server_that_is_not_there_is_refused_soon():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{probe.getsockname()[1]}"
    started = time.monotonic()
    with pytest.raises(TrackingError, match=r"tracking server does not answer, expected an answer, got .*refused"):
        open_store(uri, "a")
    assert time.monotonic() - started < 2


def test_a_server_that_takes_calls_but_never_answers_is_refused_soon(monkeypatch):
    monkeypatch.setattr("lit_medseg.tracking.reachable.PROBE_S", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(TrackingError, match=r"does not answer, .* timed out\. Start the server"):
            open_store(f"http://127.0.0.1:{silent.getsockname()[1]}", "a")


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_database_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "mlflow.db"
    path.write_bytes(content)
    with pytest.raises(TrackingError, match=r"sqlite:///mlflow\.db: the SQLite store is damaged"):
        open_store(f"sqlite:///{path}", "a")
    assert path.read_bytes() == content


def test_a_database_of_something_else_or_another_version_is_refused(tmp_path, database):
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'deadbeef'")
    with pytest.raises(TrackingError, match=r"cannot be used, expected an MLflow store, got .*schema"):
        open_store(database, "a")


@pytest.mark.parametrize("uri", ["file:./mlruns", "mlruns", "ftp://x"])
def test_an_address_that_mlflow_does_not_take_is_refused(uri):
    with pytest.raises(TrackingError, match="unknown kind of store"):
        open_store(uri, "a")


def test_a_deleted_experiment_is_refused(database):
    store = open_store(database, "old")
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(TrackingError, match="experiment old: it cannot take runs, expected an active one, got deleted"):
        open_store(database, "old")
