"""What all trials of a sweep share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lit_medseg.sweep.place import Place
from lit_medseg.sweep.plan import Plan

if TYPE_CHECKING:
    from optuna import Study


@dataclass(frozen=True)
class Frame:
    """What all trials of a sweep share.

    Attributes:
        plan: The sweep.
        study: Its study.
        place: Its folders.
        arguments: Of every child `fit`, beside those of the trial.
        threads: Of arithmetic of each process; None leaves them as they are.
    """

    plan: Plan
    study: "Study"
    place: Place
    arguments: tuple[str, ...] = ()
    threads: int | None = None
