"""Cases through the preprocessing of every member of an ensemble."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch.utils.data import Dataset

from lit_medseg.batch import Batch
from lit_medseg.data.collate import collate
from lit_medseg.data.evaluation_dataset import EvaluationDataset
from lit_medseg.data.fitted_state import FittedState
from lit_medseg.data.studies import Studies, processed_study
from lit_medseg.inference.skipped_case import nameless, skipped_case
from lit_medseg.preprocess.load_sample import load_sample

_OF_A_WAY = ("image", "mask", "trace")


@dataclass(frozen=True)
class EnsembleCases(Dataset[dict[str, Any]]):
    """Cached cases to validate or test on.

    Attributes:
        ways: The same cases through each preprocessing, in the same order.
    """

    ways: Sequence[EvaluationDataset]

    def __len__(self) -> int:
        """Count the cases."""
        return len(self.ways[0])

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Give a case: what is the same for all members once, and `ways` with `image`, `mask` and `trace`."""
        samples = [way[index] for way in self.ways]
        return _sample(samples[0], samples)


@dataclass(frozen=True)
class EnsembleStudies(Dataset[dict[str, Any]]):
    """Processes a study for every member when it is asked for; its files are read once.

    Attributes:
        studies: The studies, in the order of the manifest.
        states: The different preprocessings.
    """

    studies: Studies
    states: Sequence[FittedState]

    def __len__(self) -> int:
        """Count the studies."""
        return len(self.studies.manifest.entries)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Give a case as `EnsembleCases` does; of a study that fails only `skipped`."""
        case = self.studies.manifest.entries[index].case
        try:
            sample = load_sample(self.studies.folder, case, None)
            ways = [processed_study(case.case_id, sample, state) for state in self.states]
        except Exception as error:  # whatever a study is broken by, the others go on
            return {"skipped": nameless(skipped_case(case.case_id, "preprocessing", error), case)}
        return _sample({"case_id": case.case_id, "patient_id": case.group, "trace": ways[0]["trace"]}, ways)


@dataclass(frozen=True)
class EnsembleCollate:
    """Puts samples together: the ways one by one, whatever their grids.

    Attributes:
        way_of: The way of each member.
    """

    way_of: tuple[int, ...]

    def __call__(self, samples: Sequence[dict[str, Any]]) -> Batch:
        """Collate; a study that failed is no case, but is told under `skipped`."""
        skipped = [sample["skipped"] for sample in samples if "skipped" in sample]
        sound = [sample for sample in samples if "skipped" not in sample]
        shared = collate([{key: value for key, value in sample.items() if key != "ways"} for sample in sound])
        ways = [collate(way) for way in zip(*(sample["ways"] for sample in sound), strict=True)]
        return cast("Batch", {**shared, "ways": ways, "way_of": list(self.way_of), "skipped": skipped})


def _sample(first: dict[str, Any], ways: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Part what differs between the ways from what does not; the trace stands in both, for its native side."""
    shared = {key: value for key, value in first.items() if key not in ("image", "mask")}
    return {**shared, "ways": [{key: way[key] for key in _OF_A_WAY if key in way} for way in ways]}
