"""The warning that a score is not honest: cases are scored that the network was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from lit_medseg.catalogue.seen_cases import seen_among
from lit_medseg.data.datamodule import CaseDataModule
from lit_medseg.tracking.ensemble_file import members_of
from lit_medseg.tracking.run_logger import RunLogger

_SCORED = {"validate": ("val", ("train",)), "test": ("test", ("train", "val"))}
"""The verb's set, and what a case of it must not have been before: training cases make the weights, validation cases
choose the checkpoint."""


@dataclass(frozen=True)
class Seen:
    """What a score is to be told with.

    Attributes:
        verb: `validate` or `test`.
        cases: Those of its set that a member was trained on, or, for `test`, chosen on.
        total: Cases of its set.
        unknown: Members of which nobody knows what they were trained on.
        ensemble: Whether the checkpoint has members.
    """

    verb: str
    cases: tuple[str, ...]
    total: int
    unknown: int
    ensemble: bool

    def __str__(self) -> str:
        """Say it in a line; empty where there is nothing to say."""
        if self.cases:
            named = ", ".join(self.cases[:3]) + (", ..." if len(self.cases) > 3 else "")
            which = f"{len(self.cases)} of {self.total} cases ({named})"
            whose = "of a member" if self.ensemble else "of the checkpoint"
            return f"{which} were training or validation cases {whose}: the scores are not those of unseen cases."
        if self.unknown:
            return (
                f"nothing is known of the cases that trained {self.unknown} members: the scores may be of seen cases."
            )
        return ""


def find_seen(verb: str, data: CaseDataModule, card: Mapping[str, Any]) -> Seen:
    """Look for the verb's cases among those that a checkpoint has seen; images are compared, not names.

    Other images of a training patient are not found: a card names no patients.

    Args:
        verb: `predict` scores nothing.
        data: Prepared.
        card: The checkpoint's; one that does not say is taken at its word unless it is an ensemble.
    """
    if verb not in _SCORED:
        return Seen(verb, (), 0, 0, ensemble=False)
    own, sets = _SCORED[verb]
    case_ids = data.split.sets[own]
    members = members_of(card) or ([dict(card)] if "seen" in card else [])
    found = {
        case_id for member in members for case_id in seen_among(case_ids, data.manifest, member.get("seen", {}), sets)
    }
    unknown = sum("seen" not in member for member in members)
    return Seen(verb, tuple(sorted(found)), len(case_ids), unknown, ensemble=bool(members_of(card)))


def warn_seen(seen: Seen, logger: RunLogger | None) -> None:
    """Print the warning and put it into the run, as the tag `seen_by_<verb>`; on other ranks nothing.

    Args:
        seen: What was found.
        logger: Of the run; None in a `fast_dev_run`.
    """
    if logger is None or logger.queue is None or not str(seen):
        return
    logger.log_tags({f"seen_by_{seen.verb}": str(seen)})
    Console(stderr=True).print(f"WARNING: {seen}", style="bold yellow", markup=False, highlight=False, soft_wrap=True)
