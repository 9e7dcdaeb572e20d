"""What new studies have to look like: as the cases did that a network was trained on."""

from typing import Any

from lit_medseg.catalogue.dicom_tree import DicomTree
from lit_medseg.catalogue.manifest import Manifest


def study_layout(manifest: Manifest) -> dict[str, Any]:
    """Describe the images of a data set's cases for `StudyFolder`.

    Args:
        manifest: The data set; its first case stands for all.

    Returns:
        The arguments of a `StudyFolder` but for `root`, JSON-able: files of a case, names of the channels, and the
        patterns by which DICOM series were told apart. For a checkpoint's card.
    """
    case = manifest.entries[0].case
    stacked = len(case.images) if len(case.images) > 1 and len({ref.path for ref in case.images}) == 1 else 0
    stacked = stacked if all(ref.index is not None for ref in case.images) else 0
    layout: dict[str, Any] = {
        "images": 1 if stacked else len(case.images),
        "channels": list(case.channels),
        "stacked": stacked,
    }
    source = manifest.source
    if source["class_path"].rpartition(".")[2] == DicomTree.__name__:
        keys = {"channels": "series", "per": "per", "irregular": "irregular", "salt": "salt"}
        layout |= {new: source["init_args"].get(old) for old, new in keys.items() if old in source["init_args"]}
    return layout
