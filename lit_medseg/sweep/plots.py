"""Pictures of a study: one page that one can move in, and one PNG each."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_medseg.sweep.importance import evaluator, tells
from lit_medseg.sweep.label_axes import label_axes, label_figure
from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.shown_study import shown_study
from lit_medseg.tracking.atomic_write import write_atomically

if TYPE_CHECKING:
    from optuna import Study

_LOG = logging.getLogger(__name__)
PAGE = "plots.html"
_PIXELS_PER_INCH = 110


def draw_plots(plan: Plan, study: "Study", folder: Path) -> list[Path]:
    """Draw history, importance, parallel coordinates, intermediate values and, for several objectives, the front.

    Args:
        plan: The sweep.
        study: Its study.
        folder: Gets `plots.html` (which needs no network) and `<plot>.png`.

    Returns:
        The files; fewer where there are too few trials, or where a plot cannot be drawn.
    """
    shown, counted = shown_study(plan, study), shown_study(plan, study, pruned_count=True)
    if not _complete(shown):
        return []
    with _quietly():
        wanted = list(_wanted(plan, study, shown, counted))
        pictures = [path for plot in wanted if (path := _picture(plan, plot, folder))]
        page = _page(plan, wanted, folder / PAGE)
    return [*pictures, *([page] if page else [])]


@dataclass(frozen=True)
class _Plot:
    """A plot by optuna's name, what it shows, and its options."""

    name: str
    study: "Study"
    options: dict[str, Any]


def _wanted(plan: Plan, study: "Study", shown: "Study", counted: "Study") -> Iterator[_Plot]:
    """List the plots; `shown` has the first objective alone, `counted` pruned trials with what they had reached too."""
    named = {"target_name": plan.objectives[0].metric}
    yield _Plot("optimization_history", shown, named)
    if tells(counted):
        yield _Plot("param_importances", counted, {**named, "evaluator": evaluator(plan)})
    if _complete(counted) > 1:
        yield _Plot("parallel_coordinate", counted, named)
    if len(plan.objectives) > 1:
        yield _Plot("pareto_front", study, {"target_names": [objective.metric for objective in plan.objectives]})
    elif any(trial.intermediate_values for trial in shown.get_trials(deepcopy=False)):
        yield _Plot("intermediate_values", shown, {})


def _complete(study: "Study") -> int:
    return sum(trial.state.name == "COMPLETE" for trial in study.get_trials(deepcopy=False))


def _picture(plan: Plan, plot: _Plot, folder: Path) -> Path | None:
    import matplotlib as mpl  # noqa: PLC0415 (a second at every start)

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the backend is chosen)
    from optuna.visualization import matplotlib as drawing  # noqa: PLC0415 (a second at every start)

    path = folder / f"{plot.name}.png"
    try:
        drawn = _drawer(drawing, plot.name)(plot.study, **plot.options)
        axes = drawn.flat[0] if hasattr(drawn, "flat") else drawn
        label_axes(plot.name, axes, plan, plot.study)
        axes.figure.set_size_inches(9, 5)
        part = path.with_suffix(".part.png")
        axes.figure.savefig(part, dpi=_PIXELS_PER_INCH, bbox_inches="tight")
        part.replace(path)
    except Exception as error:  # of whatever kind: a picture must not end a sweep
        _LOG.warning("%s cannot be drawn: %s", path.name, str(error)[:200])
        return None
    finally:
        plt.close("all")
    return path


def _page(plan: Plan, wanted: list[_Plot], path: Path) -> Path | None:
    from optuna import visualization  # noqa: PLC0415 (a second at every start)

    parts: list[str] = []
    for plot in wanted:
        try:
            figure = _drawer(visualization, plot.name)(plot.study, **plot.options)
            label_figure(plot.name, figure, plan, plot.study)
            # the library comes with the first: the page works without a network
            parts.append(figure.to_html(full_html=False, include_plotlyjs=not parts))
        except Exception as error:  # of whatever kind: a picture must not end a sweep
            _LOG.warning("%s of %s cannot be drawn: %s", plot.name, path.name, str(error)[:200])
    if not parts:
        return None
    head = f"<!doctype html><html><head><meta charset='utf-8'><title>{plan.name}</title></head><body>"
    write_atomically(path, f"{head}<h1>{plan.name}</h1>{''.join(parts)}</body></html>\n")
    return path


def _drawer(module: Any, name: str) -> Callable[..., Any]:
    drawer: Callable[..., Any] = getattr(module, f"plot_{name}")
    return drawer


@contextmanager
def _quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
