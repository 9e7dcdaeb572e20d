"""Sampler and pruner of a study, such that a search which was interrupted goes on as if it had not been."""

import hashlib
import warnings
from typing import TYPE_CHECKING, Any

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.sweep.import_class import build
from lit_medseg.sweep.parameter import Choices, Parameter, Range, Setting
from lit_medseg.sweep.plan import ClassPath, Plan

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

_GRID = "GridSampler"
_DESIGNS = (_GRID, "QMCSampler", "BruteForceSampler")
"""The seed of these draws the whole design once: it has to be the same for every trial."""


def make_sampler(plan: Plan, number: int, parameter: str = "") -> "BaseSampler":
    """Make the sampler for one draw.

    optuna's samplers start their stream of random numbers anew in every process. Seeded by the trial and by what is
    drawn, an interrupted search draws what the undisturbed one would have drawn.

    Args:
        plan: The sweep.
        number: Of the trial.
        parameter: Name of the parameter to draw; empty for what is drawn for the trial as a whole.

    Raises:
        ConfigError: The plan's sampler cannot be built.
    """
    kind = plan.sampler.path.rpartition(".")[2]
    drawn = "" if kind in _DESIGNS else f"/{number}/{parameter}"
    digest = hashlib.sha256(f"{plan.seed}{drawn}".encode()).digest()
    defaults: dict[str, Any] = {"seed": int.from_bytes(digest[:4], "big")}
    if kind == _GRID:
        defaults["search_space"] = _grid(plan.space)
    sampler: BaseSampler = build("sampler", plan.sampler, defaults)
    return sampler


def check_sampler(plan: Plan) -> None:
    """Refuse a sampler or a pruner that cannot be built, that is none, or that cannot work in this sweep.

    Raises:
        ConfigError: One of them.
    """
    from optuna.pruners import BasePruner  # noqa: PLC0415 (`--help` is instant)
    from optuna.samplers import BaseSampler  # noqa: PLC0415 (`--help` is instant)

    if not isinstance(make_sampler(plan, 0), BaseSampler):
        todo = "Name one of optuna.samplers"
        raise ConfigError(expected_got("sampler", "no sampler", "a child of BaseSampler", plan.sampler.path, todo))
    if not isinstance(make_pruner(plan), BasePruner):
        todo = "Name one of optuna.pruners"
        raise ConfigError(expected_got("pruner", "no pruner", "a child of BasePruner", plan.pruner.path, todo))
    if plan.enqueue and plan.sampler.path.endswith(f".{_GRID}"):
        # it would count a first trial as one of its points, and leave that out
        todo = "Take optuna.samplers.BruteForceSampler, which knows first trials, or leave enqueue out"
        raise ConfigError(expected_got("enqueue", "a grid has its own order", "none", f"{len(plan.enqueue)}", todo))
    _check_pairs(plan)
    try:
        _draw_once(plan)
    except Exception as error:  # samplers look at their arguments, and at the space, when they draw
        todo = "Correct init_args, change the space or take another sampler"
        raise _refused("sampler", "it cannot draw from this space", plan.sampler, error, todo) from error
    try:
        _prune_once(plan)
    except Exception as error:
        raise _refused("pruner", "it cannot work", plan.pruner, error, "Correct init_args") from error


def _check_pairs(plan: Plan) -> None:
    """Refuse a pruner of pairs that trials never give enough of: of n pairs, the smallest p is one in 2^n.

    Raises:
        ConfigError: It could never prune.
    """
    if not plan.compares_pairs:
        return
    most, start = plan.pruner.arguments.get("p_threshold", 0.1), plan.pruner.arguments.get("n_startup_steps", 2)
    pairs = next((count for count in range(max(2, int(start)), 64) if 0.5**count < most), 64)
    runs = len(plan.experiments) * (plan.folds or plan.repeats)
    if runs <= pairs:  # after the last run nobody is asked
        what = "it compares the runs of a trial, too few to tell any apart"
        todo = "Give repeats or folds, or take another pruner"
        raise ConfigError(expected_got("pruner", what, f"{pairs + 1} or more", runs, todo))


def _refused(where: str, what: str, wanted: ClassPath, error: Exception, todo: str) -> ConfigError:
    got = f"{type(error).__name__}: {' '.join(str(error).split())[:300].rstrip('.')}"
    return ConfigError(expected_got(where, what, f"what {wanted.path} takes", got, todo))


def _draw_once(plan: Plan) -> None:
    """Draw the settings of a trial of a study that is forgotten."""
    import optuna  # noqa: PLC0415 (`--help` is instant)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is experimental, and what is drawn alone: no news here
        study = optuna.create_study(
            directions=["maximize"] * len(plan.objectives),
            sampler=make_sampler(plan, 0),
            storage=optuna.storages.InMemoryStorage(),
        )
        study.ask({one.name: one.domain.distribution() for one in plan.space if not one.when})


def _prune_once(plan: Plan) -> None:
    """Ask the pruner about the second trial of a study that is forgotten; some look at their arguments only then."""
    import optuna  # noqa: PLC0415 (`--help` is instant)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
        first, second = study.ask(), study.ask()
        first.report(0.5, 1)
        study.tell(first, 0.5)
        second.report(0.5, 1)
        make_pruner(plan).prune(study, study.get_trials()[1])


def make_pruner(plan: Plan) -> "BasePruner":
    """Make the pruner, which no storage keeps.

    Raises:
        ConfigError: The plan's pruner cannot be built.
    """
    pruner: BasePruner = build("pruner", plan.pruner)
    return pruner


def _grid(space: tuple[Parameter, ...]) -> dict[str, list[Setting]]:
    """List the points of a grid.

    Raises:
        ConfigError: A parameter that has no finite number of values, or that matters at times only.
    """
    return {parameter.name: _points(parameter) for parameter in space}


def _points(parameter: Parameter) -> list[Setting]:
    where, domain = f"space.{parameter.name}", parameter.domain
    if parameter.when:
        todo = "Take optuna.samplers.BruteForceSampler, which knows branches"
        raise ConfigError(expected_got(where, "a grid has no branches", "no `when`", parameter.when, todo))
    if isinstance(domain, Choices):
        return list(domain.values)
    return _steps(where, domain)


def _steps(where: str, domain: Range) -> list[Setting]:
    step = domain.step or (1 if domain.whole else None)
    if step is None or (domain.whole and domain.log):
        todo = "Give values, or a step"
        raise ConfigError(expected_got(where, "a grid needs single values", "values or a step", "a range", todo))
    count = round((domain.high - domain.low) / step) + 1
    points = [domain.low + step * index for index in range(count)]
    return [int(point) for point in points] if domain.whole else list(points)
