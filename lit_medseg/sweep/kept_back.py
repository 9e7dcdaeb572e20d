"""What a pruner notes in a trial while it is asked, kept back until its answer is known."""

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


class KeptBack:
    """A study's storage that keeps the notes of a trial to itself, and passes everything else on.

    Attributes:
        notes: By key.
    """

    def __init__(self, storage: Any) -> None:
        self._passed, self.notes = storage, dict[str, Any]()

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keep a note; a pruner notes something in the trial alone that it is asked about."""
        self.notes[key] = value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._passed, name)


def answer_of(study: "Study", trial: "FrozenTrial") -> tuple[bool, dict[str, Any]]:
    """Ask the pruner about a trial, without a trace in the study.

    Successive halving notes which rung a trial has reached, and says nothing about that rung a second time: stored by
    itself, the note of a worker that is killed before it acts would save the trial.

    Returns:
        Whether the trial falls behind, and what the pruner would have noted in it.
    """
    asking = copy.copy(study)
    kept = KeptBack(study._storage)
    asking._storage = kept  # type: ignore[assignment]  # the storage in all but its name
    return bool(study.pruner.prune(asking, trial)), kept.notes
