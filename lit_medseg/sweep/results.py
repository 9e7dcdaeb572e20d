"""What a sweep leaves behind: report, table, winner and pictures, in its folder and in its MLflow run."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lit_medseg.sweep.best import write_best
from lit_medseg.sweep.importance import importances
from lit_medseg.sweep.parts import make_parts
from lit_medseg.sweep.place import Place
from lit_medseg.sweep.plan import Plan
from lit_medseg.sweep.plots import draw_plots
from lit_medseg.sweep.report import Findings, report_lines
from lit_medseg.sweep.rows import Row, as_csv, ranked, rows_of
from lit_medseg.sweep.study import is_storage_fault, one_line
from lit_medseg.sweep.sweep_run import SweepRun
from lit_medseg.tracking.atomic_write import write_atomically
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.safe_key import safe_key

if TYPE_CHECKING:
    from optuna import Study

_LOG = logging.getLogger(__name__)
TABLE, REPORT = "trials.csv", "report.txt"
_SHOWN = 20


@dataclass(frozen=True)
class Results:
    """Writes them.

    Attributes:
        plan: The sweep.
        bases: Its experiments.
        study: Its study.
        place: Its folders.
        run: Its MLflow run.
    """

    plan: Plan
    bases: list[dict[str, Any]]
    study: "Study"
    place: Place
    run: SweepRun

    def findings(self) -> Findings:
        """Collect what a report is made of."""
        rows = rows_of(self.study)
        planned = planned_epochs(self.plan, self.bases, rows)
        return Findings(self.plan, rows, planned, importances(self.plan, self.study))

    def write(self) -> Findings | None:
        """Write everything, and record it where this worker leads; no fault of a storage or a disk ends the sweep.

        Returns:
            What was found; None where the study's storage does not answer.
        """
        findings = None
        try:
            findings = self.findings()
            self._write(findings)
        except Exception as error:
            if not is_storage_fault(error):
                raise
            _LOG.warning("the sweep's results cannot be written now: %s", one_line(error))
        return findings

    def _write(self, findings: Findings) -> None:
        lines = report_lines(findings)
        folder = self.place.folder.path
        files = [folder / TABLE, folder / REPORT]
        write_atomically(files[0], as_csv(self.plan, findings.rows))
        write_atomically(files[1], "\n".join(lines) + "\n")
        files += write_best(self.plan, self.place, findings.rows)
        files += draw_plots(self.plan, self.study, folder)
        if self.run.leads:
            self.run.put_files(files)
            self.run.put(*self._tags(findings, lines))

    def _tags(self, findings: Findings, lines: Sequence[str]) -> list[Record]:
        order = ranked(self.plan, findings.rows)
        tags = {"mlflow.note.content": _note(self.plan, order, lines), "trials": str(len(findings.rows))}
        if order:
            tags |= {"best_trial": str(order[0].number), "best_run": " ".join(str(p["run"]) for p in order[0].parts)}
            tags |= {f"best/{name}": repr(value) for name, value in order[0].settings.items()}
        named = [("best", len(findings.rows), row) for row in order[:1]]
        named += [("trial", row.number, row) for row in order]  # those of the workers that do not lead, too
        metrics = [
            Record("metric", safe_key(f"{name}/{objective.metric}"), value, step)
            for name, step, row in named
            for objective, value in zip(self.plan.objectives, row.values, strict=True)
        ]
        return [*(Record("tag", safe_key(key), value[:8000]) for key, value in tags.items()), *metrics]


def planned_epochs(plan: Plan, bases: list[dict[str, Any]], rows: Sequence[Row]) -> int:
    """Count the epochs of one trial that runs to its end; 0 where trials differ in them, or leave them open."""
    names = [one.name for one in plan.space if any(key.split(".")[0] == "trainer" for key in one.keys)]
    ended = (row for row in rows if row.state in ("COMPLETE", "PRUNED"))
    unlike = {tuple(row.settings.get(name) for name in names): row.settings for row in ended}
    counts = {sum(part.epochs or 0 for part in make_parts(plan, bases, one)) for one in unlike.values()}
    return counts.pop() if len(counts) == 1 else 0


def _note(plan: Plan, order: Sequence[Row], lines: Sequence[str]) -> str:
    """Write the page of the sweep's MLflow run."""
    metrics = [objective.metric for objective in plan.objectives]
    names = [parameter.name for parameter in plan.space]
    short = [name.replace(".init_args", "") for name in names]
    head = ["trial", *metrics, *short]
    table = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in order[:_SHOWN]:
        cells = [str(row.number), *(f"{value:.4f}" for value in row.values)]
        cells += [str(row.settings.get(name, "")) for name in names]
        table.append(f"| {' | '.join(cells)} |")
    report = "\n".join(f"    {line}" for line in lines)
    return f"{report}\n\n" + "\n".join(table)
