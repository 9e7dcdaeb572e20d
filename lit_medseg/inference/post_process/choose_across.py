"""Post-processing for each fold of a cross-validation, chosen on the other folds, and for their ensemble, on all."""

from collections.abc import Iterable, Mapping, Sequence

from lit_medseg.inference.post_process.choose import (
    CANDIDATES,
    CaseDice,
    ChosenPostProcessing,
    choose_on_evidence,
    measure_dice,
)
from lit_medseg.inference.post_process.post_process import PostProcess
from lit_medseg.inference.post_process.predicted_case import PredictedCase
from lit_medseg.target import Target


def choose_across_folds(
    folds: Mapping[int, Iterable[PredictedCase]],
    target: Target,
    candidates: Sequence[PostProcess] = CANDIDATES,
    margin: float = 0.001,
) -> tuple[dict[int, ChosenPostProcessing], ChosenPostProcessing]:
    """Choose for every fold without a look at its own cases.

    Each fold's cases are measured once for each set of changes that any choice asks for; the choices themselves see
    nothing but these measurements.

    Args:
        folds: The test cases of each fold as its network predicts them, by fold, two or more; each is gone through
            several times.
        target: How the codes are meant.
        candidates: The changes, in the order in which they are tried.
        margin: The least rise of the mean Dice.

    Returns:
        By fold what the other folds choose, and what all folds together choose.

    Raises:
        ConfigError: A candidate does not suit the classes.
        DataError: There is no case to choose on.
    """
    known: dict[tuple[int, tuple[PostProcess, ...]], list[CaseDice]] = {}

    def choose(numbers: Sequence[int]) -> ChosenPostProcessing:
        def evidence(steps: tuple[PostProcess, ...]) -> list[CaseDice]:
            for number in numbers:
                if (number, steps) not in known:
                    known[number, steps] = measure_dice(folds[number], target, steps)
            return [case for number in numbers for case in known[number, steps]]

        return choose_on_evidence(evidence, target, candidates, margin)

    every = sorted(folds)
    by_fold = {number: choose([other for other in every if other != number]) for number in every}
    return by_fold, choose(every)
