"""Sampler and pruner of a study, such that a search which was interrupted goes on as if it had not been."""

import hashlib
from typing import TYPE_CHECKING, Any

from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.sweep.import_class import build, import_class, takes
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
    sampler: BaseSampler = build("sampler", plan.sampler, **defaults)
    return sampler


def check_sampler(plan: Plan) -> None:
    """Refuse a sampler or a pruner that cannot be built, or that is none.

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


def is_seeded(wanted: ClassPath) -> bool:
    """Tell whether a sampler draws again what it has drawn."""
    return takes(import_class("sampler", wanted.path), "seed")


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
