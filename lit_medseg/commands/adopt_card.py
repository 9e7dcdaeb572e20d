"""The data of a verb that works on a checkpoint or an ensemble."""

from collections.abc import Mapping
from typing import Any

from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.data.ensemble_data import EnsembleData
from lit_medseg.tracking.ensemble_file import members_of


def adopt_card(data: CaseDataModule, card: Mapping[str, Any], verb: str) -> CaseDataModule:
    """Let the data take over classes and fitted pipelines, of an ensemble those of every member.

    Args:
        data: As the YAML describes it.
        card: The checkpoint's.
        verb: `validate`, `test` or `predict`.

    Returns:
        The data to go on with.

    Raises:
        CheckpointError: The YAML contradicts the checkpoint.
    """
    members = members_of(card)
    if members:
        return EnsembleData(data, [member["data"] for member in members], "val" if verb == "validate" else "test")
    data.adopt(card["data"])
    return data
