"""Which cases a network has seen, as hashes of their images: nobody is named, and a renamed copy is found too."""

from collections.abc import Iterable, Mapping
from typing import Any

from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import Split

_DIGITS = 16
"""Of 64: two of a million images are alike by chance once in 40 million data sets."""


def seen_cases(manifest: Manifest, split: Split) -> dict[str, list[str]]:
    """Describe a training for a checkpoint's card.

    Args:
        manifest: The cases.
        split: Their sets.

    Returns:
        Hashes of the images that trained (`train`) and that chose the checkpoint (`val`), sorted; JSON-able.
    """
    return {name: sorted(_hash(manifest, case_id) for case_id in split.sets[name]) for name in ("train", "val")}


def seen_among(case_ids: Iterable[str], manifest: Manifest, seen: Mapping[str, Any], sets: Iterable[str]) -> list[str]:
    """Find the cases that a network has seen.

    Args:
        case_ids: The cases to look for.
        manifest: Knows their images.
        seen: What `seen_cases` gave.
        sets: Which of its sets count.

    Returns:
        Their ids in the given order.
    """
    known = {one for name in sets for one in seen.get(name, ())}
    return [case_id for case_id in case_ids if _hash(manifest, case_id) in known]


def _hash(manifest: Manifest, case_id: str) -> str:
    return manifest.by_id[case_id].pixel_hash[:_DIGITS]
