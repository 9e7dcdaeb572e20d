"""How often classes occur in the training cases, and weights that make up for it."""

from collections.abc import Sequence

from lit_medseg.catalogue.entry import Entry
from lit_medseg.target import MultiLabel, Target


def class_counts(entries: Sequence[Entry], target: Target) -> dict[str, int]:
    """Count pixels (segmentation, native grids) or cases (classification) by class.

    Args:
        entries: The training cases.
        target: The classes; `background` counts what no other exclusive class has.
    """
    counts = dict.fromkeys(target.names, 0)
    for entry in entries:
        for name, number in (entry.pixels or dict.fromkeys(entry.present, 1)).items():
            counts[name] += number
    if "background" in counts:
        counts["background"] = total_count(entries) - sum(counts.values())
    return counts


def total_count(entries: Sequence[Entry]) -> int:
    """Count all pixels (segmentation) or cases (classification)."""
    return sum(_pixels(entry) if entry.pixels else 1 for entry in entries)


def class_weights(counts: dict[str, int], total: int, target: Target) -> list[float]:
    """Weigh rare classes up, in the order of `target.names`; a class without any gets 1.

    Exclusive classes: n / (K n_k), as scikit-learn's `balanced`.
    Source: King, Zeng 2001, doi:10.1093/oxfordjournals.pan.a004868.
    Overlapping classes: (n - n_k) / n_k, the `pos_weight` of torch's binary cross-entropy; a class that always holds
    gets 1 as well.

    Args:
        counts: From `class_counts`.
        total: From `total_count`.
        target: The classes.
    """
    numbers = [counts[name] for name in target.names]
    if isinstance(target, MultiLabel):
        return [(total - number) / number if 0 < number < total else 1.0 for number in numbers]
    return [total / (len(numbers) * number) if number else 1.0 for number in numbers]


def _pixels(entry: Entry) -> int:
    """Count the pixels of a case."""
    count = 1
    for side in entry.grid:
        count *= side
    return count
