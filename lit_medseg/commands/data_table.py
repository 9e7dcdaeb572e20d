"""A table on the terminal, whole also where the output is no terminal."""

import shutil
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDEST = 140


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a header.

    Args:
        title: What the table is about, a line above it.
        columns: Headers.
        rows: Cells, printed as texts; nothing in them is taken for markup.
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    # A pipe has no width: lines must not break at eighty signs there.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDEST
    Console(width=width).print(table)
