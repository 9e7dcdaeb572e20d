"""The base LightningDataModule: from a source in the YAML to batches."""

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import lightning.pytorch as pl
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch.utils.data import DataLoader

from lit_medseg.augment.batch_augmentation import BatchAugmentation
from lit_medseg.batch import Batch
from lit_medseg.catalogue.hold_out import HoldOut
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.source import Source
from lit_medseg.catalogue.split import Split
from lit_medseg.catalogue.splitter import Splitter
from lit_medseg.catalogue.summary import DataSummary, summarise
from lit_medseg.data.augmentation import Augmentation
from lit_medseg.data.class_weights import class_counts, class_weights, total_count
from lit_medseg.data.device_augmentation import augmented_on_device
from lit_medseg.data.fitted_state import FittedState
from lit_medseg.data.loaders import Ranks, Start, evaluation_loader, training_loader
from lit_medseg.data.loading import Loading
from lit_medseg.data.native_image import native_image
from lit_medseg.data.preparation import Preparation
from lit_medseg.data.preparation_remarks import say_remarks
from lit_medseg.data.prepared import Plan, Prepared, prepare_cases
from lit_medseg.data.rank_batches import SampleKey
from lit_medseg.data.studies import Studies, find_studies, study_loader
from lit_medseg.data.training import Training
from lit_medseg.data.training_dataset import TrainingDataset
from lit_medseg.data.trust import Trust
from lit_medseg.data.truth import Truth
from lit_medseg.errors import ConfigError
from lit_medseg.imaging.volume import Volume
from lit_medseg.inference.skipped_case import SkippedCase
from lit_medseg.preprocess.pipeline import Pipeline
from lit_medseg.preprocess.step import Step
from lit_medseg.target import MultiLabel, Target

# The defaults are frozen: one of each is enough.
_TRUTH, _TRUST, _PREPARATION, _TRAINING, _LOADING = Truth(), Trust(), Preparation(), Training(), Loading()


class CaseDataModule(pl.LightningDataModule, ABC):
    """Cases of one source, checked, split, preprocessed once, and handed out as `Batch`.

    Children give a modality's defaults; everything else is the YAML's.

    Args:
        source: Where the cases are.
        truth: The classes; may be left out for test and predict, where the checkpoint knows them.
        splitter: Which cases train, validate and test; None for `HoldOut()`.
        trust: What is known of patients, and what to do with identical images.
        preparation: Preprocessing, normalisation and where the cache is.
        training: Patches, augmentation and drawing of training samples.
        loading: Sizes of batches, and worker processes.
        predict_cases: What `predict` works on: `test`, the split's test cases, or `all` cases of the source, whose
            truth is then neither needed nor read.
    """

    def __init__(
        self,
        source: Source,
        truth: Truth = _TRUTH,
        splitter: Splitter | None = None,
        trust: Trust = _TRUST,
        preparation: Preparation = _PREPARATION,
        training: Training = _TRAINING,
        loading: Loading = _LOADING,
        predict_cases: Literal["test", "all"] = "test",
    ) -> None:
        super().__init__()
        self.source, self.truth, self.splitter, self.trust = source, truth, splitter, trust
        self.preparation, self.training, self.loading = preparation, training, loading
        self.predict_cases = predict_cases
        self._predicting = False
        self._adopted: FittedState | None = None
        self._prepared: Prepared | None = None
        self._predicted: Studies | None = None
        self._start = Start()

    @abstractmethod
    def default_preprocess(self) -> list[Step]:
        """Give the modality's steps, for a YAML that names none."""

    @abstractmethod
    def default_normalize(self) -> Step | None:
        """Give the modality's last step, for a YAML that names none; None where `default_preprocess` does it all."""

    @abstractmethod
    def default_augmentation(self) -> list[dict[str, Any]] | BatchAugmentation:
        """Give the modality's augmentation, for a YAML that names none.

        Albumentations as `class_path` and `init_args`, or ours, which takes volumes too.
        """

    def prepare(self, predicting: bool = False) -> None:
        """Check, split, fit and cache the cases; nothing the second time. Any process may call it, in any order.

        Args:
            predicting: For `predict`: with `predict_cases: all` no truth is read and nothing is split.

        Raises:
            MedSegError: Cases, split, classes or steps cannot be used.
        """
        self._predicting = self._predicting or predicting
        if not self._predicts_all():
            self._prepare_sets()
        elif self._predicted is None:
            if self._adopted is None:
                self._prepare_sets()
            self._predicted = find_studies(self.source, Path(self.preparation.cache_dir), self.state)

    def adopt(self, plain: dict[str, Any]) -> None:
        """Take over classes and fitted pipelines of a checkpoint, before test or predict.

        Args:
            plain: What `plain` gave when the checkpoint was written.

        Raises:
            CheckpointError: The YAML contradicts it, every contradiction listed.
        """
        state = FittedState.from_plain(plain)
        steps, last = self.preparation.steps, self.preparation.normalize
        state.check(
            self.truth,
            None if steps is None else Pipeline(tuple(steps)),
            None if last is None else Pipeline((last,)),
        )
        self._adopted = state
        self._prepared = self._predicted = None

    def start_at(self, epoch: int, batches: int) -> None:
        """Let the next training loader begin with a batch within an epoch: a run goes on."""
        self._start = Start(epoch, batches)

    def plain(self) -> dict[str, Any]:
        """Give classes and fitted pipelines as JSON-able data, for a checkpoint."""
        return self.state.plain()

    @property
    def state(self) -> FittedState:
        """Classes and fitted pipelines: the checkpoint's where one was adopted."""
        if self._adopted is not None:
            return self._adopted
        return self._ready().state

    @property
    def target(self) -> Target:
        """The classes and their coding."""
        return self.state.target

    @property
    def pipeline(self) -> Pipeline:
        """The fitted preprocessing: `pipeline.invert(volume, trace)` brings a prediction to its native grid."""
        return self.state.pipeline

    @property
    def segments(self) -> bool:
        """Whether the truth is masks (segmentation) and not labels."""
        return self.state.truth.masks is not None

    @property
    def first_sample(self) -> dict[str, Any]:
        """A training sample, cut, augmented and normalised: `image (C, *S)`, and `mask` or `label`."""
        dataset = cast("TrainingDataset", self.train_dataloader().dataset)
        return replace(dataset, on_device=False)[SampleKey(0, 0, 0)]

    @property
    def augmentation(self) -> Augmentation | BatchAugmentation:
        """The YAML's augmentation, else the modality's."""
        asked = self.training.augmentation
        chosen = self.default_augmentation() if asked is None else asked
        return chosen if isinstance(chosen, BatchAugmentation) else Augmentation(chosen)

    @property
    def manifest(self) -> Manifest:
        """The checked cases."""
        return self._cases().manifest

    @property
    def split(self) -> Split:
        """Which cases train, validate and test."""
        return self._cases().split

    @property
    def skipped(self) -> tuple[SkippedCase, ...]:
        """The cases that `predict_cases: all` could not read."""
        return () if self._predicted is None else self._predicted.skipped

    @property
    def summary(self) -> DataSummary:
        """The data in numbers."""
        ready = self._cases()
        return summarise(ready.manifest, ready.split, ready.state.truth.classes())

    @property
    def class_counts(self) -> dict[str, int]:
        """Pixels (native grids) or cases by class name, in the training cases."""
        return class_counts(self._ready().train_entries, self.target)

    @property
    def class_weights(self) -> list[float]:
        """Weights of the classes in the order of `target.names`, see `class_weights`."""
        return class_weights(self.class_counts, total_count(self._ready().train_entries), self.target)

    def native_image(self, case_id: str) -> Volume:
        """Read the image of a case as its files hold it: the channels on the native grid, stacked."""
        ready = self._cases()
        return native_image(ready.folder, ready.manifest.by_id[case_id])

    def prepare_data(self) -> None:
        """Lightning's hook, on one process of each machine."""
        self.prepare()

    def setup(self, stage: str) -> None:
        """Lightning's hook, on every process: what the first one cached is opened."""
        self.prepare()

    def train_dataloader(self) -> DataLoader[Batch]:
        """Give this rank's training batches."""
        start, self._start = self._start, Start()
        ranks = Ranks.of(self.trainer)
        return training_loader(self._ready(), self.training, self.augmentation, self.loading, ranks, start)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """Give this rank's validation batches; an empty list where the split validates nothing."""
        ready = self._ready()
        if not ready.split.val:
            return []
        return evaluation_loader(ready, ready.split.val, self.loading, Ranks.of(self.trainer))

    def test_dataloader(self) -> DataLoader[Batch]:
        """Give this rank's test batches."""
        ready = self._ready()
        return evaluation_loader(ready, ready.split.test, self.loading, Ranks.of(self.trainer))

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Give this rank's batches to predict on."""
        if self._predicts_all() and self._predicted is not None:
            return study_loader(self._predicted, self.loading, Ranks.of(self.trainer))
        return self.test_dataloader()

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move what the network sees; references stay with the scoring, and traces are no tensors."""
        for key in ("image", "mask", "label"):
            if key in batch:
                batch[key] = batch[key].to(device, non_blocking=True)
        return augmented_on_device(batch, device, isinstance(self.target, MultiLabel))

    def _prepare_sets(self) -> None:
        """Prepare the cases of the split."""
        if self._prepared is None:
            augmentation = self.augmentation
            if self._adopted is None and isinstance(augmentation, Augmentation) and augmentation.specs:
                _ = augmentation.compose  # a wrong key is named now, not by a worker after an hour of caching
            self._prepared = prepare_cases(self._plan())
            if self._adopted is None:
                size = self.training.patch_size
                say_remarks(self._prepared, size, isinstance(augmentation, Augmentation) and len(size or ()) == 2)

    def _predicts_all(self) -> bool:
        """Whether the verb is `predict`, and works on the whole source."""
        predicts = self.trainer is not None and self.trainer.state.fn == TrainerFn.PREDICTING
        return (predicts or self._predicting) and self.predict_cases == "all"

    def _ready(self) -> Prepared:
        """Give the processed cases of the split.

        Raises:
            ConfigError: `prepare` has not run.
        """
        if self._prepared is None:
            raise ConfigError("data: not prepared, expected a call of prepare(), got none. Call it before.")
        return self._prepared

    def _cases(self) -> Prepared | Studies:
        """Give what is known of the cases of the verb."""
        return self._predicted if self._predicts_all() and self._predicted is not None else self._ready()

    def _plan(self) -> Plan:
        """Fill in the defaults; classes that the YAML leaves out are the checkpoint's."""
        steps = self.preparation.steps
        last = self.default_normalize() if self.preparation.normalize is None else self.preparation.normalize
        truth = self._adopted.truth if self._adopted is not None and not self.truth.declared else self.truth
        return Plan(
            source=self.source,
            splitter=HoldOut() if self.splitter is None else self.splitter,
            trust=self.trust,
            cache_dir=Path(self.preparation.cache_dir),
            truth=truth,
            steps=Pipeline(tuple(self.default_preprocess() if steps is None else steps)),
            normalize=Pipeline(() if last is None else (last,)),
            adopted=self._adopted,
        )
