import os
import threading

import pytest
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES, MLFLOW_HTTP_REQUEST_TIMEOUT

from lit_medseg.tracking.request_limits import request_limits, upload_s


def limits():
    return MLFLOW_HTTP_REQUEST_TIMEOUT.get(), MLFLOW_HTTP_REQUEST_MAX_RETRIES.get()


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")


def test_a_block_has_more_time_and_other_threads_have_not():
    environment, elsewhere = dict(os.environ), []
    with request_limits(60.0):
        assert limits() == (60, 0)
        thread = threading.Thread(target=lambda: elsewhere.append(limits()))
        thread.start()
        thread.join()
        with request_limits(600.0):
            assert limits() == (600, 0)
        assert limits() == (60, 0)
        # what a process that is started meanwhile gets
        assert dict(os.environ) == environment
    assert elsewhere == [(10, 1)]
    assert limits() == (10, 1)


def test_a_longer_limit_of_the_users_stays(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")
    with request_limits(60.0):
        assert limits() == (120, 0)


def test_a_large_file_may_take_longer(tmp_path):
    file = tmp_path / "large.ckpt"
    with file.open("wb") as sparse:
        sparse.truncate(200_000_000)
    assert upload_s(file) == pytest.approx(110.0)
