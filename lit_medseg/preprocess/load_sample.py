"""One case from its files into memory."""

from pathlib import Path

from lit_medseg.catalogue.case import Case
from lit_medseg.catalogue.classes import Classes, MaskClasses
from lit_medseg.imaging.read_array import read_image, read_mask
from lit_medseg.imaging.volume import flat_volume
from lit_medseg.preprocess.sample import Sample


def load_sample(folder: Path, case: Case, classes: Classes | None) -> Sample:
    """Read the channels and, for segmentation, the mask of a case that the manifest has checked.

    Args:
        folder: Where the case's references start from.
        case: The case.
        classes: The declared classes; None (predict) and label classes leave the mask unread.

    Returns:
        The sample as the files hold it; the mask as class codes.

    Raises:
        DataError: A file has changed since the manifest was made, and cannot be used any more.
    """
    images = tuple(flat_volume(read_image(folder / ref.path, ref.key, ref.index)) for ref in case.images)
    if not isinstance(classes, MaskClasses):
        return Sample(images)
    raw = [read_mask(folder / ref.path, ref.key, ref.index) for ref in case.masks]
    codes = classes.encode(raw if classes.overlapping else raw[0], f"case {case.case_id}")
    return Sample(images, flat_volume(codes if classes.overlapping else codes[None]))
