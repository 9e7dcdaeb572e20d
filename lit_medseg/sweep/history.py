"""What a run has recorded so far, read while its process goes on writing."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from lit_medseg.sweep.plan import Objective
from lit_medseg.tracking.records import parse_record

LOSS = "train/loss"
"""A run records it when an epoch has ended, after all else."""


@dataclass
class History:
    """The metrics of one run.

    Attributes:
        folder: The run folder.
        values: By metric, by epoch (the number of epochs trained, from 1): one, or those of several validations.
    """

    folder: Path
    values: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    _is_whole: bool = False
    _position: int = 0
    _epochs: dict[int, int] = field(default_factory=dict)
    _waiting: list[tuple[str, int, float]] = field(default_factory=list)

    def update(self) -> None:
        """Read what was recorded since the last call; a line that is not whole yet waits for the next."""
        try:
            with (self.folder / "records.jsonl").open("rb") as file:
                file.seek(self._position)
                content = file.read()
        except OSError:
            return
        end = content.rfind(b"\n") + 1
        self._position += end
        for line in content[:end].splitlines():
            record = parse_record(line)
            if record is not None and record.kind == "metric":
                self._note(record.key, record.step, float(record.value))
        waiting, self._waiting = self._waiting, []
        for key, step, value in waiting:
            self._place(key, step, value)

    def _note(self, key: str, step: int, value: float) -> None:
        if key == "epoch":
            self._epochs[step] = int(value)
        else:
            self._waiting.append((key, step, value))

    def _place(self, key: str, step: int, value: float) -> None:
        """Put a value into its epoch; Lightning records the epoch of a step beside the step's metrics."""
        if step in self._epochs:
            self._add(key, self._epochs[step] + 1, value)
        else:
            self._waiting.append((key, step, value))

    def _add(self, key: str, epoch: int, value: float) -> None:
        self.values.setdefault(key, {}).setdefault(epoch, []).append(value)

    def finish(self) -> None:
        """Place what has no epoch (a number that belongs to the whole run) at its end."""
        self.update()
        last = max(self._epochs.values(), default=0) + 1
        for key, _, value in self._waiting:
            self._add(key, last, value)
        self._waiting, self._is_whole = [], True

    def by_epoch(self, metric: str) -> dict[int, float]:
        """Give the last value of each epoch that has ended: before that, one more may come."""
        over = math.inf if self._is_whole else max(self.epochs - 1, *self.values.get(LOSS, ()), 0)
        return {epoch: values[-1] for epoch, values in self.values.get(metric, {}).items() if epoch <= over}

    def first(self, metric: str, is_so: Callable[[float], bool]) -> int | None:
        """Give the first epoch whose value is so; 0 for a number without an epoch, None where none is."""
        if any(key == metric and is_so(value) for key, _, value in self._waiting):
            return 0
        found = (epoch for epoch, values in self.values.get(metric, {}).items() if any(map(is_so, values)))
        return min(found, default=None)

    def most(self, metric: str) -> float | None:
        """Give the largest value of a metric; None where there is none."""
        waiting = [value for key, _, value in self._waiting if key == metric]
        return max([*waiting, *chain.from_iterable(self.values.get(metric, {}).values())], default=None)

    @property
    def epochs(self) -> int:
        """How many epochs were trained."""
        return max(self._epochs.values(), default=-1) + 1


def value_of(objective: Objective, values: dict[int, list[float]]) -> float:
    """Bring the values of a metric over a run's validations down to the one that counts.

    Args:
        objective: Metric, direction, and which value counts.
        values: By epoch.

    Returns:
        The number; NaN where there is none, or where one that counts is NaN.
    """
    in_order = [value for epoch in sorted(values) for value in values[epoch]]
    if not in_order:
        return math.nan
    if objective.take == "last":
        return in_order[-1]
    if objective.take == "best":
        known = [value for value in in_order if not math.isnan(value)]
        return (max if objective.larger else min)(known, default=math.nan)
    return statistics.fmean(in_order) if objective.take == "mean" else statistics.median(in_order)
