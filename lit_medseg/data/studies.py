"""New studies, read when their turn comes: nothing is kept of them, and a broken one stops no other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Dataset

from lit_medseg.batch import Batch
from lit_medseg.catalogue.build_manifest import survey_cases
from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.source import Source
from lit_medseg.catalogue.split import Split
from lit_medseg.data.collate import collate
from lit_medseg.data.evaluation_batches import dealt
from lit_medseg.data.fitted_state import FittedState
from lit_medseg.data.fixed_batches import FixedBatches
from lit_medseg.data.loaders import CONTEXT, Ranks, start_worker
from lit_medseg.data.loading import Loading
from lit_medseg.data.normalization import normalized
from lit_medseg.errors import DataError, expected_got, first_ten
from lit_medseg.inference.skipped_case import SkippedCase, nameless, skipped_case, skipped_in_reading
from lit_medseg.preprocess.load_sample import load_sample
from lit_medseg.preprocess.processed_case import process_case
from lit_medseg.preprocess.sample import Sample

_MOST_WORKERS = 2
"""A study ahead of the network is enough, and volumes are large."""


@dataclass(frozen=True)
class Studies:
    """Cases without truth, and the way from their files to the network.

    Attributes:
        folder: Where the cases' references start from.
        manifest: The sound cases.
        split: All of them in `test`.
        state: Classes and fitted pipelines.
        skipped: Those that cannot be read.
    """

    folder: Path
    manifest: Manifest
    split: Split
    state: FittedState
    skipped: tuple[SkippedCase, ...]


def find_studies(source: Source, cache_dir: Path, state: FittedState) -> Studies:
    """Read every case of a source, without any truth, and part the sound ones from the others.

    Args:
        source: Where the cases are.
        cache_dir: Where it is kept what was found, as long as no file changes.
        state: Of a checkpoint.

    Raises:
        DataError: There is no case, or none can be read.
    """
    source.prepare()
    survey = survey_cases(source, None, cache_dir, "unknown")
    entries = survey.manifest.entries
    if not entries:
        what = "no study can be read" if survey.listed else "no studies found"
        todo = "Mend the studies, or give another folder"
        text = expected_got(source.root, what, "images", f"{len(survey.faults)} faults", todo)
        told = [one.reason for one in _told(survey.faults, source)]
        raise DataError(f"{text}\n{first_ten(told)}")
    split = Split((), (), tuple(entry.case.case_id for entry in entries), rule="all cases")
    return Studies(source.folder, survey.manifest, split, state, tuple(_told(survey.faults, source)))


def _told(faults: Sequence[str], source: Source) -> Iterator[SkippedCase]:
    """Find the cases of the catalogue's faults."""
    cases = {case.case_id: case for case in source.list().cases} if faults else {}
    for fault in faults:
        skipped = skipped_in_reading(fault, cases)
        yield nameless(skipped, cases.get(skipped.case_id))


def study_loader(studies: Studies, loading: Loading, ranks: Ranks) -> DataLoader[Batch]:
    """Give a rank its studies, one a batch."""
    numbers = [[number] for number in range(len(studies.manifest.entries))]
    batches = FixedBatches(dealt(numbers, ranks.rank, ranks.world_size))
    workers = min(_MOST_WORKERS, loading.worker_count(ranks.local), len(batches))
    several: dict[str, Any] = {"worker_init_fn": start_worker, "multiprocessing_context": CONTEXT, "prefetch_factor": 1}
    dataset: Dataset[Any] = StudyDataset(studies)
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=study_batch,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        **(several if workers else {}),
    )


@dataclass(frozen=True)
class StudyDataset(Dataset[dict[str, Any]]):
    """Processes a study when it is asked for.

    Attributes:
        studies: The studies, in the order of the manifest.
    """

    studies: Studies

    def __len__(self) -> int:
        """Count the studies."""
        return len(self.studies.manifest.entries)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Give `case_id`, `patient_id`, `image (C, *S)` and `trace`; of a study that fails only `skipped`."""
        entry = self.studies.manifest.entries[index]
        try:
            return self._processed(entry)
        except Exception as error:  # whatever a study is broken by, the others go on
            return {"skipped": nameless(skipped_case(entry.case.case_id, "preprocessing", error), entry.case)}

    def _processed(self, entry: Entry) -> dict[str, Any]:
        case, state = entry.case, self.studies.state
        processed = processed_study(case.case_id, load_sample(self.studies.folder, case, None), state)
        return {"case_id": case.case_id, "patient_id": case.group, **processed}


def processed_study(case_id: str, sample: Sample, state: FittedState) -> dict[str, Any]:
    """Process a study for one checkpoint.

    Args:
        case_id: The study.
        sample: As its files hold it.
        state: The checkpoint's pipelines.

    Returns:
        `image (C, *S)` and `trace`.

    Raises:
        DataError: It does not fit the pipelines, or has other channels or axes than the cases of the training.
    """
    done = process_case(case_id, sample, state.pipeline)
    if len(done.image) != state.image_channels:
        todo = "Give studies with the channels that the checkpoint was trained on"
        where, got = f"case {case_id}", len(done.image)
        raise DataError(expected_got(where, "other channels than in training", state.image_channels, got, todo))
    if state.axes not in (None, done.image.ndim - 1):
        todo = "Give pictures to a checkpoint of pictures, volumes to one of volumes"
        what, got_axes = "another kind of image than in training", f"{done.image.ndim - 1} axes"
        raise DataError(expected_got(f"case {case_id}", what, state.axes, got_axes, todo))
    return {"image": torch.from_numpy(normalized(done.image, state.normalize)), "trace": done.trace}


def study_batch(samples: Sequence[dict[str, Any]]) -> Batch:
    """Collate; a batch of a study that failed has no case, but says so under `skipped`."""
    skipped = [sample["skipped"] for sample in samples if "skipped" in sample]
    batch = collate([sample for sample in samples if "skipped" not in sample])
    return cast("Batch", {**batch, "skipped": skipped})
