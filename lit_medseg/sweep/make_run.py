"""The MLflow run of a trial that ended before it had one."""

from collections.abc import Mapping

from lit_medseg.errors import ConfigError, TrackingError
from lit_medseg.tracking.parent_run import ParentRun
from lit_medseg.tracking.run_folder import RunFolder, create_run_folder


def make_run(folder: RunFolder, uri: str, parent: str, tags: Mapping[str, str], reason: str) -> None:
    """Make a FAILED run: the settings could not even be built, and whoever looks for the trial shall find that.

    Where the store does not answer there is none: the study has the reason.

    Args:
        folder: The run folder that the trial would have had; nothing is done where it is there.
        uri: The store's address.
        parent: The MLflow run that it belongs below.
        tags: First tags.
        reason: Why the trial failed.
    """
    try:
        made = create_run_folder(folder.path.parent.parent, folder.experiment, "", folder.name)
        run = ParentRun.begin(made, uri, {"verb": "fit", "mlflow.parentRunId": parent, **tags})
        run.close("FAILED", reason)
    except (TrackingError, ConfigError):
        return
