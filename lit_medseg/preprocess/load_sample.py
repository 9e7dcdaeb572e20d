"""One case from its files into memory."""

from pathlib import Path

from lit_medseg.catalogue.case import Case
from lit_medseg.catalogue.classes import Classes, MaskClasses
from lit_medseg.catalogue.mask_place import place_masks
from lit_medseg.catalogue.read_ref import read_image_ref
from lit_medseg.errors import DataError
from lit_medseg.imaging.kept_file import keep_last_file
from lit_medseg.preprocess.sample import Sample


def load_sample(folder: Path, case: Case, classes: Classes | None) -> Sample:
    """Read the channels and, for segmentation, the mask of a case that the manifest has checked.

    Args:
        folder: Where the case's references start from.
        case: The case.
        classes: The declared classes; None (predict) and label classes leave the mask unread.

    Returns:
        The sample as the files hold it; the mask as class codes on the grid of one of its channels.

    Raises:
        DataError: A file has changed since the manifest was made, and cannot be used any more.
    """
    with keep_last_file():
        images = tuple(read_image_ref(folder, ref) for ref in case.images)
    if not isinstance(classes, MaskClasses):
        return Sample(images, channels=case.channels)
    placed = place_masks(folder, case, images)
    if placed.faults:
        raise DataError(placed.faults[0])
    raw = [mask.array[0] for mask in placed.masks]
    codes = classes.encode(raw if classes.overlapping else raw[0], f"case {case.case_id}")
    mask = placed.masks[0].with_array(codes if classes.overlapping else codes[None])
    return Sample(images, mask, channels=case.channels)
