"""The MLflow run of a run folder: one, also where a process was killed before it could note the number."""

import uuid
from collections.abc import Mapping
from dataclasses import replace

from lit_medseg.tracking.run_folder import RunFolder
from lit_medseg.tracking.store import Store

KEY_TAG = "run_key"


def give_mlflow_run(folder: RunFolder, store: Store, tags: Mapping[str, str], name: str | None = None) -> str:
    """Make the MLflow run of a run folder that has none, and note its number there.

    The folder keeps a key before the store is asked, and the MLflow run has it as a tag. A folder that has a key and no
    number was left by a process that was killed in between: its MLflow run is looked for, and taken up.

    Args:
        folder: RUNNING, without an MLflow run; this process owns it.
        store: The open store.
        tags: First tags; `mlflow.parentRunId` puts the run below another.
        name: Shown in the user interface; None for the folder's.

    Returns:
        Number of the MLflow run, which is RUNNING.

    Raises:
        TrackingError: The store does not answer.
    """
    state = folder.read()
    key = state.key or uuid.uuid4().hex
    tags = {**tags, KEY_TAG: key}
    run_id = ""
    if state.key:
        run_id = store.find_run(KEY_TAG, key)
    else:  # nobody has begun to make its run: there is nothing to ask the store for
        folder.write(replace(state, key=key))
    if run_id:
        store.take_up_run(run_id, tags)
    else:
        run_id = store.create_run(folder.name if name is None else name, tags)
    folder.set_run_id(run_id)
    return run_id
