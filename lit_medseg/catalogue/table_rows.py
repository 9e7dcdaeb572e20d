"""A table of cases as text: nothing is guessed, so "007" stays "007" and "NA" stays "NA"."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lit_medseg.errors import DataError, expected_got


@dataclass(frozen=True)
class TableRows:
    """The rows of a table.

    Attributes:
        columns: Names, distinct, without blanks around them.
        rows: One text per column, without blanks around it; only rows that have all columns.
        faults: Rows that have not, in the house form.
    """

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    faults: tuple[str, ...] = ()


def read_table(path: Path, name: str) -> TableRows:
    """Read a table with a header.

    Args:
        path: CSV with commas, or with tabs where its ending is `.tsv`; UTF-8, a byte order mark is allowed.
        name: What errors call the file.

    Returns:
        The rows; empty lines are skipped.

    Raises:
        DataError: Missing, not UTF-8, no header, doubled or nameless columns, no rows.
    """
    lines = _lines(path, name)
    if len(lines) < 2:
        todo = "Write a header and one row per case"
        raise DataError(expected_got(name, "the table has no rows", "a header and rows", f"{len(lines)} lines", todo))
    columns = tuple(lines[0][1])
    if len(columns) == 1 and (signs := [sign for sign in ";\t|" if sign in columns[0]]):
        todo = "Save it with commas, or with tabs under the ending .tsv"
        got = f"{signs[0]!r} in {columns[0]!r}"
        raise DataError(expected_got(name, "the columns are separated by another sign", "commas", got, todo))
    bad = sorted(column for column, count in Counter(columns).items() if count > 1 or not column)
    if bad:
        todo = "Name every column once"
        raise DataError(expected_got(name, "columns are doubled or have no name", "distinct names", bad, todo))
    rows: list[dict[str, str]] = []
    faults: list[str] = []
    for number, cells in lines[1:]:
        if len(cells) == len(columns):
            rows.append(dict(zip(columns, cells, strict=True)))
            continue
        todo = "Complete the row; put quotes around cells that hold a comma"
        faults.append(
            expected_got(f"{name} line {number}", "the row does not fit", len(columns), f"{len(cells)} cells", todo)
        )
    return TableRows(columns, tuple(rows), tuple(faults))


def given_rows(rows: Sequence[Mapping[str, str | int]]) -> TableRows:
    """Take rows that a YAML holds.

    Args:
        rows: Text by column; a number stands for its digits. A column that a row leaves out is empty there.

    Raises:
        DataError: No rows.
    """
    if not rows:
        todo = "Write one {column: text} per case"
        raise DataError(expected_got("table", "the table has no rows", "at least one", 0, todo))
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    return TableRows(columns, tuple({column: str(row.get(column, "")) for column in columns} for row in rows))


def _lines(path: Path, name: str) -> list[tuple[int, list[str]]]:
    """Read the non-empty lines with their numbers."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except FileNotFoundError as error:
        todo = "Correct `table` in the YAML: it is relative to the root"
        raise DataError(expected_got(name, "the table is missing", "a CSV file", "nothing there", todo)) from error
    except OSError as error:
        todo = "Check that it is a file that you may read"
        raise DataError(expected_got(name, "the table cannot be read", "a CSV file", error.strerror, todo)) from error
    except (UnicodeDecodeError, csv.Error) as error:
        todo = "Save it as CSV in UTF-8"
        raise DataError(expected_got(name, "the table cannot be read", "CSV in UTF-8", error, todo)) from error
    return [(number, cells) for number, cells in lines if any(cells)]
