"""What mattered: the share of each parameter in how the objective varies."""

import logging
import warnings
from typing import TYPE_CHECKING

from lit_medseg.sweep.plan import Plan

if TYPE_CHECKING:
    from optuna import Study

_LOG = logging.getLogger(__name__)
FEWEST = 4
"""Fewer complete trials say nothing about what mattered."""


def importances(plan: Plan, study: "Study") -> dict[str, float]:
    """Estimate the importance of the parameters for the first objective (fANOVA).

    Args:
        plan: The sweep.
        study: Its study.

    Returns:
        Shares that add up to one, the largest first; those that only matter in a branch are left out. Empty where
        too few trials are complete, or all have the same value.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances  # noqa: PLC0415 (0.5 s)
    from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < FEWEST or len({trial.values[0] for trial in complete}) < 2:
        return {}
    target = None if len(plan.objectives) == 1 else lambda trial: trial.values[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = FanovaImportanceEvaluator(seed=plan.seed)
        try:
            return dict(get_param_importances(study, evaluator=evaluator, target=target))
        except (ValueError, RuntimeError) as error:
            _LOG.warning("what mattered cannot be estimated: %s", str(error)[:200])
            return {}
