import os
import subprocess
import sys
from pathlib import Path

import pytest

from lit_medseg.tracking.share_secret import share_secret
from lit_medseg.tracking.store import resolve_uri

ROOT = Path(__file__).parents[2]
CHILD = "import sys; from lit_medseg.tracking.store import resolve_uri; print(resolve_uri(sys.argv[1]))"


@pytest.mark.parametrize(
    ("uri", "bare"),
    [
        ("https://user:s3cret@tracking:5000", "https://tracking:5000"),
        ("postgresql://lab:s3cret@host/mlflow", "postgresql://lab@host/mlflow"),
    ],
)
def test_a_child_finds_the_password_in_its_environment_alone(monkeypatch, uri, bare):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://another:5000")
    assert share_secret(uri) == bare
    child = [sys.executable, "-c", CHILD, bare]
    found = subprocess.run(child, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == uri
    # another store that is named stays what it is
    assert resolve_uri("https://elsewhere:5000") == "https://elsewhere:5000"


def test_an_address_without_password_sets_nothing(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://another:5000")
    for uri in ("https://tracking:5000", "sqlite:///mlflow.db"):
        assert share_secret(uri) == uri
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://another:5000"
