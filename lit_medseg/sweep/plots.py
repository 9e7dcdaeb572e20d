"""Pictures of a study: one page that one can move in, and one PNG each."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_medseg.sweep.importance import FEWEST
from lit_medseg.sweep.plan import Plan
from lit_medseg.tracking.atomic_write import write_atomically

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

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
    from optuna.trial import TrialState  # noqa: PLC0415 (`--help` is instant)

    complete = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    if not complete:
        return []
    with _quietly():
        wanted = list(_wanted(plan, study, complete))
        pictures = [path for name, options in wanted if (path := _picture(name, options, study, folder))]
        page = _page(plan, study, wanted, folder / PAGE)
    return [*pictures, *([page] if page else [])]


def _wanted(plan: Plan, study: "Study", complete: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """List the plots by optuna's names, with their options."""
    several = len(plan.objectives) > 1
    first = {"target": _first_value, "target_name": plan.objectives[0].metric} if several else {}
    named = {"target_name": plan.objectives[0].metric}
    yield "optimization_history", {**named, **first}
    if complete >= FEWEST:
        yield "param_importances", {**named, **first}
    if complete > 1:
        yield "parallel_coordinate", {**named, **first}
    if several:
        yield "pareto_front", {"target_names": [objective.metric for objective in plan.objectives]}
    elif any(trial.intermediate_values for trial in study.get_trials(deepcopy=False)):
        yield "intermediate_values", {}


def _first_value(trial: "FrozenTrial") -> float:
    return float(trial.values[0])


def _picture(name: str, options: dict[str, Any], study: "Study", folder: Path) -> Path | None:
    import matplotlib as mpl  # noqa: PLC0415 (a second at every start)

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 (after the backend is chosen)
    from optuna.visualization import matplotlib as drawing  # noqa: PLC0415 (a second at every start)

    path = folder / f"{name}.png"
    try:
        drawn = _drawer(drawing, name)(study, **options)
        axes = drawn.flat[0] if hasattr(drawn, "flat") else drawn
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


def _page(plan: Plan, study: "Study", wanted: list[tuple[str, dict[str, Any]]], path: Path) -> Path | None:
    from optuna import visualization  # noqa: PLC0415 (a second at every start)

    parts: list[str] = []
    for name, options in wanted:
        try:
            figure = _drawer(visualization, name)(study, **options)
            # the library comes with the first: the page works without a network
            parts.append(figure.to_html(full_html=False, include_plotlyjs=not parts))
        except Exception as error:  # of whatever kind: a picture must not end a sweep
            _LOG.warning("%s of %s cannot be drawn: %s", name, path.name, str(error)[:200])
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
