"""The text that MLflow shows on a run's page."""

from collections.abc import Mapping

from lit_medseg.catalogue.summary import DataSummary
from lit_medseg.tracking.score_rows import score_rows

NOTE_TAG = "mlflow.note.content"
MAX_LENGTH = 8000


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
