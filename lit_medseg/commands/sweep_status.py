"""`sweep status NAME`: how a running or ended sweep stands."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lit_medseg.commands.one_line_parser import OneLineParser
from lit_medseg.errors import ConfigError, expected_got
from lit_medseg.sweep.best import BEST
from lit_medseg.sweep.claim import claims, words
from lit_medseg.sweep.history import History
from lit_medseg.sweep.kept_plan import read_kept_plan
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.plan import ClassPath
from lit_medseg.sweep.report import report_lines
from lit_medseg.sweep.results import Results
from lit_medseg.sweep.study import close_storage, open_storage, shown_storage, storage_faults
from lit_medseg.sweep.sweep_run import SweepRun
from lit_medseg.sweep.worker_files import living_workers, worked_s
from lit_medseg.tracking.shown_path import shown_path

if TYPE_CHECKING:
    from optuna import Study

    from lit_medseg.sweep.plan import Plan


def status(argv: list[str]) -> int:
    """Print the report of a sweep, with who works on what.

    Args:
        argv: Its name, and where it is.

    Returns:
        0.

    Raises:
        MedSegError: There is no such sweep, or its storage cannot be reached.
    """
    parser = OneLineParser(prog="python -m lit_medseg sweep status", allow_abbrev=False)
    parser.add_argument("name", nargs="?", help="name of the sweep; without it all are listed")
    parser.add_argument("--runs_dir", default="runs", help="folder of all run folders")
    parser.add_argument("--storage", help="address of its storage, where that needs a password")
    arguments = parser.parse_args(argv)
    if arguments.name is None:
        return _list(Path(arguments.runs_dir))
    place = Place(Path(arguments.runs_dir), arguments.name)
    if not (place.folder.path / "state.json").is_file():
        there = sorted(path.parents[1].name for path in place.root.glob("*/sweep/state.json"))
        todo = "Name another, or give --runs_dir"
        raise ConfigError(expected_got(arguments.name, "no such sweep", f"one of {there}", repr(arguments.name), todo))
    plan, bases = read_kept_plan(place)
    study = _study(plan, arguments.storage or plan.storage, place)
    results = Results(plan, bases, study, place, SweepRun(place, ""))
    findings = results.findings()
    running = [row.number for row in findings.rows if row.state == "RUNNING"]
    lines = report_lines(replace(findings, working={number: _at(plan, place, number) for number in running}))
    alive = living_workers(place.workers)
    ended = place.folder.read().status == "FINISHED"
    nobody = "none; it has ended" if ended else "none; --resume goes on"
    at_work = ", ".join(words(owner) for owner in alive) or nobody
    lines.append(f"workers     {at_work}; {worked_s(place.workers) / 3600:.2f} h of work")
    best = place.folder.path / BEST
    if best.is_file():
        lines.append(f"{'best' if ended else 'best so far':<11} {shown_path(best)}")
    print("\n".join(lines))
    close_storage(study)
    return 0


def _study(plan: "Plan", wanted: str | ClassPath | None, place: Place) -> "Study":
    """Open the study.

    Raises:
        MedSegError: Its storage cannot be reached, or has no such study.
    """
    import optuna  # noqa: PLC0415 (after the name was looked at)

    storage = open_storage(wanted, place.folder.path)
    try:
        with storage_faults(wanted):
            return optuna.load_study(study_name=plan.name, storage=storage)
    except KeyError as error:
        where = "storage" if wanted is None else shown_storage(wanted)
        got, todo = "none of this name", "Give the --storage that it is in"
        text = expected_got(f"sweep {plan.name}", "its study is missing", f"a study in {where}", got, todo)
        raise ConfigError(text) from error


def _list(runs_dir: Path) -> int:
    """Print a line a sweep."""
    names = [path.parents[1].name for path in runs_dir.glob("*/sweep/state.json")]
    rows = [(name, Place(runs_dir, name)) for name in sorted(names)]
    for name, place in rows:
        state, working = place.folder.read().status, len(living_workers(place.workers))
        state = "KILLED" if state == "RUNNING" and not working else state
        print(f"{name:<30} {state:<9} {working} workers, {worked_s(place.workers) / 3600:.2f} h of work")
    if not rows:
        print(f"no sweeps in {shown_path(runs_dir)}")
    return 0


def _at(plan: "Plan", place: Place, number: int) -> str:
    """Say how far a trial is, and who works on it."""
    last = claims(place.trial(number))[-1:]
    owner = words(last[0].owner) if last and last[0].held else "nobody: its worker is gone, --resume takes it up again"
    folder = place.run(number).path
    runs = sorted(path for path in folder.parent.glob(f"{folder.name}*") if path.is_dir())
    if not runs:
        return f"{owner}; not begun"
    history = History(runs[-1])
    history.finish()
    found = {one.metric: history.by_epoch(one.metric) for one in plan.objectives}
    values = [f", {metric} {values[max(values)]:.4f}" for metric, values in found.items() if values]
    again = f", attempt {last[0].attempt}" if last and last[0].attempt > 1 else ""
    return f"{owner}{again}; {runs[-1].name}: epoch {history.epochs}{''.join(values)}"
