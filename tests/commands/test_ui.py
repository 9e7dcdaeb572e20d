import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lit_medseg.commands import ui
from lit_medseg.errors import ConfigError, TrackingError

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def health_server():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def opened(monkeypatch):
    addresses = []
    monkeypatch.setattr(ui.webbrowser, "open", addresses.append)
    for key in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(key, raising=False)
    return addresses


def test_no_store_yet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrackingError, match=r"mlflow\.db: no MLflow store yet.*python -m lit_medseg fit --config"):
        ui.main([])
    assert list(tmp_path.iterdir()) == []


def test_a_server_is_shown_and_none_is_started(opened, capsys, monkeypatch):
    monkeypatch.setattr(ui, "subprocess", None)
    with health_server() as address:
        assert ui.main(["--store", address]) == 0
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert ui.main([]) == 0
    assert capsys.readouterr().out == f"MLflow: {address}\n" * 2
    assert opened == []


def test_a_browser_is_opened_only_on_a_screen_and_when_wanted(opened, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    with health_server() as address:
        ui.main(["--store", address, "--no-browser"])
        assert opened == []
        ui.main(["--store", address])
    assert opened == [address]


def test_a_server_that_is_away(opened):
    with pytest.raises(TrackingError, match="does not answer"):
        ui.main(["--store", "http://127.0.0.1:1"])


def test_an_address_of_no_kind(opened):
    with pytest.raises(TrackingError, match="expected"):
        ui.main(["--store", "nonsense:abc"])


def test_the_next_free_port_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        chosen = ui.free_port("127.0.0.1", port)
        assert port < chosen < port + 100
    assert ui.free_port("127.0.0.1", port) == port


def test_a_host_of_another_machine():
    with pytest.raises(ConfigError, match="no port is free"):
        ui.free_port("192.0.2.1", 5000)


def test_a_server_that_ends_at_once_tells_its_last_words(tmp_path, monkeypatch, opened):
    (tmp_path / "mlflow.db").touch()
    (tmp_path / "mlflow.py").write_text("raise SystemExit('the schema is out of date')\n")
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TrackingError, match=r"does not start.*\n.*the schema is out of date"):
        ui.main([])
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_mlflow_answers_and_ends_with_us(tmp_path, ending):
    if ending is signal.SIGTERM:
        # The real server once; the way it ends is the same for a stand-in, in a fraction of the time.
        (tmp_path / "mlflow.py").write_text(STAND_IN)
    (tmp_path / "mlflow.db").touch()
    command = [sys.executable, "-m", "lit_medseg", "ui", "--no-browser", "--port", "5731"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        address = child.stdout.readline().strip().removeprefix("MLflow: ")
        assert child.stdout.readline() == "Ctrl-C ends it.\n"
        with urllib.request.urlopen(f"{address}/health", timeout=10) as reply:
            assert reply.status == 200
        child.send_signal(ending)
        assert child.wait(timeout=30) == 0
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert not ui.answers(address, timeout_s=1.0)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) != 0


STAND_IN = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""
