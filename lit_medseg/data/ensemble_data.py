"""The data of an ensemble: every case through the fitted preprocessing of every member."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader, Dataset
from typing_extensions import override

from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.batch import Batch
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.data.ensemble_cases import EnsembleCases, EnsembleCollate, EnsembleStudies
from lit_medseg.data.evaluation_batches import dealt, evaluation_batches
from lit_medseg.data.evaluation_dataset import EvaluationDataset
from lit_medseg.data.fitted_state import FittedState
from lit_medseg.data.fixed_batches import FixedBatches
from lit_medseg.data.loaders import CONTEXT, Ranks, start_worker
from lit_medseg.data.prepared import Prepared, prepare_again
from lit_medseg.errors import ConfigError
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.step import Step
from lit_medseg.target import MultiLabel

_WORKERS_OF_VOLUMES = 1
"""The network takes a multiple of a single one's time, and each batch that waits holds a volume for each member."""


class EnsembleData(CaseDataModule):
    """A data module that has adopted several checkpoints.

    What the members share (cases, split, classes) is the first one's. Members that preprocess alike share images.

    Args:
        data: As the YAML describes it.
        states: What `CaseDataModule.plain` gave for each member.
        evaluated: The set that will be asked for: `val` or `test` (also by `predict`).

    Raises:
        CheckpointError: The YAML contradicts a member.
    """

    def __init__(
        self, data: CaseDataModule, states: Sequence[dict[str, Any]], evaluated: Literal["val", "test"]
    ) -> None:
        super().__init__(
            data.source,
            data.truth,
            data.splitter,
            data.trust,
            data.preparation,
            data.training,
            data.loading,
            data.predict_cases,
        )
        self._data, self._evaluated = data, evaluated
        self._states = list(states)
        fitted = [self.of_member(number).state for number in range(len(states))]
        self._ways: list[FittedState] = []
        for state in fitted:
            if not any(_alike(state, way) for way in self._ways):
                self._ways.append(state)
        self._way_of = tuple(
            next(number for number, way in enumerate(self._ways) if _alike(state, way)) for state in fitted
        )
        self._each: list[Prepared] = []
        self.adopt(states[0])

    def of_member(self, number: int) -> CaseDataModule:
        """Give the data as one member knows them, not prepared; valid until another member's are asked for."""
        self._data.adopt(self._states[number])
        return self._data

    @property
    def pipelines(self) -> list[Pipeline]:
        """The members' preprocessing."""
        return [self._ways[way].pipeline for way in self._way_of]

    @override
    def plain(self) -> dict[str, Any]:
        return {"members": self._states}

    @override
    def default_preprocess(self) -> list[Step]:
        return self._data.default_preprocess()

    @override
    def default_normalize(self) -> Step | None:
        return self._data.default_normalize()

    @override
    def default_augmentation(self) -> list[dict[str, Any]] | BatchAugmentation:
        return self._data.default_augmentation()

    @override
    def prepare(self, predicting: bool = False) -> None:
        super().prepare(predicting)
        if self._prepared is not None and not self._each:
            cache_dir = Path(self.preparation.cache_dir)
            case_ids = self._prepared.split.sets[self._evaluated]
            ways = self._ways[1:] if case_ids else []  # an empty set is refused by the verb
            others = [prepare_again(self._prepared, way, cache_dir, case_ids) for way in ways]
            self._each = [self._prepared, *others]

    @override
    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        return self._batches("val") if self._ready().split.val else []

    @override
    def test_dataloader(self) -> DataLoader[Batch]:
        return self._batches("test")

    @override
    def predict_dataloader(self) -> DataLoader[Batch]:
        if not self._predicts_all() or self._predicted is None:
            return self.test_dataloader()
        studies = self._predicted
        numbers = [[number] for number in range(len(studies.manifest.entries))]
        return self._loader(EnsembleStudies(studies, self._ways), numbers, _WORKERS_OF_VOLUMES)

    def _batches(self, name: Literal["val", "test"]) -> DataLoader[Batch]:
        """Give this rank's batches: a batch has equal grids on every way, as a single checkpoint's batches have."""
        if name != self._evaluated:
            raise ConfigError(f"data: not prepared, expected the set {self._evaluated}, got {name}. Name it before.")
        entries = self._ready().entries(self._ready().split.sets[name])
        rows = [each.rows(entries) for each in self._each]
        grids = [
            tuple(side for each, row in zip(self._each, own, strict=True) for side in each.cache.grid(row))
            for own in zip(*rows, strict=True)
        ]
        overlapping = isinstance(self.target, MultiLabel)
        ways = [
            EvaluationDataset(each.cache, own, entries, overlapping, each.state.normalize)
            for each, own in zip(self._each, rows, strict=True)
        ]
        volumes = any(len(entry.grid) == 3 for entry in entries)
        batches = evaluation_batches(grids, 1 if volumes else self.loading.eval_batch_size)
        return self._loader(EnsembleCases(ways), batches, _WORKERS_OF_VOLUMES if volumes else None)

    def _loader(self, dataset: Dataset[Any], batches: list[list[int]], most_workers: int | None) -> DataLoader[Batch]:
        ranks = Ranks.of(self.trainer)
        own = dealt(batches, ranks.rank, ranks.world_size)
        workers = min(self.loading.worker_count(ranks.local), len(own))
        workers = workers if most_workers is None else min(workers, most_workers)
        several: dict[str, Any] = {
            "worker_init_fn": start_worker,
            "multiprocessing_context": CONTEXT,
            "prefetch_factor": 1 if most_workers is not None else self.loading.prefetch,
        }
        return DataLoader(
            dataset,
            batch_sampler=FixedBatches(own),
            collate_fn=EnsembleCollate(self._way_of),
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
            **(several if workers else {}),
        )


def _alike(state: FittedState, other: FittedState) -> bool:
    """Whether two checkpoints preprocess alike, to the last bit of what they fitted."""
    return all(
        own.fingerprint == its.fingerprint
        for own, its in ((state.pipeline, other.pipeline), (state.normalize, other.normalize))
    )
