"""Files of four dimensions: one channel is taken only when it is named."""

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got


def one_channel(array: NDArray[np.generic], index: int | None, where: str) -> NDArray[np.generic]:
    """Bring an array whose first three axes are spatial to exactly three dimensions.

    Args:
        array: Two to seven dimensions; the ones after the third are channels, directions or times.
        index: The channel along the fourth axis (or the only later one that is longer than 1).
        where: What errors call the file.

    Returns:
        Three dimensions, a view where there is one channel; a missing third axis gets the length 1.

    Raises:
        DataError: Several channels and no `index`, an `index` out of range, or more than one axis of channels.
    """
    shape = array.shape
    spatial = (*shape[:3], *(1,) * (3 - len(shape)))
    later = [size for size in shape[3:] if size != 1]
    if len(later) > 1 or len(shape) < 2:
        todo = "Save one volume per file"
        raise DataError(expected_got(where, "the dimensions are no volume", "three or four", shape, todo))
    channels = later[0] if later else 1
    if index is None and channels != 1:
        todo = (
            "Save one volume a file, or name the channel: `file[0]` in a table, `--index 0` of `data convert`; the "
            "source Decathlon takes all"
        )
        raise DataError(expected_got(where, "the file has four dimensions", "three, or an index", shape, todo))
    if not 0 <= (index or 0) < channels:
        todo = "Correct the index"
        raise DataError(expected_got(where, "no such channel", f"an index below {channels}", index, todo))
    chosen = array.reshape((*spatial, channels), order="A")[..., index or 0]
    return chosen if channels == 1 else chosen.copy(order="K")  # not to keep all channels in memory
