"""The image of a case as a person looks at it."""

from pathlib import Path

import numpy as np

from lit_medseg.catalogue.entry import Entry
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.load_sample import load_sample


def native_image(folder: Path, entry: Entry) -> Volume:
    """Read a case as its files hold it.

    Args:
        folder: Where the case's references start from.
        entry: The case.

    Returns:
        The channels that lie on the native grid, stacked `(C, *S)`.
    """
    images = load_sample(folder, entry.case, None).images
    native = next((image for image in images if image.grid == entry.grid), images[0])
    return native.with_array(np.concatenate([image.array for image in images if image.grid == native.grid]))
