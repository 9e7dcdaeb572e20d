"""What an evaluation step has predicted, onto the disk."""

from pathlib import Path
from typing import Any

from lit_medseg.batch import Batch
from lit_medseg.inference.post_process.stored_masks import store_case


def store_batch(folder: Path, name: str, outputs: Any, batch: Batch) -> None:
    """Write prediction and reference of each case of a batch, as `StoredMasks` reads them.

    Args:
        folder: Of the evaluation.
        name: Of the batch: no other rank's, and no other batch's.
        outputs: The step's: its `prediction` has one mask a case, on the native grid.
        batch: With the references and traces; may be empty.
    """
    for number, prediction in enumerate(outputs["prediction"]):
        ids = (batch["case_id"][number], batch["patient_id"][number])
        masks = (prediction.cpu().numpy(), batch["reference"][number].cpu().numpy())
        store_case(folder / f"{name}-{number:03d}.npz", ids, *masks, batch["trace"][number].known_mm)
