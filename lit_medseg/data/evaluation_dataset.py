"""Whole cases, with their way back to the native grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import Dataset

from lit_medseg.catalogue.entry import Entry
from lit_medseg.data.case_tensors import label_tensor, mask_tensor
from lit_medseg.data.normalization import normalized
from lit_medseg.preprocess.cache import CaseCache
from lit_medseg.preprocess.pipeline import Pipeline


@dataclass(frozen=True)
class EvaluationDataset(Dataset[dict[str, Any]]):
    """Cases to validate, test or predict on: nothing is cut or drawn.

    Attributes:
        cache: The processed cases.
        rows: Rows of these cases in the cache.
        entries: The same cases in the manifest.
        overlapping: Whether masks are planes.
        normalize: The last step.
    """

    cache: CaseCache
    rows: Sequence[int]
    entries: Sequence[Entry]
    overlapping: bool
    normalize: Pipeline

    def __len__(self) -> int:
        """Count the cases."""
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Give a case; its truth, if any, as `mask` (processed grid) and `reference` (native), or as `label`."""
        row, entry = self.rows[index], self.entries[index]
        mask, reference = self.cache.mask(row), self.cache.reference(row)
        sample: dict[str, Any] = {
            "case_id": entry.case.case_id,
            "patient_id": entry.case.group,
            "image": torch.from_numpy(normalized(self.cache.image(row), self.normalize)),
            "trace": self.cache.trace(row),
        }
        if mask is not None:
            sample["mask"] = mask_tensor(mask, self.overlapping)
        if reference is not None:
            sample["reference"] = mask_tensor(reference, self.overlapping)
        if entry.label is not None:
            sample["label"] = label_tensor(entry.label)
        return sample
