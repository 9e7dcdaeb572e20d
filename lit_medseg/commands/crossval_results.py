"""What a cross-validation leaves when all folds are tested: tables, metrics, a page."""

import json
from collections.abc import Sequence

import pandas as pd
from rich.console import Console

from lit_medseg.commands.crossval_settings import CrossvalSettings
from lit_medseg.crossval.fold_scores import CrossvalScores, Scores, crossval_scores, inner_scores
from lit_medseg.crossval.fold_work import FoldWork
from lit_medseg.crossval.out_of_fold import out_of_fold
from lit_medseg.crossval.report import crossval_note, fold_frame, fold_table, inner_table, score_table
from lit_medseg.metrics.case_table import write_case_table
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.note import NOTE_TAG
from lit_medseg.tracking.parent_run import ParentRun
from lit_medseg.tracking.run_folder import RunFolder
from lit_medseg.tracking.shown_path import shown_path
from lit_medseg.tracking.store import resolve_uri, shown_uri

ENSEMBLE = "checkpoints/ensemble.ckpt"


def write_results(parent: ParentRun, settings: CrossvalSettings, works: Sequence[FoldWork], command: str) -> None:
    """Write `cases/oof.csv`, `folds.csv` and `scores.json` into the run folder, and record all of it.

    Args:
        parent: The run of the cross-validation.
        settings: What the user asked for.
        works: All folds, tested.
        command: The command line, without absolute paths.

    Raises:
        DataError: A fold's table is damaged.
    """
    folder = parent.folder.path
    oof, scores, inner = _scores(settings, works)
    names = {work.data.fold.number: work.run.name for work in works if work.data.fold.inner is None}
    write_case_table(oof, folder / "cases" / "oof.csv")
    write_case_table(fold_frame(scores, oof, names), folder / "folds.csv")
    plain = {"all_cases": scores.pooled, "folds": scores.folds, "mean": scores.means, "std": scores.deviations}
    write_atomically(folder / "scores.json", json.dumps({**plain, "inner": inner}, indent=1) + "\n")
    parent.artifact(folder / "cases" / "oof.csv", "cases")
    if inner:
        found = out_of_fold(work for work in works if work.data.fold.inner is not None)
        write_case_table(found, folder / "cases" / "inner.csv")
        parent.artifact(folder / "cases" / "inner.csv", "cases")
    for name in ("folds.csv", "scores.json"):
        parent.artifact(folder / name)
    parent.metrics(scores.metrics())
    for number, found_scores in scores.folds.items():
        parent.metrics({f"fold/{name}": value for name, value in found_scores.items()}, step=number)
    for number, found_scores in inner.items():
        parent.metrics({f"inner/{name}": value for name, value in found_scores.items()}, step=number)
    drawn = f"{settings.plan.folds} folds by patient, val {settings.plan.val:g} of the rest"
    parent.tags({NOTE_TAG: crossval_note(command, settings.data.name, drawn, scores)})


def print_results(console: Console, settings: CrossvalSettings, folder: RunFolder, works: Sequence[FoldWork]) -> None:
    """Print scores and folds, and what to do next."""
    oof, scores, inner = _scores(settings, works)
    console.print(score_table(scores))
    console.print(fold_table(scores, oof))
    if inner:
        console.print(inner_table(inner, scores, "dice" if settings.data.truth.masks is not None else "auroc"))
    uri = resolve_uri(settings.tracking)
    lines = [
        f"all cases   {shown_path(folder.path / 'cases' / 'oof.csv')}",
        f"run folder  {shown_path(folder.path)}",
        "open MLflow python -m lit_medseg ui" + ("" if uri == resolve_uri(None) else f" --store {shown_uri(uri)}"),
    ]
    if (folder.path / ENSEMBLE).is_file():
        path = shown_path(folder.path / ENSEMBLE)
        lines.append(f"ensemble    python -m lit_medseg predict --ckpt_path {path} --input STUDIES --output MASKS")
        lines.append(f"            python -m lit_medseg test --ckpt_path {path} --config OTHER.yaml")
        lines.append("            (of data that no fold has seen: each case here has trained some of its members)")
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _scores(
    settings: CrossvalSettings, works: Sequence[FoldWork]
) -> tuple[pd.DataFrame, CrossvalScores, dict[int, Scores]]:
    """Give the table of all cases, what it says, and what the inner folds say."""
    classes = settings.data.classes
    oof = out_of_fold(work for work in works if work.data.fold.inner is None)
    nested = [work for work in works if work.data.fold.inner is not None]
    inner = inner_scores(out_of_fold(nested), classes) if nested else {}
    return oof, crossval_scores(oof, classes), inner
