"""The `dataset.json` of nnU-Net and of the Medical Segmentation Decathlon."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_medseg.errors import DataError, expected_got

FILE = "dataset.json"


@dataclass(frozen=True)
class DatasetJson:
    """What both formats say.

    Attributes:
        channels: Names of the channels in the order of their numbers (`channel_names`, or `modality`).
        labels: Code by class name; a list of codes for a region.
        ending: What image files end with (`file_ending`; the older format has none: `.nii.gz`).
        training: Number of training cases that the file claims; None where it says nothing.
        plain: The whole file.
    """

    channels: tuple[str, ...]
    labels: Mapping[str, Any]
    ending: str
    training: int | None
    plain: Mapping[str, Any]

    def number_faults(self, root: str, found: int) -> list[str]:
        """Compare the number of training cases with those that are there; empty where they agree."""
        if self.training in (None, found):
            return []
        todo = f"Restore the missing files, or correct `numTraining` in {FILE}"
        what = "the number of training cases differs"
        return [expected_got(f"{root}/{FILE}", what, self.training, found, todo)]


def read_dataset_json(folder: Path, root: str) -> DatasetJson:
    """Read the file that describes the data set.

    Args:
        folder: The data set's folder.
        root: What errors call it.

    Returns:
        The facts; labels of the older format (`{"1": "liver"}`) are turned round.

    Raises:
        DataError: It is missing, no JSON, or names no channels.
    """
    where = f"{root}/{FILE}"
    path = folder / FILE
    if not path.is_file():
        todo = f"Set `root` to the folder that holds {FILE}"
        raise DataError(expected_got(where, "the file is missing", "a JSON file", "nothing there", todo))
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(expected_got(where, "not JSON", "an object", error, "Correct the file")) from error
    names = plain.get("channel_names", plain.get("modality")) if isinstance(plain, dict) else None
    if not isinstance(names, dict) or sorted(names) != sorted(str(number) for number in range(len(names))) or not names:
        todo = 'Write `"channel_names": {"0": "CT"}`'
        got = "nothing" if names is None else names
        raise DataError(expected_got(where, "it names no channels", "channel_names by number from 0", got, todo))
    channels = tuple(str(names[str(number)]) for number in range(len(names)))
    claimed = plain.get("numTraining")
    return DatasetJson(
        tuple(f"{name}_{number}" if channels.count(name) > 1 else name for number, name in enumerate(channels)),
        _labels(plain.get("labels", {})),
        str(plain.get("file_ending", ".nii.gz")),
        claimed if isinstance(claimed, int) else None,
        plain,
    )


def _labels(labels: Any) -> dict[str, Any]:
    """Give codes by name, whichever way round the file has them."""
    if not isinstance(labels, dict):
        return {}
    if labels and all(str(key).isdigit() and isinstance(name, str) for key, name in labels.items()):
        return {name: int(key) for key, name in labels.items()}
    return dict(labels)
