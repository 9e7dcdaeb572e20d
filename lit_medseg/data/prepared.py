"""From a source to processed cases: the same result in every process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import median

from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.plain_hash import plain_hash
from lit_medseg.catalogue.prepared import catalogue
from lit_medseg.catalogue.source import Source
from lit_medseg.catalogue.split import Split
from lit_medseg.catalogue.splitter import Splitter
from lit_medseg.data.fitted_state import FittedState
from lit_medseg.data.trust import Trust
from lit_medseg.data.truth import Truth
from lit_medseg.errors import CheckpointError, DataError, expected_got
from lit_medseg.imaging.volume import flat_volume
from lit_medseg.preprocess.cache import CaseCache, existing_cache, open_cache
from lit_medseg.preprocess.load_sample import load_sample
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.processed_case import ProcessedCase, process_case
from lit_medseg.preprocess.remembered_fit import remembered_fit
from lit_medseg.preprocess.sample import Sample


@dataclass(frozen=True)
class Plan:
    """What the YAML asks for, defaults filled in.

    Attributes:
        source: Where the cases are.
        splitter: Which cases train, validate and test.
        trust: What is known of patients, and what to do with identical images.
        cache_dir: Parent of the caches.
        truth: The classes.
        steps: Preprocessing, perhaps open.
        normalize: The last step, perhaps open, as a pipeline of one or none.
        adopted: A checkpoint's state: its pipelines take the place of `steps` and `normalize`.
    """

    source: Source
    splitter: Splitter
    trust: Trust
    cache_dir: Path
    truth: Truth
    steps: Pipeline
    normalize: Pipeline
    adopted: FittedState | None


@dataclass(frozen=True)
class Prepared:
    """Processed cases with all that is known of them.

    Attributes:
        folder: Where the cases' references start from.
        manifest: The cases.
        split: Their sets.
        state: Classes and fitted pipelines.
        cache: The processed cases of all sets.
    """

    folder: Path
    manifest: Manifest
    split: Split
    state: FittedState
    cache: CaseCache

    @cached_property
    def train_entries(self) -> list[Entry]:
        """The training cases."""
        return self.entries(self.split.train)

    def entries(self, case_ids: Sequence[str]) -> list[Entry]:
        """Give the cases of these ids, in the manifest's order."""
        wanted = set(case_ids)
        return [entry for entry in self.manifest.entries if entry.case.case_id in wanted]

    def rows(self, entries: Sequence[Entry]) -> list[int]:
        """Give the cases' rows in the cache."""
        return [self.cache.rows[entry.case.case_id] for entry in entries]


def prepare_cases(plan: Plan) -> Prepared:
    """Check and split the cases, fit on those that train, and process all.

    Raises:
        MedSegError: Cases, split or steps cannot be used.
    """
    classes, trust = plan.truth.classes(), plan.trust
    manifest, split = catalogue(plan.source, classes, plan.splitter, trust.patients, trust.identical, plan.cache_dir)
    folder, train = plan.source.folder, [manifest.by_id[case_id] for case_id in split.train]
    if plan.adopted is not None:
        pipeline = plan.adopted.pipeline
    else:
        made_of = [entry.content_hash for entry in train]
        pipeline = remembered_fit(plan.cache_dir, plan.steps, made_of, lambda: _loaded(folder, train, classes))
    cache = _cache(plan.cache_dir, folder, _used(manifest, split), classes, pipeline)
    channels = _one_number_of_channels(cache)
    normalize = _fit_normalize(plan, cache, train) if plan.adopted is None else plan.adopted.normalize
    spacing_mm = _median_spacing(cache, train) if plan.adopted is None else plan.adopted.spacing_mm
    axes = len(cache.grid(0))
    state = FittedState(pipeline, normalize, plan.truth, classes.target(), channels, spacing_mm, axes)
    _check_images(plan.adopted, channels, axes)
    return Prepared(folder, manifest, split, state, cache)


def prepare_again(prepared: Prepared, state: FittedState, cache_dir: Path, case_ids: Sequence[str]) -> Prepared:
    """Send cases that are prepared through the pipelines of another checkpoint too.

    A cache of all cases is used where there is one, as the training of that checkpoint has left it on its machine; else
    these cases alone are processed.

    Args:
        prepared: Cases, split and classes; nothing is read or split again.
        state: The pipelines; its classes are the same.
        cache_dir: Parent of the caches.
        case_ids: The cases that are needed.

    Raises:
        DataError: A case cannot be processed.
        CheckpointError: The images have other channels or axes than the checkpoint's network takes.
    """
    classes = prepared.state.truth.classes()
    used = _used(prepared.manifest, prepared.split)
    cache = existing_cache(
        cache_dir, _cache_key(used, classes, state.pipeline), [entry.case.case_id for entry in used]
    ) or _cache(cache_dir, prepared.folder, prepared.entries(case_ids), classes, state.pipeline)
    _check_images(state, _one_number_of_channels(cache), len(cache.grid(0)))
    return replace(prepared, state=state, cache=cache)


def _cache(
    cache_dir: Path, folder: Path, entries: Sequence[Entry], classes: Classes | None, pipeline: Pipeline
) -> CaseCache:
    """Open or make the cache of these cases."""
    by_id = {entry.case.case_id: entry.case for entry in entries}

    def make(case_id: str) -> ProcessedCase:
        try:
            return process_case(case_id, load_sample(folder, by_id[case_id], classes), pipeline)
        except (DataError, MemoryError) as error:
            raise _case_fault(case_id, error) from error

    return open_cache(cache_dir, _cache_key(entries, classes, pipeline), list(by_id), make)


def _cache_key(entries: Sequence[Entry], classes: Classes | None, pipeline: Pipeline) -> str:
    """Hash everything that the processed cases depend on."""
    return plain_hash(
        {
            "cases": [[entry.case.case_id, entry.content_hash] for entry in entries],
            "classes": None if classes is None else classes.plain(),
            "pipeline": pipeline.fingerprint,
        }
    )


def _case_fault(case_id: str, error: DataError | MemoryError) -> DataError:
    """Name the case that a step refuses, or that memory does not suffice for."""
    text = str(error)
    if isinstance(error, DataError):
        return DataError(text if text.startswith("case ") else f"case {case_id}, {text}")
    todo = "Correct the target size or spacing in data.preparation.steps, or take a machine with more memory"
    what, got = "too little memory to preprocess it", text.rstrip(".") or "none left"
    return DataError(expected_got(f"case {case_id}", what, "room for its steps", got, todo))


def _used(manifest: Manifest, split: Split) -> list[Entry]:
    """Give the cases that are in a set, in the manifest's order."""
    used = {case_id for ids in split.sets.values() for case_id in ids}
    return [entry for entry in manifest.entries if entry.case.case_id in used]


def _loaded(folder: Path, entries: Sequence[Entry], classes: Classes) -> Iterator[Sample]:
    """Read cases one after the other."""
    for entry in entries:
        yield load_sample(folder, entry.case, classes)


def _fit_normalize(plan: Plan, cache: CaseCache, train: Sequence[Entry]) -> Pipeline:
    """Fit the last step on the processed training images."""
    ids = [entry.case.case_id for entry in train]
    made_of = [cache.index.key, *ids]

    def samples() -> Iterator[Sample]:
        for case_id in ids:
            yield Sample((flat_volume(cache.image(cache.rows[case_id])),))

    return remembered_fit(plan.cache_dir, plan.normalize, made_of, samples)


def _median_spacing(cache: CaseCache, train: Sequence[Entry]) -> tuple[float, ...] | None:
    """Give the median spacing of the processed training images; None where one of them is unknown."""
    traces = [cache.trace(cache.rows[entry.case.case_id]) for entry in train]
    if any(trace.known_mm is None for trace in traces):
        return None
    return tuple(float(median(sides)) for sides in zip(*(trace.processed_mm for trace in traces), strict=True))


def _one_number_of_channels(cache: CaseCache) -> int:
    """Give the images' number of channels.

    Raises:
        DataError: They differ.
    """
    by_channels: dict[int, list[str]] = {}
    for row, case_id in enumerate(cache.case_ids):
        by_channels.setdefault(cache.channels(row), []).append(case_id)
    if len(by_channels) != 1:
        got = ", ".join(
            f"{channels} in {len(ids)} cases (such as {ids[0]})" for channels, ids in sorted(by_channels.items())
        )
        todo = "Add lit_medseg.preprocess.to_gray.ToGray or to_rgb.ToRGB to data.preparation.steps"
        raise DataError(expected_got("images", "different numbers of channels", "one", got, todo))
    return next(iter(by_channels))


def _check_images(state: FittedState | None, channels: int, axes: int) -> None:
    """Refuse images with other channels or axes than the checkpoint's network takes.

    Raises:
        CheckpointError: They differ.
    """
    if state is not None and state.axes not in (None, axes):
        todo = "Use the data that the checkpoint was trained for"
        kinds = {2: "pictures (2 axes)", 3: "volumes (3 axes)"}
        what = "trained on images of another kind"
        raise CheckpointError(expected_got("checkpoint", what, kinds[state.axes or 2], kinds[axes], todo))
    if state is not None and state.image_channels != channels:
        todo = "Use the data that the checkpoint was trained for"
        raise CheckpointError(
            expected_got("checkpoint", "trained on other channels", state.image_channels, channels, todo)
        )
