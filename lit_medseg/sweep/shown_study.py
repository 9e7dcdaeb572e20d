"""A study as pictures and estimates need it: short names, one objective, pruned trials with what they had reached."""

import copy
import statistics
from typing import TYPE_CHECKING

from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.report import short_name
from lit_medseg.sweep.tell import PARTS

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


def shown_study(plan: Plan, study: "Study", pruned_count: bool = False) -> "Study":
    """Copy a study into memory, with the parameters' short names and the first objective alone.

    Args:
        plan: The sweep.
        study: Its study.
        pruned_count: Give pruned trials as complete ones with the value that they had reached, since a strict pruner
            leaves too few complete ones to see what mattered. One that had no value yet stays as it is.

    Returns:
        The copy, with the same numbers of trials.
    """
    from optuna import create_study  # noqa: PLC0415 (`--help` is instant)

    trials = [copy.copy(trial) for trial in study.get_trials(deepcopy=False)]
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    shown = create_study(study_name=study.study_name, direction=study.directions[0])
    for trial in trials:
        trial.values = trial.values[:1] if trial.values else None
        trial.params = {short_name(name, names): value for name, value in trial.params.items()}
        trial.distributions = {short_name(name, names): one for name, one in trial.distributions.items()}
        if pruned_count:
            _complete(plan, trial)
    shown.add_trials(trials)
    return shown


def _complete(plan: Plan, trial: "FrozenTrial") -> None:
    from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

    if trial.state is TrialState.PRUNED:
        metric = plan.objectives[0].metric
        reached = [float(part[metric]) for part in trial.user_attrs.get(PARTS, ()) if metric in part]
        if reached:
            trial.state, trial.value = TrialState.COMPLETE, statistics.fmean(reached)
