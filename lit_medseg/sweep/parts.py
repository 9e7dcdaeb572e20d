"""The runs of one trial: one for each experiment, and for each repeat or fold."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lit_medseg.sweep.nested import changed
from lit_medseg.sweep.on_fold import on_fold
from lit_medseg.sweep.parameter import Setting, changes_of
from lit_medseg.sweep.plan import Plan
from lit_medseg.tracking.atomic_write import write_atomically


@dataclass(frozen=True)
class Part:
    """One run of a trial.

    Attributes:
        suffix: Behind the trial's name; empty where the trial is one run.
        settings: The whole experiment.
    """

    suffix: str
    settings: dict[str, Any]

    @property
    def epochs(self) -> int | None:
        """How many epochs it trains at most; None where the experiment leaves that open."""
        epochs = (self.settings.get("trainer") or {}).get("max_epochs")
        return epochs if isinstance(epochs, int) and epochs > 0 else None

    @property
    def last_validation(self) -> int | None:
        """The epoch after which it is validated last, if it trains them all; None where that is open."""
        every = (self.settings.get("trainer") or {}).get("check_val_every_n_epoch") or 1
        return None if self.epochs is None else self.epochs - self.epochs % every

    def write(self, path: Path, header: str = "") -> None:
        """Write the experiment as a YAML that runs by itself."""
        write_atomically(path, header + yaml.safe_dump(self.settings, sort_keys=False, allow_unicode=True))


def on_gpus(devices: int) -> dict[str, Any]:
    """Give what an experiment needs to compute on so many GPUs; 0 leaves it as it is."""
    return {"trainer.accelerator": "gpu", "trainer.devices": devices} if devices else {}


def make_parts(
    plan: Plan, bases: list[dict[str, Any]], settings: Mapping[str, Setting], devices: int = 0
) -> list[Part]:
    """Lay out the runs of a trial.

    Args:
        plan: The sweep.
        bases: Its experiments, as plain data.
        settings: The trial's, by parameter.
        devices: GPUs of a trial; 0 leaves the experiment's.

    Returns:
        The parts in the order in which they run. The first seed is the experiment's own, or the sweep's.

    Raises:
        ConfigError: A key of the space does not fit the experiment.
    """
    changes = {**on_gpus(devices), **plan.fixed, **changes_of(plan.space, settings)}
    parts = []
    for number, base in enumerate(bases):
        experiment = changed(base, changes)
        name = f"-e{number}" if len(bases) > 1 else ""
        seed = experiment.get("seed_everything")
        first = seed if type(seed) is int else plan.seed
        if plan.folds:
            parts += [
                Part(f"{name}-f{fold}", {**on_fold(experiment, plan, fold), "seed_everything": first})
                for fold in range(plan.folds)
            ]
        else:
            several = plan.repeats > 1
            parts += [
                Part(f"{name}-r{repeat}" if several else name, {**experiment, "seed_everything": first + repeat})
                for repeat in range(plan.repeats)
            ]
    return parts
