"""The experiments that are tried before the first trial: every value of every parameter is part of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lit_medseg.sweep.nested import changed
from lit_medseg.sweep.on_fold import on_fold
from lit_medseg.sweep.parameter import Parameter, Setting, changes_of
from lit_medseg.sweep.plan import Plan

COST = "lit_medseg.sweep.trial_cost.TrialCost"
COST_PREFIX = "cost/"


@dataclass(frozen=True)
class Variant:
    """An experiment with one value of one parameter.

    Attributes:
        where: The parameter and its value; of the first, which has no value of the space, the experiment itself.
        settings: The whole experiment; of a sweep with folds, on the first of them.
    """

    where: str
    settings: dict[str, Any]


def variants(plan: Plan, base: dict[str, Any]) -> Iterator[Variant]:
    """Lay out what has to be accepted.

    A parameter that only matters with certain settings of others is tried with them.

    Args:
        plan: The sweep.
        base: One of its experiments.

    Raises:
        ConfigError: A key leads through something that has no keys.
    """
    fixed = changed(base, plan.fixed)
    yield Variant("experiment with what is fixed" if plan.fixed else "experiment", on_fold(fixed, plan, 0))
    for parameter in plan.space:
        for setting in dict.fromkeys(parameter.domain.examples()):
            value = _typed(parameter, setting)
            settings = {**_branch(plan, parameter), parameter.name: value}
            where = f"space.{parameter.name} = {value!r}"
            yield Variant(where, on_fold(changed(fixed, changes_of(plan.space, settings)), plan, 0))


def _branch(plan: Plan, parameter: Parameter) -> dict[str, Setting]:
    """Give the settings under which a parameter matters, and those under which these do."""
    by_name = {one.name: one for one in plan.space}
    found: dict[str, Setting] = {}
    for name, allowed in parameter.when.items():
        found |= {**_branch(plan, by_name[name]), name: allowed[0]}
    return found


def _typed(parameter: Parameter, setting: Any) -> Setting:
    whole = getattr(parameter.domain, "whole", False)
    return int(setting) if whole else setting


def with_cost(plan: Plan, base: dict[str, Any]) -> dict[str, Any]:
    """Let an experiment record what its network costs, where the sweep asks for that."""
    metrics = [*(one.metric for one in plan.objectives), *(one.metric for one in plan.limits)]
    if not any(metric.startswith(COST_PREFIX) for metric in metrics):
        return base
    return with_callback(base, {"class_path": COST})


def with_callback(base: dict[str, Any], callback: dict[str, Any]) -> dict[str, Any]:
    """Add a callback to those of an experiment."""
    there = (base.get("trainer") or {}).get("callbacks") or []
    listed = there if isinstance(there, list) else [there]
    return changed(base, {"trainer.callbacks": [*listed, callback]})
