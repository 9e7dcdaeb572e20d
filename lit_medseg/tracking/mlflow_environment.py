"""How MLflow shall behave inside our processes; each value can be overruled from outside."""

import logging
import os

_DEFAULTS = {
    # Patient data is near: nothing is reported to the library's makers.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Our queue retries by itself and must hear of a silent server soon.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    # One line per run and per file would bury our own output.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # `git` is asked by our own provenance, once.
    "GIT_PYTHON_REFRESH": "quiet",
}


def set_mlflow_environment() -> None:
    """Set what is not set; to be called before `mlflow` is imported, since it reads some of it while being imported."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    # Set again after the import as well: MLflow gives its loggers a level of their own.
    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    # A server that is away is our queue's business; it says so once, not once per attempt.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
