"""`ui`: open MLflow on the store that the runs are recorded in."""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lit_medseg.errors import ConfigError, TrackingError, expected_got
from lit_medseg.tracking.mlflow_environment import set_mlflow_environment
from lit_medseg.tracking.reachable import check_reachable
from lit_medseg.tracking.store import resolve_uri, shown_uri

START_S = 180.0


def main(argv: list[str]) -> int:
    """Start MLflow's user interface, print its address and wait for Ctrl-C; for a server, only print its address.

    Args:
        argv: The arguments after the verb.

    Returns:
        0.

    Raises:
        TrackingError: There is no store yet, or MLflow does not start on it.
        ConfigError: No port is free.
    """
    arguments = _parser().parse_args(argv)
    address = resolve_uri(arguments.store)
    _check_exists(address)
    check_reachable(address, shown_uri(address))
    if address.startswith(("http://", "https://")):
        _show(address, arguments.browser)
        return 0
    port = free_port(arguments.host, arguments.port)
    with tempfile.TemporaryFile() as log, _server(address, arguments.host, port, log) as server:
        url = f"http://{arguments.host}:{port}"
        _wait_until_it_answers(server, url, log)
        with contextlib.suppress(KeyboardInterrupt):
            _show(url, arguments.browser)
            print("Ctrl-C ends it.", flush=True)
            server.wait()
    return 0


def answers(url: str, timeout_s: float) -> bool:
    """Whether an MLflow server answers at an address."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=timeout_s) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port(host: str, first: int) -> int:
    """Find the first port that is free, from `first` on.

    Raises:
        ConfigError: None of the next hundred is, or the host is not one of this machine.
    """
    last_error: OSError | None = None
    for port in range(first, min(first + 100, 65536)):
        with socket.socket() as probe:
            # As servers do: a port whose last connection is still fading counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                last_error = error
            else:
                return port
    todo = "Choose others with --host and --port"
    raise ConfigError(expected_got(f"{host}:{first}", "no port is free", "one of a hundred", str(last_error), todo))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lit_medseg ui", description="Open MLflow on the recorded runs.")
    parser.add_argument("--store", help="address; default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db")
    parser.add_argument("--host", default="127.0.0.1", help="interface to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=5000, help="port, or the next free one (default: 5000)")
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="print the address only")
    return parser


def _check_exists(address: str) -> None:
    file = Path(address.removeprefix("sqlite:///"))
    if address.startswith("sqlite:///") and not file.is_file():
        todo = "Record a run first: python -m lit_medseg fit --config experiments/quickstart.yaml"
        raise TrackingError(expected_got(file, "no MLflow store yet", "a SQLite file", "none", todo))


@contextlib.contextmanager
def _server(address: str, host: str, port: int, log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Run MLflow as a child with a process group of its own, which ends with this block whatever happens."""
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", address]
    command += ["--host", host, "--port", str(port), "--workers", "1"]
    set_mlflow_environment()
    # MLflow's job queue runs evaluations of language models: processes that nobody needs here.
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    ended = signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        yield server
    finally:
        _end(server)
        signal.signal(signal.SIGTERM, ended)


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ask the group to end; kill what has not after ten seconds."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=10)
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _wait_until_it_answers(server: subprocess.Popen[bytes], url: str, log: IO[bytes]) -> None:
    end = time.monotonic() + START_S
    while not answers(url, timeout_s=2.0):
        if server.poll() is not None or time.monotonic() > end:
            log.seek(0)
            tail = log.read().decode(errors="replace").strip().splitlines()[-5:]
            got = "\n  ".join(["its last words:", *tail])
            raise TrackingError(f"MLflow: does not start, expected an answer at {url}, got {got}\nRun `doctor`.")
        time.sleep(0.2)


def _show(url: str, browser: bool) -> None:
    """Print the address; open it where there is a screen."""
    print(f"MLflow: {shown_uri(url)}", flush=True)
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform in ("darwin", "win32")
    if browser and screen:
        webbrowser.open(url)
