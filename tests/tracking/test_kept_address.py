import pytest

from lit_medseg.tracking.kept_address import address_of_run, keep_address, kept_address
from lit_medseg.tracking.without_password import without_password


def test_a_sqlite_file_is_found_again_after_both_have_moved(tmp_path):
    run = tmp_path / "a" / "runs" / "x" / "r"
    run.mkdir(parents=True)
    keep_address(run, f"sqlite:///{tmp_path}/a/mlflow.db")
    assert str(tmp_path) not in (run / "store.json").read_text()
    assert kept_address(run) == f"sqlite:///{tmp_path}/a/mlflow.db"
    (tmp_path / "a").rename(tmp_path / "b")
    assert kept_address(tmp_path / "b" / "runs" / "x" / "r") == f"sqlite:///{tmp_path}/b/mlflow.db"


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("http://server:5000", "http://server:5000"),
        ("https://ann:secret@server/mlflow", "https://server/mlflow"),
        ("https://secret@server", "https://server"),
        ("postgresql://ann:secret@db:5432/x", "postgresql://ann@db:5432/x"),
        ("postgresql://db/x", "postgresql://db/x"),
        ("postgresql://ann@db/x?password=secret&sslmode=require", "postgresql://ann@db/x?sslmode=require"),
        ("postgresql://db/x?application_name=a&password=secret", "postgresql://db/x?application_name=a"),
        ("mysql://ann:secret@db/x?password=secret", "mysql://ann@db/x"),
        ("HTTPS://secret@server", "HTTPS://server"),
        ("http://server/mlflow/ann@secrets", "http://server/mlflow/ann@secrets"),
        *((f"postgresql://ann:se{mark}secret@db/x", "postgresql://ann@db/x") for mark in "#?/[@:\u00e4"),
        ("postgresql://ann@uni.org:secret@db/x", "postgresql://ann@uni.org@db/x"),
        ("redis://:secret@db:6379", "redis://db:6379"),
        ("postgresql:///x?host=/run/a:b@c", "postgresql:///x?host=/run/a:b@c"),
    ],
)
def test_no_secret_is_kept_and_the_environment_brings_it_back(tmp_path, monkeypatch, uri, kept):
    keep_address(tmp_path, uri)
    assert "secret" not in (tmp_path / "store.json").read_text().replace("ann@secrets", "")
    assert kept_address(tmp_path) == kept
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://ann:secret@other/x")
    assert kept_address(tmp_path) == kept
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert kept_address(tmp_path) == uri


def test_a_run_stays_in_its_store_unless_another_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://environment:5000")
    assert address_of_run(tmp_path, None) == "http://environment:5000"
    keep_address(tmp_path, "http://server:5000")
    assert address_of_run(tmp_path, None) == "http://server:5000"
    assert address_of_run(tmp_path, "http://moved:5000") == "http://moved:5000"
    keep_address(tmp_path, "http://moved:5000")
    assert address_of_run(tmp_path, "") == "http://moved:5000"
    (tmp_path / "store.json").write_text("{")
    assert kept_address(tmp_path) is None


def test_texts_lose_their_passwords():
    text = "request to 'http://ann:secret@server:5000/api' failed; postgresql://db/x?user=a&password=secret&x=1 (a@b)"
    assert without_password(text) == (
        "request to 'http://***@server:5000/api' failed; postgresql://db/x?user=a&password=***&x=1 (a@b)"
    )
    for mark in "#?/[@":
        assert without_password(f"no answer of postgresql://ann:se{mark}cret@db/x.") == (
            "no answer of postgresql://***@db/x."
        )
    assert without_password("file:///data/ann@home/x") == "file:///data/ann@home/x"
