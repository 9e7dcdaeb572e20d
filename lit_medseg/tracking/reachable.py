"""Ask a tracking store for a sign of life before MLflow does, whose own attempts take minutes."""

import http.client
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from lit_medseg.errors import TrackingError, expected_got

PROBE_S = 5.0
"""How long a server may take to answer."""
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_TODO = "Start the server, correct the address (YAML or MLFLOW_TRACKING_URI), or leave it out for a local SQLite file"


def check_reachable(uri: str, shown: str) -> None:
    """Refuse a store that does not answer.

    Args:
        uri: Address of a server, a database or a SQLite file.
        shown: The same, as it may be printed.

    Raises:
        TrackingError: No answer, a damaged SQLite file, or a kind of address that MLflow does not take.
    """
    kind = uri.split(":", 1)[0].split("+", 1)[0]
    if kind == "sqlite":
        _check_sqlite(Path(uri.removeprefix("sqlite:///")), shown)
    elif kind in _PORTS:
        _check_server(uri, kind, shown)
    elif not uri.startswith("databricks"):
        raise TrackingError(
            expected_got(shown, "unknown kind of store", "http(s)://, sqlite:/// or postgresql://", repr(kind), _TODO)
        )


def _check_sqlite(path: Path, shown: str) -> None:
    """Refuse a file that is no database, and a folder that cannot hold one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return
        faults = _sqlite_faults(path)
    except (sqlite3.Error, OSError) as error:
        faults = str(error)
    if faults != "ok":
        todo = "Move the file away to start anew, or restore it from a backup"
        raise TrackingError(
            expected_got(shown, "the SQLite store is damaged or cannot be opened", "a database", faults, todo)
        )


def _sqlite_faults(path: Path) -> str:
    """Ask SQLite whether a file is whole: `ok`, or what is wrong."""
    if not path.is_file():
        return "no regular file"  # making the store would put a file in the place of a device or a folder
    with closing(sqlite3.connect(path, timeout=PROBE_S)) as connection:
        return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])


def _check_server(uri: str, kind: str, shown: str) -> None:
    """Refuse a server that takes no connection or, for HTTP, gives no answer."""
    parts = urlsplit(uri)
    host = parts.hostname or "localhost"
    try:
        port = parts.port or _PORTS[kind]
        if kind not in ("http", "https"):
            socket.create_connection((host, port), timeout=PROBE_S).close()
            return
        maker = http.client.HTTPSConnection if kind == "https" else http.client.HTTPConnection
        with closing(maker(host, port, timeout=PROBE_S)) as connection:
            connection.request("GET", f"{parts.path.rstrip('/')}/health")
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TrackingError(
            expected_got(shown, "the tracking server does not answer", "an answer", error, _TODO)
        ) from error
    if status >= 500:
        raise TrackingError(expected_got(shown, "the tracking server is out of order", "status 200", status, _TODO))
