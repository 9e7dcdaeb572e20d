"""Patches that are larger than the volumes they are cut from."""

import logging
from collections.abc import Sequence

from lightning.pytorch.utilities import rank_zero_only

from lit_medseg.preprocess.cache import CaseCache

_log = logging.getLogger(__name__)


@rank_zero_only
def say_large_patch(cache: CaseCache, rows: Sequence[int], patch_size: Sequence[int] | None, filled: str) -> int:
    """Say once, in the process that sets training up, that patches reach beyond volumes.

    Args:
        cache: The processed cases.
        rows: Rows of the training cases.
        patch_size: Of the patches; None for whole images.
        filled: With what patches are filled, for the text.

    Returns:
        How many training cases are smaller than a patch along any axis.
    """
    if patch_size is None:
        return 0
    small = [
        row for row in rows if any(side > length for side, length in zip(patch_size, cache.grid(row), strict=False))
    ]
    if small:
        first = f"{cache.case_ids[small[0]]}: {list(cache.grid(small[0]))}"
        text = "data.training.patch_size: %s is larger than %d of %d training cases (%s); patches are filled with %s"
        _log.warning(text, list(patch_size), len(small), len(rows), first, filled)
    return len(small)
