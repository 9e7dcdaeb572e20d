"""An ensemble as one file, which stands where a checkpoint stands."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.seen_cases import seen_cases
from lit_medseg.catalogue.split import Split
from lit_medseg.cluster.atomic_checkpoint_io import AtomicCheckpointIO
from lit_medseg.cluster.read_checkpoint import read_checkpoint
from lit_medseg.errors import CheckpointError, expected_got
from lit_medseg.tracking.checkpoint_card import KEY, read_card
from lit_medseg.tracking.ensemble_contradictions import ensemble_contradictions

_OF_A_MEMBER = ("data", "config", "class_weights", "run", "seen")
_OWN_EXPERIMENT = "Make the ensemble of checkpoints of one experiment"


def write_ensemble(
    members: Sequence[Path], target: Path, post_processing: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Put the weights and cards of several checkpoints into one file.

    It is a checkpoint without anything that training needs: plain data, which `test` and `predict` read as they read
    a single one. Weights are copied, so that the members may go.

    Args:
        members: Checkpoints that `fit` wrote, of the same task, classes and images.
        target: The file; an earlier ensemble there is replaced.
        post_processing: What was chosen for the ensemble, as `ChosenPostProcessing.plain` gives it; None for none. What
            was chosen for a member alone is left out.

    Returns:
        The ensemble's card.

    Raises:
        CheckpointError: No member, one that cannot be read, that is an ensemble, or that does not fit the first; all
            contradictions are listed.
        ConfigError: The target is a file of another kind.
        OSError: It cannot be written.
    """
    if not members:
        raise CheckpointError(expected_got("ensemble", "no members", "one checkpoint or more", "none", "Name them"))
    _check_target(target)
    cards = [read_card(path) for path in members]
    _check_members(members, cards)
    weights = {
        f"network.{number}.{name}": value
        for number, path in enumerate(members)
        for name, value in read_checkpoint(path)["state_dict"].items()
    }
    card: dict[str, Any] = {key: cards[0][key] for key in ("task", "data", "config", "studies") if key in cards[0]}
    card["members"] = [
        {**{key: one[key] for key in _OF_A_MEMBER if key in one}, **_seen(path, one), "file": path.name}
        for path, one in zip(members, cards, strict=True)
    ]
    if post_processing is not None:
        card["post_processing"] = dict(post_processing)
    version = read_checkpoint(members[0])["pytorch-lightning_version"]
    content = {"state_dict": weights, KEY: card, "pytorch-lightning_version": version}
    AtomicCheckpointIO().save_checkpoint(content, target)
    return card


def members_of(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the cards of an ensemble's members; empty for the card of a single checkpoint."""
    return list(card.get("members", []))


def _check_target(target: Path) -> None:
    """Replace nothing but an ensemble: a slip of the hand must not cost a checkpoint."""
    if target.is_file() and not members_of(read_card(target)):
        todo = "Name another file"
        raise CheckpointError(expected_got(target, "it is no ensemble", "a new file", "a single checkpoint", todo))
    if target.is_dir():
        raise CheckpointError(
            expected_got(target, "it is a folder", "a file such as ensemble.ckpt", "a folder", "Name one")
        )


def _check_members(paths: Sequence[Path], cards: Sequence[Mapping[str, Any]]) -> None:
    """Refuse ensembles within ensembles, and members that do not fit the first."""
    faults = []
    for path, card in zip(paths, cards, strict=True):
        if members_of(card):
            todo = "Name its members instead"
            faults.append(
                expected_got(path, "an ensemble", "a single checkpoint", f"{len(card['members'])} members", todo)
            )
            continue
        for what, expected, got in ensemble_contradictions(cards[0], card):
            faults.append(expected_got(path, f"other {what} than {paths[0]}", expected, got, _OWN_EXPERIMENT))
    if faults:
        raise CheckpointError("\n".join(faults))


def _seen(path: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """Read which cases a member has seen from its run folder, where its card does not say."""
    folder = path.absolute().parent.parent
    if "seen" in card or not (folder / "split.json").is_file() or not (folder / "manifest.json").is_file():
        return {}
    try:
        return {
            "seen": seen_cases(Manifest.from_json(folder / "manifest.json"), Split.from_json(folder / "split.json"))
        }
    except (OSError, ValueError, KeyError, TypeError, json.JSONDecodeError):
        return {}  # `test` says then that it does not know
