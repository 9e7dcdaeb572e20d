"""Make MLflow's SQLite file: whole or not at all, by one process."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file for the length of a block; the kernel lets go when the process ends."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def make_sqlite_file(path: Path, artifact_root: str) -> None:
    """Make an empty store where none is.

    MLflow itself makes its tables in place, by several dozen migrations that take seconds: two first commands at once
    fall over each other, and a kill in between leaves a file that no version opens. Here the tables are made in a
    sibling, which is renamed when it is whole.

    Args:
        path: The database; one that exists and is not empty is left alone.
        artifact_root: Where the artifacts of MLflow's own `Default` experiment go.

    Raises:
        Exception: As SQLAlchemy and MLflow raise it; nothing is left at `path`.
    """
    if path.exists() and path.stat().st_size > 0:
        return
    with _locked(path.with_name(f"{path.name}.lock")):
        if path.exists() and path.stat().st_size > 0:
            return
        # Imported here: after the environment is set, and only by who makes a store.
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415

        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            sibling = Path(folder) / "mlflow.db"
            store = SqlAlchemyStore(f"sqlite:///{sibling}", artifact_root)  # type: ignore[no-untyped-call]
            store.engine.dispose()
            sibling.replace(path)
