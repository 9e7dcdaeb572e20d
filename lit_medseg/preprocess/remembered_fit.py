"""A fitted pipeline, measured once per machine."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from filelock import FileLock

from lit_medseg.errors import DataError
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.sample import Sample


def remembered_fit(
    folder: Path, pipeline: Pipeline, made_of: Sequence[str], samples: Callable[[], Iterable[Sample]]
) -> Pipeline:
    """Fit a pipeline, or read what an earlier process fitted on the same training cases.

    All ranks of a machine get the values of the one that was first; floats survive JSON exactly.

    Args:
        folder: Parent of the caches.
        pipeline: With open values; without any it is given back.
        made_of: Hashes of what the samples are made of, in their order.
        samples: Called once per step to fit.

    Raises:
        DataError: The folder cannot be written to, or a step cannot be fitted.
    """
    if pipeline.fitted:
        return pipeline
    key = hashlib.sha256(json.dumps([pipeline.fingerprint, list(made_of)]).encode()).hexdigest()[:32]
    kept = folder / f"fitted-{key}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(kept.with_suffix(".lock")):
            fitted = _read(kept)
            if fitted is None:
                fitted = pipeline.fit(samples)
                _keep(kept, fitted)
    except OSError as error:
        todo = "Free space, or set data.preparation.cache_dir to a folder that you may write to"
        raise DataError(f"{folder}: cannot be written to, expected room, got {error.strerror}. {todo}.") from error
    return fitted


def _read(kept: Path) -> Pipeline | None:
    """Read a kept pipeline; None where there is none, or a damaged one: it is then fitted again."""
    try:
        return Pipeline.from_plain(json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(kept: Path, fitted: Pipeline) -> None:
    """Write under a temporary name, then rename."""
    handle, name = tempfile.mkstemp(dir=kept.parent, prefix=f".{kept.stem}-", suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(fitted.plain(), file)
    Path(name).replace(kept)
