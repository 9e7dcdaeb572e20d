"""What a finished command prints."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lit_medseg.tracking.score_rows import score_rows
from lit_medseg.tracking.store import resolve_uri
from lit_medseg.tracking.without_password import without_secret


def print_page(console: Console, folder: Path, scores: Mapping[str, float], uri: str) -> None:
    """Print the scores, the run folder and the command that opens the user interface.

    Args:
        console: Where to print.
        folder: The run folder, as the user may type it.
        scores: With their stage, `test/dice`; see `score_rows`. By class only Dice is shown: MLflow has the rest.
            Without any, no table.
        uri: The store's address; named in the command, without its password, where it is not the one that `ui` finds
            by itself.
    """
    rows = [row for row in score_rows(scores) if row[0].count("/") == 1 or "/dice/" in row[0]]
    if rows:
        table = Table("score", "value", "95% interval")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    command = "python -m lit_medseg ui" + ("" if uri == resolve_uri(None) else f" --store {without_secret(uri)}")
    console.print(f"run folder  {folder}", highlight=False, soft_wrap=True)
    console.print(f"open MLflow {command}", highlight=False, soft_wrap=True)
