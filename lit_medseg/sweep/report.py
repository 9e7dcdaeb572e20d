"""A sweep in a few lines: what is best and how sure that is, what mattered, what was stopped, what failed."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lit_medseg.sweep.interval import least_difference, mean_interval
from lit_medseg.sweep.parameter import Setting
from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.rows import Row, pareto_front, ranked

_MOST = 5
_FEW = 20
"""Shares of what mattered over fewer trials are mostly noise: of three parameters without any effect one gets half."""
_TEST = "Tukey's range test, 95%"


@dataclass(frozen=True)
class Findings:
    """What a report is made of.

    Attributes:
        plan: The sweep.
        rows: All trials.
        planned_epochs: Of one trial that runs to its end; 0 where that is not known.
        importances: Shares by parameter, the largest first.
        working: For each trial in work: who works on it and how far it is.
    """

    plan: Plan
    rows: Sequence[Row]
    planned_epochs: int = 0
    importances: Mapping[str, float] = field(default_factory=dict)
    working: Mapping[int, str] = field(default_factory=dict)


def report_lines(findings: Findings) -> list[str]:
    """Write the report, one line an entry."""
    lines = [_counts(findings)]
    if len(findings.plan.objectives) == 1:
        lines += _best(findings)
    else:
        lines += _front(findings)
    if findings.importances:
        lines.append(_mattered(findings))
    lines += _stopped(findings)
    failed = [row for row in findings.rows if row.state == "FAILED"]
    lines += [f"failed      trial {row.number}: {row.reason[:160]}" for row in failed[:_MOST]]
    if len(failed) > _MOST:
        lines.append(f"            and {len(failed) - _MOST} more, see trials.csv")
    lines += [f"in work     trial {number}: {text}" for number, text in findings.working.items()]
    return lines


def _counts(findings: Findings) -> str:
    counts = Counter(row.state for row in findings.rows)
    words = (("COMPLETE", "complete"), ("PRUNED", "pruned"), ("FAILED", "failed"), ("RUNNING", "in work"))
    parts = [f"{counts[state]} {word}" for state, word in words if counts[state]]
    begun = sum(counts.values()) - counts["WAITING"]
    limit = findings.plan.budget.trials
    of = _number_of(begun) if limit is None or begun > limit else f"{begun} of {_number_of(limit)}"
    return f"sweep       {findings.plan.name}: {of}{': ' if parts else ''}{', '.join(parts)}"


def _number_of(trials: int) -> str:
    return f"{trials} trial" if trials == 1 else f"{trials} trials"


def _best(findings: Findings) -> list[str]:
    plan = findings.plan
    order = ranked(plan, findings.rows)
    if not order:
        return ["best        none: no trial is complete"]
    best, objective = order[0], plan.objectives[0]
    values = best.part_values(objective)
    lines = [f"best        trial {best.number}: {objective.metric} {best.values[0]:.4f}{_spread(plan, values)}"]
    lines.append(f"            {settings_text(best.settings)}")
    if len(values) < 2:
        if len(order) > 1:
            lines.append("            one run a trial: how far the seed alone moves it is not known (repeats: 3 tells)")
        return lines
    order = [row for row in order if len(row.part_values(objective)) == len(values)]  # others were added by hand
    least = least_difference([row.part_values(objective) for row in order], _shared(plan))
    equals = [row for row in order[1:] if not abs(best.values[0] - row.values[0]) > least]
    if equals:
        named = ", ".join(f"{row.number} ({row.values[0]:.4f})" for row in equals[:_MOST])
        noun = "trial" if len(equals) == 1 else "trials"
        more = f" and {len(equals) - _MOST} more" if len(equals) > _MOST else ""
        lines.append(f"            cannot be told apart from it: {noun} {named}{more} ({_TEST})")
    elif len(order) > 1:
        lines.append(f"            better than every other complete trial ({_TEST})")
    return lines


def _spread(plan: Plan, values: Sequence[float]) -> str:
    low, high = mean_interval(values, _shared(plan))
    if math.isnan(low):
        return ""
    ends = f"{min(values):.4f} to {max(values):.4f}"
    if len(plan.experiments) > 1:  # several data sets are no sample of one
        return f" ({ends} over {len(values)} runs)"
    return f" (95% {low:.4f} to {high:.4f} over {len(values)} {'folds' if plan.folds else 'seeds'}, {ends})"


def _shared(plan: Plan) -> float:
    """Give validation over training cases where the runs of a trial train on each other's."""
    return 1 / (plan.folds - 1) if plan.folds else 0.0


def _front(findings: Findings) -> list[str]:
    front = pareto_front(findings.plan, findings.rows)
    if not front:
        return ["front       none: no trial is complete"]
    metrics = [objective.metric for objective in findings.plan.objectives]
    lines = [f"front       {_number_of(len(front))} that none beats in {', '.join(metrics)} at once"]
    for row in front:
        values = ", ".join(f"{metric} {value:.4g}" for metric, value in zip(metrics, row.values, strict=True))
        lines.append(f"            trial {row.number}: {values}; {settings_text(row.settings)}")
    return lines


def _mattered(findings: Findings) -> str:
    names = dict.fromkeys(findings.importances)
    shares = [f"{short_name(name, names)} {share:.0%}" for name, share in findings.importances.items()]
    objective = findings.plan.objectives[0]
    complete = sum(row.state == "COMPLETE" for row in findings.rows)
    pruned = sum(row.state == "PRUNED" and bool(row.part_values(objective)) for row in findings.rows)
    pruned = pruned if len(findings.plan.objectives) == 1 else 0
    early = f", {pruned} of them pruned and counted with what they had reached" if pruned else ""
    hint = "; a hint only" if complete + pruned < _FEW else ""
    return f"mattered    {', '.join(shares[:_MOST])} (over {complete + pruned} trials{early}{hint})"


def _stopped(findings: Findings) -> list[str]:
    pruned = [row for row in findings.rows if row.state == "PRUNED"]
    if not pruned:
        return []
    over = sum(row.reason.startswith("constraint") for row in pruned)
    limits = f", {over} of them for a constraint" if over else ""
    ended = [row for row in findings.rows if row.state in ("COMPLETE", "PRUNED")]
    planned = findings.planned_epochs * len(ended)
    trained = sum(row.epochs for row in ended)
    saved = f": {trained} of {planned} epochs trained ({1 - trained / planned:.0%} saved)" if planned else ""
    return [f"pruned      {len(pruned)} of {len(ended)}{limits}{saved}"]


def settings_text(settings: Mapping[str, Setting]) -> str:
    """Write settings in one line, by the last words of their keys."""
    return ", ".join(f"{short_name(name, settings)} {_number(value)}" for name, value in settings.items())


def short_name(name: str, names: Mapping[str, Setting]) -> str:
    """Shorten a dotted key as far as it stays unlike the others; `init_args` says nothing."""
    words = [word for word in name.split(".") if word != "init_args"]
    for count in range(1, len(words) + 1):
        short = ".".join(words[-count:])
        others = [".".join([word for word in other.split(".") if word != "init_args"][-count:]) for other in names]
        if others.count(short) <= 1:
            return short
    return name


def _number(value: Setting) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
