"""Where MLflow keeps the runs: its address, and the experiment in it."""

import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lit_medseg.errors import TrackingError, expected_got
from lit_medseg.tracking.mlflow_environment import set_mlflow_environment
from lit_medseg.tracking.reachable import check_reachable
from lit_medseg.tracking.request_limits import request_limits
from lit_medseg.tracking.sqlite_file import make_sqlite_file
from lit_medseg.tracking.without_password import without_password, without_secret

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULT_URI = "sqlite:///mlflow.db"
VARIABLE = "MLFLOW_TRACKING_URI"
_SQLITE = "sqlite:///"
_CREATE_S = 60.0
"""How long a busy server may take to make a run; asked again meanwhile, it would make two."""


@dataclass(frozen=True)
class Store:
    """An open tracking store.

    Attributes:
        client: Talks to it.
        experiment_id: The experiment that new runs belong to.
        uri: Its address; a SQLite file's is absolute, so that a change of the working folder does no harm.
    """

    client: "MlflowClient"
    experiment_id: str
    uri: str

    def create_run(self, name: str, tags: Mapping[str, str]) -> str:
        """Make the MLflow run of a run folder, RUNNING, and give its number.

        Args:
            name: Shown in the user interface.
            tags: First tags; `mlflow.parentRunId` puts the run below another.

        Raises:
            TrackingError: The store does not answer.
        """
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 (after the environment is set)

        try:
            with request_limits(_CREATE_S):
                run = self.client.create_run(self.experiment_id, run_name=name, tags=dict(tags))
        except MlflowException as error:
            raise self._silent("the run cannot be made", error) from error
        return str(run.info.run_id)

    def find_run(self, tag: str, value: str) -> str:
        """Find the run of this experiment that has a tag with a value of its own.

        Args:
            tag: Name of the tag.
            value: Hexadecimal.

        Returns:
            Its number; empty where there is none, or it was deleted.

        Raises:
            TrackingError: The store does not answer.
        """
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 (after the environment is set)

        try:
            runs = self.client.search_runs([self.experiment_id], f"tags.`{tag}` = '{value}'", max_results=1)
        except MlflowException as error:
            raise self._silent("the run cannot be looked for", error) from error
        return str(runs[0].info.run_id) if runs else ""

    def take_up_run(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Make a run as `create_run` would have made it: RUNNING, with these tags; others stay.

        Args:
            run_id: Number of the run.
            tags: Its tags.

        Raises:
            TrackingError: The store does not answer.
        """
        from mlflow.entities import RunTag  # noqa: PLC0415 (after the environment is set)
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 (after the environment is set)

        try:
            self.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()], synchronous=True)
            self.client.update_run(run_id, status="RUNNING")
        except MlflowException as error:
            raise self._silent("the run cannot be taken up", error) from error

    def _silent(self, what: str, error: Exception) -> TrackingError:
        reason = without_password(str(error))[:200]
        return TrackingError(expected_got(shown_uri(self.uri), what, "an answer", reason, "Look at the server's log"))


def resolve_uri(configured: str | None) -> str:
    """Choose the store's address: the YAML's, else `MLFLOW_TRACKING_URI`, else a SQLite file in the working folder.

    Args:
        configured: The YAML's address; None or empty where it has none.

    Returns:
        The address; the path of a SQLite file is made absolute. Where `MLFLOW_TRACKING_URI` names the configured store
        with a password, that one: children are told so, see `share_secret`.
    """
    given = os.environ.get(VARIABLE) or ""
    uri = given if configured and without_secret(given) == configured else configured or given or DEFAULT_URI
    return _SQLITE + str(Path(uri.removeprefix(_SQLITE)).absolute()) if uri.startswith(_SQLITE) else uri


def shown_uri(uri: str) -> str:
    """Write an address for people and logs: without password, a SQLite file by its name alone."""
    if uri.startswith(_SQLITE):
        return _SQLITE + Path(uri.removeprefix(_SQLITE)).name
    return without_password(uri)


def artifact_location(uri: str, experiment: str) -> str | None:
    """Choose where the files of a new experiment go.

    Returns:
        None where a server decides; otherwise `mlartifacts/<experiment>` beside the SQLite file, or in the working
        folder for another database.
    """
    if uri.startswith(("http://", "https://")):
        return None
    base = Path(uri.removeprefix(_SQLITE)).parent if uri.startswith(_SQLITE) else Path.cwd()
    return (base / "mlartifacts" / experiment).as_uri()


def connect(uri: str, make: bool = True) -> "MlflowClient":
    """Make a client for a store, and the database where it is a file that is not there yet.

    Args:
        uri: As `resolve_uri` gives it.
        make: False to refuse a SQLite file that is not there.

    Raises:
        TrackingError: The store does not answer within about ten seconds, is damaged, or is of an unknown kind.
    """
    check_reachable(uri, shown_uri(uri))
    set_mlflow_environment()
    from mlflow import MlflowClient  # noqa: PLC0415 (after the environment is set)
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 (after the environment is set)
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 (after the environment is set)

    set_mlflow_environment()
    try:
        if uri.startswith(_SQLITE):
            path = Path(uri.removeprefix(_SQLITE))
            if not make and not path.is_file():
                raise FileNotFoundError("no such file")
            make_sqlite_file(path, (path.parent / "mlartifacts").as_uri())
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise _unusable(uri, error) from error
    return client


def open_store(uri: str, experiment: str) -> Store:
    """Open a store and its experiment; both are made where they are missing, by whoever comes first.

    Args:
        uri: As `resolve_uri` gives it.
        experiment: Name of the experiment.

    Raises:
        TrackingError: The store cannot be used, see `connect`, or the experiment was deleted in it.
    """
    client = connect(uri)
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 (after the environment is set)

    try:
        found = client.get_experiment_by_name(experiment)
        if found is None:
            try:
                return Store(client, client.create_experiment(experiment, artifact_location(uri, experiment)), uri)
            except MlflowException:
                # Another process was faster, or the store is out of order: the next question tells.
                found = client.get_experiment_by_name(experiment)
    except MlflowException as error:
        raise _unusable(uri, error) from error
    if found is None or found.lifecycle_stage != "active":
        stage = "none" if found is None else found.lifecycle_stage
        todo = "Restore it in the user interface or choose another name"
        where = f"experiment {experiment}"
        raise TrackingError(expected_got(where, "it cannot take runs", "an active one", stage, todo))
    return Store(client, found.experiment_id, uri)


def _unusable(uri: str, error: Exception) -> TrackingError:
    lines = without_password(str(error)).splitlines() or [type(error).__name__]
    todo = "Mend it, move it away, or name another store (YAML or MLFLOW_TRACKING_URI)"
    what = "the tracking store cannot be used"
    return TrackingError(expected_got(shown_uri(uri), what, "an MLflow store", lines[0][:300], todo))
