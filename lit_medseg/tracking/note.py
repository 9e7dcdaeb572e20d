"""The text that MLflow shows on a run's page."""

from collections.abc import Iterable, Mapping

from lit_medseg.catalogue.summary import DataSummary
from lit_medseg.tracking.records import Record
from lit_medseg.tracking.score_rows import score_rows

NOTE_TAG = "mlflow.note.content"
MAX_LENGTH = 8000
_FAILED, _END = "**Failed**: ", "\n\n---\n\n"
"""A failure stands between these two, above what the page told before."""


def run_note(command: str, data: DataSummary, scores: Mapping[str, float]) -> str:
    """Sum up a run in Markdown.

    Args:
        command: The command line, without absolute paths.
        data: What the catalogue tells about the data.
        scores: See `score_rows`; empty while the run has none.

    Returns:
        Command, data and scores; at most 8,000 characters.
    """
    lines = [f"`{command}`", "", f"**Data** {data.name}, split by {data.split_rule}", ""]
    lines += ["| set | cases | patients | cases with class |", "| --- | --- | --- | --- |"]
    for name, count in data.cases.items():
        classes = ", ".join(f"{kind} {number}" for kind, number in data.classes.get(name, {}).items())
        lines.append(f"| {name} | {count} | {data.patients.get(name, 0)} | {classes} |")
    rows = score_rows(scores)
    if rows:
        lines += ["", "| score | value | 95% interval |", "| --- | --- | --- |"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)[:MAX_LENGTH]


def failure_note(line: str, details: str, history: Iterable[Record]) -> str:
    """Put a failure above what a run's page told before.

    Args:
        line: What failed.
        details: Traceback or the like; empty for none.
        history: All records of the run so far.
    """
    block = f"\n\n```text\n{details}\n```" if details else ""
    return f"{_FAILED}{line}{block}{_END}{page_without_failure(history)}"


def page_without_failure(history: Iterable[Record]) -> str:
    """Give what a run's page told last, failures left out; empty where it told nothing.

    Args:
        history: All records of the run so far.
    """
    pages = [str(record.value) for record in history if record.kind == "tag" and record.key == NOTE_TAG]
    return next((page for page in reversed(pages) if not page.startswith(_FAILED)), "")
