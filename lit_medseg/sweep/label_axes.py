"""Pictures in a study's own words: metrics and epochs at the axes, pruned and failed trials to be seen."""

from typing import TYPE_CHECKING, Any

from lit_medseg.sweep.plan import Plan

if TYPE_CHECKING:
    from optuna import Study

_LEGEND = 20
"""More trials than these have no legend: it would be longer than the picture."""
_TITLES = {
    "optimization_history": "{metric} of the trials, and the best so far",
    "param_importances": "What mattered for {metric}",
    "parallel_coordinate": "Settings and {metric}",
    "pareto_front": "Pareto front",
    "intermediate_values": "{metric} by {unit}",
}
_COLORS = "viridis"
_MARKS = {"PRUNED": ("x", "gray", "pruned"), "FAIL": ("v", "tab:red", "failed")}


def label_axes(name: str, axes: Any, plan: Plan, study: "Study") -> None:
    """Finish a picture of matplotlib.

    Args:
        name: Of the plot, as optuna calls it.
        axes: Its (first) axes.
        plan: The sweep.
        study: What is shown.
    """
    axes.set_title("")
    axes.set_title(_title(name, plan), loc="left")
    if name == "optimization_history":
        axes.xaxis.get_major_locator().set_params(integer=True)
        for state, (numbers, height) in _ends(study).items():
            marker, color, label = _MARKS[state]
            axes.scatter(numbers, [height] * len(numbers), marker=marker, color=color, label=label)
        axes.legend(bbox_to_anchor=(1.02, 1), loc="upper left")
    elif name == "parallel_coordinate":
        axes.set_facecolor("white")
        axes.grid(visible=False)
        for lines in axes.collections:  # optuna's palest colour cannot be seen
            lines.set_cmap(_COLORS)
        _make_room(axes.figure)
    elif name == "param_importances":
        axes.set(xlabel="share (fANOVA)", ylabel="")
        axes.get_legend().remove()
    elif name == "intermediate_values":
        _label_lines(axes, plan, study)
    elif name == "pareto_front" and len(plan.objectives) == 2:
        for one in study.best_trials:
            axes.annotate(str(one.number), one.values, xytext=(5, 5), textcoords="offset points")


def _make_room(figure: Any) -> None:
    """Move the bar of colours away from the last parameter's long words."""
    _, bar, *others = figure.axes
    longest = max((len(label.get_text()) for label in others[-1].get_yticklabels()), default=0) if others else 0
    box = bar.get_position()
    bar.set_position([box.x0 + max(0.0, 0.0088 * longest - 0.06), box.y0, box.width, box.height])


def _label_lines(axes: Any, plan: Plan, study: "Study") -> None:
    states = _states(study)
    axes.set(xlabel=unit_of(plan), ylabel=plan.objectives[0].metric)
    axes.xaxis.get_major_locator().set_params(integer=True)
    for line in axes.get_lines():
        state = states[str(line.get_label())]
        line.set_label(str(line.get_label()).replace("Trial", "trial ") + state)
        line.set_linestyle("--" if state else "-")
    if len(states) > _LEGEND:
        axes.get_legend().remove()
    elif axes.get_legend() is not None:
        axes.legend(bbox_to_anchor=(1.02, 1), loc="upper left")


def label_figure(name: str, figure: Any, plan: Plan, study: "Study") -> None:
    """Finish a picture of plotly, as `label_axes` does one of matplotlib."""
    figure.update_layout(title=_title(name, plan))
    if name == "optimization_history":
        for state, (numbers, height) in _ends(study).items():
            color, label = _MARKS[state][1].removeprefix("tab:"), _MARKS[state][2]
            marker = {"symbol": "x", "color": color}
            figure.add_scatter(x=numbers, y=[height] * len(numbers), mode="markers", marker=marker, name=label)
    elif name == "parallel_coordinate":
        figure.update_layout(plot_bgcolor="silver")  # the palest of optuna's colours cannot be seen on white
    elif name == "param_importances":
        figure.update_layout(xaxis_title="share (fANOVA)")
    elif name == "intermediate_values":
        states = _states(study)
        figure.update_layout(xaxis_title=unit_of(plan), yaxis_title=plan.objectives[0].metric, showlegend=True)
        for trace in figure.data:
            state = states[trace.name]
            trace.update(name=trace.name.replace("Trial", "trial ") + state, line_dash="dash" if state else "solid")


def unit_of(plan: Plan) -> str:
    """Name what a trial reports one by one: epochs, or its runs."""
    return "epoch" if plan.repeats == 1 and not plan.folds and len(plan.experiments) == 1 else "run"


def _title(name: str, plan: Plan) -> str:
    return _TITLES[name].format(metric=plan.objectives[0].metric, unit=unit_of(plan))


def _states(study: "Study") -> dict[str, str]:
    """Say what became of the trials, by optuna's names for their lines; nothing for complete ones and those in work."""
    words = {"PRUNED": ", pruned", "FAIL": ", failed"}
    return {f"Trial{one.number}": words.get(one.state.name, "") for one in study.get_trials(deepcopy=False)}


def _ends(study: "Study") -> dict[str, tuple[list[int], float]]:
    """Give the trials without a value by state, and the height below all values at which they are marked."""
    trials = study.get_trials(deepcopy=False)
    values = [one.values[0] for one in trials if one.state.name == "COMPLETE"]
    height = min(values) - 0.06 * ((max(values) - min(values)) or 1.0)
    numbers = {state: [one.number for one in trials if one.state.name == state] for state in _MARKS}
    return {state: (found, height) for state, found in numbers.items() if found}
