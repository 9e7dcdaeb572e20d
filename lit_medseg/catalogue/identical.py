"""Identical images: the same pixels under two case ids."""

import logging
from collections.abc import Iterator
from typing import Literal

from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import SETS, Split
from lit_medseg.errors import DataError, expected_got, first_ten

IdenticalImages = Literal["refuse", "allow", "drop"]
NOWHERE = "no set"
MOST_NAMED = 6

_log = logging.getLogger(__name__)


def settle_identical(manifest: Manifest, split: Split, policy: IdenticalImages) -> tuple[Manifest, Split]:
    """Apply the user's policy to images with equal pixels.

    Such images leak where they stand in two sets, and contradict where their truths differ. Copies within one set and
    of one truth do no harm and stay under every policy.

    Args:
        manifest: All cases.
        split: Their sets.
        policy: `refuse` raises; `allow` changes nothing; `drop` leaves out all images of contradicting truth, and of
            those in several sets all but the ones in the set that matters most (test, then val, then train).

    Returns:
        Manifest and split without the dropped cases.

    Raises:
        DataError: The policy is `refuse` and there are such images; all such cases and their sets are named.
    """
    if policy == "allow":
        return manifest, split
    home = {case_id: name for name, ids in split.sets.items() for case_id in ids}
    groups = list(_groups(manifest))
    if policy == "refuse":
        faults = identical_faults(manifest, split)
        if faults:
            noun = "image" if len(faults) == 1 else "images"
            raise DataError(f"identical images: {len(faults)} {noun} under several case ids\n{first_ten(faults)}")
        return manifest, split
    dropped = {case_id for group in groups for case_id in _dropped(group, home)}
    if not dropped:
        return manifest, split
    _log.info("identical images: dropped %d cases: %s", len(dropped), ", ".join(sorted(dropped)))
    sets = {name: tuple(case_id for case_id in ids if case_id not in dropped) for name, ids in split.sets.items()}
    rule = f"{split.rule}; {len(dropped)} identical images dropped"
    return manifest.without(dropped), Split(**sets, rule=rule, seed=split.seed)


def identical_faults(manifest: Manifest, split: Split) -> list[str]:
    """Find equal images in several sets or of contradicting truth, one line each in the house form."""
    home = {case_id: name for name, ids in split.sets.items() for case_id in ids}
    return [fault for fault in (_fault(group, home) for group in _groups(manifest)) if fault]


def identical_groups(manifest: Manifest) -> list[tuple[str, ...]]:
    """Give the case ids of images with equal pixels, two or more a group."""
    return [tuple(entry.case.case_id for entry in group) for group in _groups(manifest)]


def _groups(manifest: Manifest) -> Iterator[list[Entry]]:
    """Find the images that have equal pixels, two or more a group."""
    groups: dict[str, list[Entry]] = {}
    for entry in manifest.entries:
        groups.setdefault(entry.pixel_hash, []).append(entry)
    for group in groups.values():
        if len(group) > 1:
            yield group


def _fault(group: list[Entry], home: dict[str, str]) -> str:
    """Name the cases of a group that contradicts itself or leaks; an empty text for one that does no harm."""
    homes = sorted({home[entry.case.case_id] for entry in group if entry.case.case_id in home}, key=SETS.index)
    first = group[0]
    other = next((entry for entry in group if entry.truth_hash != first.truth_hash), None)
    if other is None and len(homes) < 2:
        return ""
    names = [f"case {entry.case.case_id} ({home.get(entry.case.case_id, NOWHERE)})" for entry in group]
    where = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
    todo = "Remove one, or set `data.init_args.trust.identical: drop` (or `allow`) in the YAML"
    if other is None:
        return expected_got(where, "identical images in several sets", "one set", " and ".join(homes), todo)
    got = _truths(first, other)
    return expected_got(where, "identical images with contradicting truth", "equal truth", got, todo)


def _truths(first: Entry, second: Entry) -> str:
    """Say how two truths differ."""
    if first.label is not None or first.present != second.present:
        return f"{list(first.present)} and {list(second.present)}"
    return f"masks of {dict(first.pixels)} and {dict(second.pixels)} pixels"


def _dropped(group: list[Entry], home: dict[str, str]) -> set[str]:
    """Choose what is left out of a group."""
    ids = [entry.case.case_id for entry in group]
    if len({entry.truth_hash for entry in group}) > 1:
        return set(ids)
    homes = {home[case_id] for case_id in ids if case_id in home}
    best = next((name for name in ("test", "val", "train") if name in homes), NOWHERE)
    return {case_id for case_id in ids if home.get(case_id, best) != best}
