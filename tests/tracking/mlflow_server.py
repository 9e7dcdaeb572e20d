"""Real servers: PostgreSQL, `mlflow server` before it or before a SQLite file, and a gate that makes a server odd."""

import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest

SECRET = "not-for-anyones-eyes"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """A database server of its own in a folder of its own; as root it runs as Debian's user `postgres`."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="lit-medseg-pg-"))
        self.port = free_port()
        self.user = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam("postgres")
            self.user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self.process = None

    def address(self, database):
        return f"postgresql://mlflow:{SECRET}@127.0.0.1:{self.port}/{database}"

    def start(self):
        if not (self.folder / "data").is_dir():
            self._run("initdb", "-D", "data", "-U", "mlflow", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        options = ["-p", str(self.port), "-k", str(self.folder), "-c", "listen_addresses=127.0.0.1", "-F"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([_program("postgres"), "-D", "data", *options], **self._how(log))
        for _ in range(600):
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.address("postgres"), connect_timeout=2).close()
                return
            assert self.process.poll() is None, self.log
            time.sleep(0.1)
        raise TimeoutError(self.log)

    def create(self, database):
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}")
        return self.address(database)

    def query(self, database, sql, *values):
        with psycopg.connect(self.address(database)) as connection:
            return connection.execute(sql, values).fetchall()

    def stop(self):
        """Close every connection at once, as a restart of the machine's service does."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def _how(self, log):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        common = {"cwd": self.folder, "stdout": log, "stderr": log, "env": environment, "start_new_session": True}
        return {**common, **self.user}

    def _run(self, name, *arguments):
        with (self.folder / "log").open("ab") as log:
            done = subprocess.run([_program(name), *arguments], **self._how(log), check=False)
        assert done.returncode == 0, self.log


def _program(name):
    """Debian keeps the server's programs out of the PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    found = shutil.which(name) or (str(places[-1]) if places else "")
    assert found, f"{name}: missing, expected Debian's package `postgresql`"
    return found


class MlflowServer:
    """`mlflow server` with an artifact folder; frozen, killed and started again on the same port and store."""

    def __init__(self, folder, store):
        self.folder, self.store = folder, store
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.files = folder / "files"
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--backend-store-uri", self.store]
        command += ["--artifacts-destination", str(self.files)]
        # The server's own jobs (evaluation, gateway) would start further processes that nothing here needs.
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, env=environment, start_new_session=True
            )
        for _ in range(1500):
            assert self.process.poll() is None, self.log
            with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                return
            time.sleep(0.1)
        raise TimeoutError(self.log)

    @property
    def log(self):
        return (self.folder / "server.log").read_text(errors="replace")

    def send(self, number):
        """Signal the server and its workers: the process group that this fixture made."""
        os.killpg(self.process.pid, number)

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.send(signal.SIGKILL)
            self.process.wait()


class Gate:
    """Stands before a server and passes requests on, unless it is told to be odd.

    Attributes:
        delay_s: Each answer comes so much later.
        status: Every request is answered with this status and not passed on; 0 passes on.
        only: The oddness is for paths that hold this text.
        lose: So many answers are lost on their way back: the server has done the work.
        seen: Path of every request.
    """

    def __init__(self, target):
        gate = self
        self.delay_s, self.status, self.only, self.lose = 0.0, 0, "", 0
        self.seen = []

        class Handler(BaseHTTPRequestHandler):
            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                gate.seen.append(self.path)
                odd = gate.only in self.path
                time.sleep(gate.delay_s if odd else 0)
                status, kind, answer = gate.status, "text/html", b"<html>no</html>"
                if not status or not odd:
                    status, kind, answer = gate.ask(target, self.command, self.path, self.headers, body)
                if odd and gate.lose > 0:
                    gate.lose -= 1
                    self.close_connection = True
                    return
                with suppress(ConnectionError):  # who asked may have gone
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_PATCH = pass_on  # noqa: N815

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    @staticmethod
    def ask(target, method, path, headers, body):
        connection = http.client.HTTPConnection(target.removeprefix("http://"), timeout=60)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "connection")}
            connection.request(method, path, body, kept)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", "text/plain"), answer.read()
        except OSError as error:
            return 502, "text/plain", str(error).encode()
        finally:
            connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.end()


@pytest.fixture(scope="session")
def postgres_server(postgres, tmp_path_factory):
    """`mlflow server` on PostgreSQL with an artifact folder."""
    server = MlflowServer(tmp_path_factory.mktemp("mlflow-on-postgres"), postgres.create("mlflow"))
    try:
        server.start()
        yield server
    finally:
        server.kill()
