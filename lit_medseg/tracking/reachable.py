"""Ask a tracking store for a sign of life before MLflow does, whose own attempts take minutes."""

import http.client
import os
import socket
import sqlite3
import ssl
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from lit_medseg.errors import TrackingError, expected_got
from lit_medseg.tracking.without_password import without_password, without_secret

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
    try:
        if kind in ("http", "https"):
            status = _status(uri)
        else:
            parts = urlsplit(without_secret(uri))  # a `#` or `/` within the password would end the host
            # Without a host in the address the database's own settings name one, often a socket in a folder.
            if parts.hostname:
                socket.create_connection((parts.hostname, parts.port or _PORTS[kind]), timeout=PROBE_S).close()
            return
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = without_password(str(getattr(error, "reason", error)))
        raise TrackingError(
            expected_got(shown, "the tracking server does not answer", "an answer", reason, _TODO)
        ) from error
    if status >= 500:
        raise TrackingError(expected_got(shown, "the tracking server is out of order", "status 200", status, _TODO))


def _status(uri: str) -> int:
    """Ask a web server for its health, by the way that MLflow's requests go: its proxies, its certificates."""
    parts = urlsplit(uri)
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2], path=f"{parts.path.rstrip('/')}/health")
    # An opener of its own: the shared one keeps the proxies that it was first used with.
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=_certificates()))
    try:
        with opener.open(address.geturl(), timeout=PROBE_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _certificates() -> ssl.SSLContext:
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        return ssl._create_unverified_context()  # what the user asks of MLflow
    own = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or os.environ.get("REQUESTS_CA_BUNDLE")
    return ssl.create_default_context(cafile=own if own and Path(own).is_file() else None)
