import pytest

from lit_medseg.errors import TrackingError
from lit_medseg.tracking.reachable import check_reachable
from tests.tracking.mlflow_server import Gate


@pytest.fixture
def gate(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Gate("http://127.0.0.1:9") as gate:
        gate.status = 200
        yield gate


def test_a_server_behind_a_proxy_is_asked_through_it(gate, monkeypatch):
    """MLflow's requests go that way: a cluster's nodes often have no other."""
    monkeypatch.setenv("http_proxy", gate.uri)
    check_reachable("http://tracking.invalid:5000/mlflow/", "shown")
    assert gate.seen == ["http://tracking.invalid:5000/mlflow/health"]


def test_user_and_password_are_no_part_of_the_host(gate):
    check_reachable(gate.uri.replace("://", "://ann:secret@"), "shown")
    assert gate.seen == ["/health"]
    for mark in "#?/[":  # a database's may have them
        check_reachable(gate.uri.replace("http://", f"postgresql://ann:sec{mark}ret@"), "shown")


@pytest.mark.parametrize(("status", "reached"), [(401, True), (404, True), (500, False), (503, False)])
def test_a_server_that_wants_a_login_is_there_and_one_out_of_order_is_not(gate, status, reached):
    gate.status = status
    if reached:
        check_reachable(gate.uri, "shown")
    else:
        with pytest.raises(TrackingError, match=f"out of order, expected status 200, got {status}"):
            check_reachable(gate.uri, "shown")
