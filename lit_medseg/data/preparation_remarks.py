"""What a user should know of the prepared training cases before training on them."""

import logging
from collections.abc import Sequence
from statistics import median

from lightning.pytorch.utilities import rank_zero_only

from lit_medseg.data.large_patch import say_large_patch
from lit_medseg.data.prepared import Prepared
from lit_medseg.preprocess.label_sizes import label_size_changes

_log = logging.getLogger(__name__)
NOTABLE = 0.1
"""Share of its size by which a label of a case has to change."""


@rank_zero_only
def say_remarks(prepared: Prepared, patch_size: Sequence[int] | None, mirrored: bool) -> None:
    """Say once, in the process that sets training up, what is notable: large patches, labels that changed in size.

    Args:
        prepared: The processed cases.
        patch_size: Of the patches; None for whole images.
        mirrored: Whether patches beyond an image are filled with its mirror image.
    """
    rows = prepared.rows(prepared.train_entries)
    filled = "their mirror image" if mirrored else "0 after normalisation, and background"
    say_large_patch(prepared.cache, rows, patch_size, filled)
    for name, changes in _changes(prepared, rows).items():
        case_id, worst = max(changes.items(), key=lambda change: abs(change[1]))
        if abs(worst) > NOTABLE:
            text = "class %s: resampling changes its size by %+.0f%% in the median of %d training cases, %+.0f%% in %s"
            _log.warning(text, name, 100 * median(changes.values()), len(changes), 100 * worst, case_id)


def _changes(prepared: Prepared, rows: Sequence[int]) -> dict[str, dict[str, float]]:
    """Give the share by which each label changed, by class and case."""
    names = prepared.state.target.foreground
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        for code, (before, after) in label_size_changes(prepared.cache.trace(row)).items():
            if int(code) <= len(names):
                found.setdefault(names[int(code) - 1], {})[prepared.cache.case_ids[row]] = after / before - 1
    return found
