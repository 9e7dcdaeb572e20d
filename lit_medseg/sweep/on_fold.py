"""An experiment on one of a sweep's folds."""

from collections.abc import Mapping
from typing import Any

from lit_medseg.sweep.nested import changed
from lit_medseg.sweep.plan import Plan

_FOLDS = "lit_medseg.catalogue.validation_folds.ValidationFolds"
_SPLITTER = "data.init_args.splitter"


def on_fold(experiment: Mapping[str, Any], plan: Plan, fold: int) -> dict[str, Any]:
    """Let an experiment validate on one fold; its own test set takes no part in the search.

    Args:
        experiment: The whole experiment.
        plan: The sweep; without `folds` the experiment stays as it is.
        fold: Which one, from 0.

    Raises:
        ConfigError: The experiment's data are no class with arguments.
    """
    if not plan.folds:
        return dict(experiment)
    own = _value(experiment, _SPLITTER)
    stratify = _value(own, "init_args.stratify")
    chosen = {"splitter": own, "folds": plan.folds, "fold": fold, "seed": plan.seed, "stratify": stratify}
    return changed(experiment, {_SPLITTER: {"class_path": _FOLDS, "init_args": chosen}})


def _value(settings: Any, key: str) -> Any:
    """Give what a dotted key names; None where it is not there."""
    for part in key.split("."):
        settings = settings.get(part) if isinstance(settings, Mapping) else None
    return settings
