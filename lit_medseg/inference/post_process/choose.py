"""Which post-processing helps, found on validation cases."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lit_medseg.errors import DataError, expected_got
from lit_medseg.inference.post_process.apply import Codes, post_processed
from lit_medseg.inference.post_process.fill_holes import FillHoles
from lit_medseg.inference.post_process.largest_component import LargestComponent
from lit_medseg.inference.post_process.plain import post_process_to_plain
from lit_medseg.inference.post_process.post_process import PostProcess
from lit_medseg.inference.post_process.predicted_case import PredictedCase
from lit_medseg.metrics import ratios
from lit_medseg.metrics.counts import code_counts, confusion_counts
from lit_medseg.target import MultiLabel, Target

CANDIDATES: tuple[PostProcess, ...] = (LargestComponent(together=True), LargestComponent(), FillHoles())
"""What nnU-Net tries, in its order, and holes."""

CaseDice = tuple[str, NDArray[np.float64]]
"""Patient and Dice `(classes,)` of a case."""


@dataclass(frozen=True)
class ChosenPostProcessing:
    """What is kept, and why.

    Attributes:
        steps: The changes to apply, in their order; each names its classes.
        decisions: For each candidate and class (together: `foreground`) the mean Dice before and after, and whether it
            is kept: plain data for the checkpoint's card.
        margin: The rise that was asked for.
        cases: How many cases were looked at.
        patients: How many patients they are of.
    """

    steps: tuple[PostProcess, ...]
    decisions: tuple[dict[str, str | float | bool], ...]
    margin: float
    cases: int
    patients: int

    def plain(self) -> dict[str, Any]:
        """Give all as JSON-able data."""
        return {
            "steps": [post_process_to_plain(step) for step in self.steps],
            "decisions": [dict(decision) for decision in self.decisions],
            "margin": self.margin,
            "cases": self.cases,
            "patients": self.patients,
        }


def choose_post_processing(
    cases: Iterable[PredictedCase],
    target: Target,
    candidates: Sequence[PostProcess] = CANDIDATES,
    margin: float = 0.001,
) -> ChosenPostProcessing:
    """Try candidates one after the other, each on what those kept before it leave; see `choose_on_evidence`.

    Args:
        cases: Of the validation set, never of the test set; gone through up to twice for each candidate, so a class
            that reads each case when it comes keeps memory small, and a generator will not do.
        target: How the codes are meant.
        candidates: The changes, in the order in which they are tried.
        margin: The least rise of the mean Dice.

    Raises:
        ConfigError: A candidate does not suit the classes.
        DataError: There is no case, or a prediction is not on its reference's grid.
    """
    return choose_on_evidence(partial(measure_dice, cases, target), target, candidates, margin)


def choose_on_evidence(
    evidence: Callable[[tuple[PostProcess, ...]], Sequence[CaseDice]],
    target: Target,
    candidates: Sequence[PostProcess] = CANDIDATES,
    margin: float = 0.001,
) -> ChosenPostProcessing:
    """Choose by nothing but the Dice of cases after some changes.

    A candidate is kept for those classes whose Dice, averaged over the cases of a patient and then over patients, rises
    by more than the margin. One that changes classes together is kept where the mean of all classes rises so and no
    class falls: nnU-Net's rule, with a margin, since a rise by chance on few cases helps nobody.
    Source: F. Isensee et al., Nature Methods 18 (2021) 203-211, doi:10.1038/s41592-020-01008-z.

    Args:
        evidence: Gives the Dice of every case after changes, see `measure_dice`.
        target: How the codes are meant.
        candidates: The changes, in the order in which they are tried.
        margin: The least rise of the mean Dice.

    Returns:
        What is kept; no steps where nothing helps.

    Raises:
        ConfigError: A candidate does not suit the classes.
        DataError: There is no case.
    """
    kept: tuple[PostProcess, ...] = ()
    decisions: list[dict[str, str | float | bool]] = []
    measured = evidence(kept)
    if not measured:
        todo = "Validate on some cases first"
        raise DataError(expected_got("post-processing", "nothing to choose on", "validation cases", "none", todo))
    before = _mean_of_patients(measured)
    for candidate in candidates:
        names = [target.names[place] for place in candidate.places(target)]
        after = _mean_of_patients(evidence((*kept, candidate)))
        rises = dict(zip(target.foreground, zip(before.tolist(), after.tolist(), strict=True), strict=True))
        if candidate.together:
            good = bool(after.mean() - before.mean() > margin and (after >= before).all())
            found = {"foreground": (float(before.mean()), float(after.mean()), good)}
            chosen = tuple(names) if good else ()
        else:
            found = {name: (*rises[name], rises[name][1] - rises[name][0] > margin) for name in names}
            chosen = tuple(name for name, (_, _, keep) in found.items() if keep)
        decisions += [_decision(candidate, name, *values) for name, values in found.items()]
        if chosen:
            kept = (*kept, replace(candidate, classes=chosen))
            before = after if len(chosen) == len(names) else _mean_of_patients(evidence(kept))
    patients = [patient for patient, _ in measured]
    return ChosenPostProcessing(kept, tuple(decisions), margin, len(patients), len(set(patients)))


def measure_dice(cases: Iterable[PredictedCase], target: Target, steps: Sequence[PostProcess]) -> list[CaseDice]:
    """Score every case after some changes: patient and Dice `(classes,)`, the background left out."""
    return [
        (
            case.patient_id,
            _dice(post_processed(case.prediction, target, case.spacing_mm, steps), case.reference, target),
        )
        for case in cases
    ]


def _decision(
    candidate: PostProcess, name: str, before: float, after: float, keep: bool
) -> dict[str, str | float | bool]:
    own = [item.name for item in fields(candidate) if item.name not in ("classes", "together")]
    step = f"{type(candidate).__name__}({', '.join(f'{field}={getattr(candidate, field)}' for field in own)})"
    return {"candidate": step, "class": name, "dice_before": before, "dice_after": after, "kept": keep}


def _mean_of_patients(measured: Sequence[CaseDice]) -> NDArray[np.float64]:
    """Average over the cases of a patient, then over patients: `(classes,)`."""
    found: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for patient, dice in measured:
        found[patient].append(dice)
    mean: NDArray[np.float64] = np.mean([np.mean(found[patient], axis=0) for patient in sorted(found)], axis=0)
    return mean


def _dice(codes: Codes, reference: Codes, target: Target) -> NDArray[np.float64]:
    found, truth = torch.from_numpy(codes), torch.from_numpy(reference)
    if isinstance(target, MultiLabel):
        return ratios.dice(confusion_counts(found.bool(), truth.bool()))
    counts = code_counts(found, truth, len(target.names))
    return ratios.dice(counts[len(target.names) - len(target.foreground) :])
