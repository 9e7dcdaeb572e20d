"""What mattered: the share of each parameter in how the objective varies."""

import logging
import warnings
from typing import TYPE_CHECKING

from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.shown_study import shown_study

if TYPE_CHECKING:
    from optuna import Study
    from optuna.importance import BaseImportanceEvaluator

_LOG = logging.getLogger(__name__)
FEWEST = 4
"""Fewer trials with a value say nothing about what mattered."""


def importances(plan: Plan, study: "Study") -> dict[str, float]:
    """Estimate the importance of the parameters for the first objective (fANOVA).

    Args:
        plan: The sweep.
        study: Its study. Pruned trials count with the value that they had reached.

    Returns:
        Shares that add up to one, by the parameters' short names, the largest first; those that only matter in a branch
        are left out. Empty where too few trials have a value, or all have the same.
    """
    from optuna.importance import get_param_importances  # noqa: PLC0415 (0.5 s)

    counted = shown_study(plan, study, pruned_count=True)
    if not tells(counted):
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return dict(get_param_importances(counted, evaluator=evaluator(plan)))
        except (ValueError, RuntimeError) as error:
            _LOG.warning("what mattered cannot be estimated: %s", str(error)[:200])
            return {}


def tells(study: "Study") -> bool:
    """Tell whether a study has enough trials with values, and any that differ."""
    values = [trial.values[0] for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"]
    return len(values) >= FEWEST and len(set(values)) > 1


def evaluator(plan: Plan) -> "BaseImportanceEvaluator":
    """Make what estimates the shares, such that report and pictures agree."""
    from optuna.importance import FanovaImportanceEvaluator  # noqa: PLC0415 (0.5 s)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FanovaImportanceEvaluator(seed=plan.seed)
