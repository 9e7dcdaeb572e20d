"""The table of all cases of an evaluation, in memory and as CSV; the same bytes for any number of ranks."""

import os
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

import pandas as pd

from lit_medseg.errors import DataError, expected_got
from lit_medseg.metrics.row import Row

TEXT_COLUMNS = ("case_id", "patient_id", "class", "label", "prediction")
"""Read back as text: the patient "007" stays "007", the class "NA" stays a class."""


def case_table(rows: Iterable[Row]) -> pd.DataFrame:
    """Order the gathered rows by case; the classes of a case keep their order.

    Args:
        rows: As `segmentation_rows` or `classification_row` write them. A case that two ranks have evaluated counts
            once.

    Returns:
        One row per case (segmentation: and class); without rows, an empty table without columns.

    Raises:
        DataError: A case comes twice with differing values.
    """
    unique: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (str(row["case_id"]), str(row.get("class", "")))
        # Compared as text: NaN is no equal of itself.
        if repr(unique.setdefault(key, row)) != repr(row):
            todo = "Report this: evaluation batches must not depend on the rank"
            raise DataError(
                expected_got(f"case {key[0]}", "evaluated twice with differing results", unique[key], row, todo)
            )
    return pd.DataFrame([unique[key] for key in sorted(unique, key=lambda key: key[0])])


def table_text(table: pd.DataFrame) -> str:
    """Write a table as CSV text: newline alone, floats in full."""
    return table.to_csv(index=False, lineterminator="\n", na_rep="nan")


def write_case_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV (UTF-8, newline alone, floats in full) in place of what is there, whole or not at all.

    Args:
        table: From `case_table`.
        path: The file; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(table_text(table).encode())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_case_table(path: Path) -> pd.DataFrame:
    """Read what `write_case_table` wrote, with equal values and dtypes.

    Args:
        path: The CSV.

    Returns:
        The table; text stays text, counts are int64, all else float64 to the last bit.

    Raises:
        DataError: The file is not there, or a number is not one.
    """
    try:
        return parse_case_table(path)
    except (OSError, ValueError) as error:
        todo = "Evaluate the checkpoint again"
        raise DataError(expected_got(path, "unusable table of cases", "a CSV of this program", error, todo)) from error


def parse_case_table(source: Path | StringIO) -> pd.DataFrame:
    """Parse the CSV text of a table; see `read_case_table`.

    Raises:
        OSError: The file is not there.
        ValueError: A number is not one.
    """
    try:
        texts = pd.read_csv(source, dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    return pd.DataFrame({name: texts[name] if name in TEXT_COLUMNS else _numbers(texts[name]) for name in texts})


def _numbers(column: "pd.Series[str]") -> "pd.Series[int] | pd.Series[float]":
    """Parse with Python's reader: exact, and `pandas.to_numeric` refuses the text nan."""
    if column.str.fullmatch(r"-?\d+").all():
        return column.map(int).astype("int64")
    return column.map(float).astype("float64")
