"""What a sweep's YAML says."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lit_medseg.catalogue.plain_hash import plain_hash
from lit_medseg.sweep.parameter import Parameter, plain_space

Take = Literal["best", "last", "mean", "median"]


@dataclass(frozen=True)
class Objective:
    """A number that the search makes large or small.

    Attributes:
        metric: Its key, as a run records it.
        direction: `max` or `min`.
        take: Which of the values over a run's epochs counts.
    """

    metric: str
    direction: Literal["max", "min"] = "max"
    take: Take = "best"

    @property
    def larger(self) -> bool:
        """Whether larger is better."""
        return self.direction == "max"


@dataclass(frozen=True)
class Limit:
    """A bound that a trial must keep.

    Attributes:
        metric: Key of a metric that a run records.
        most: The largest allowed value; a trial that exceeds it is stopped at once.
    """

    metric: str
    most: float

    def exceeded(self, value: float) -> bool:
        """Tell whether a value is too large."""
        return value > self.most


@dataclass(frozen=True)
class ClassPath:
    """A class of optuna (or one's own) and its arguments.

    Attributes:
        path: Where it is imported from.
        arguments: Given to its constructor.
    """

    path: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Budget:
    """When no further trial is begun.

    Attributes:
        trials: How many, whatever came of them; None for any number.
        hours: Time in which somebody works at the sweep; None for any.
    """

    trials: int | None = None
    hours: float | None = None


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Attributes:
        name: Of the study, of the MLflow experiment and of the folder below `runs`.
        experiments: The base experiments: a trial trains each of them, and its value is their mean.
        space: The parameters, in the YAML's order.
        objectives: One, or several.
        sampler: Proposes settings.
        pruner: Stops trials that fall behind.
        storage: Where the study is kept: an address for optuna, a class, or None for a journal in the sweep's folder.
        budget: When to end.
        repeats: Runs of a trial with different seeds.
        folds: Folds of the training data of a trial, each a run; 0 for the experiment's own split.
        fixed: Values by dotted key, the same for all trials.
        limits: Bounds that a trial must keep.
        enqueue: Settings of the first trials; what they leave out is drawn.
        seed: Of the sampler, and of the first repeat where the experiment has none.
        source: The YAML that says all this, a preset laid over it.
    """

    name: str
    experiments: tuple[Path, ...]
    space: tuple[Parameter, ...]
    objectives: tuple[Objective, ...]
    sampler: ClassPath
    pruner: ClassPath
    storage: str | ClassPath | None = None
    budget: Budget = Budget()
    repeats: int = 1
    folds: int = 0
    fixed: dict[str, Any] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    enqueue: tuple[dict[str, Any], ...] = ()
    seed: int = 0
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def compares_pairs(self) -> bool:
        """Whether the pruner compares single runs of two trials, and not their means."""
        return self.pruner.path.endswith(".WilcoxonPruner")

    def definition(self, bases: list[dict[str, Any]], devices: int = 0) -> dict[str, str]:
        """Hash what makes the trials of a study comparable, part by part.

        Budget, sampler, pruner and the first trials are no part of it: they may change when a sweep goes on.

        Args:
            bases: The base experiments as plain data.
            devices: GPUs of a trial; 0 for what the experiment says.
        """
        objectives = [[one.metric, one.direction, one.take] for one in self.objectives]
        parts: dict[str, Any] = {
            "space": plain_space(self.space),
            "objective": objectives,
            "experiment": bases,
            "fixed": self.fixed,
            "repeats": self.repeats,
            "folds": self.folds,
            "constraints": {limit.metric: limit.most for limit in self.limits},
            # of the first repeat and of the folds; a grid is shuffled by it
            "seed": self.seed,
            "devices per trial": devices,
        }
        return {name: plain_hash(part) for name, part in parts.items()}
