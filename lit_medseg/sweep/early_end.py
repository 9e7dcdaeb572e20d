"""When a trial must end, whatever the pruner says."""

import math
from collections.abc import Iterator

from lit_medseg.sweep.history import LOSS, History
from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.tell import State

Ending = tuple[int, State, str]
"""The epoch, what the trial is then, and why."""


def early_end(plan: Plan, history: History) -> Ending | None:
    """Find the first epoch at which a run has diverged, or exceeded a limit.

    Args:
        plan: The sweep.
        history: What the run has recorded so far.

    Returns:
        The ending; None where the run may go on.
    """
    return min(_ends(plan, history), default=None)


def _ends(plan: Plan, history: History) -> Iterator[Ending]:
    epoch = history.first(LOSS, lambda value: not math.isfinite(value))
    if epoch is not None:
        yield epoch, "FAILED", f"diverged: {LOSS} is no finite number"
    for limit in plan.limits:
        epoch = history.first(limit.metric, limit.exceeded)
        if epoch is not None:
            seen = history.values.get(limit.metric, {}).get(epoch, [])  # none yet where no epoch has ended
            value = next(filter(limit.exceeded, seen), history.most(limit.metric))
            yield epoch, "PRUNED", f"constraint: {limit.metric} {value:.6g} is more than {limit.most:.6g}"
