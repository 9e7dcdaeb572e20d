"""Texts with `{column}` in them that each row of a table fills in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from string import Formatter

from lit_medseg.errors import ConfigError, DataError, expected_got


@dataclass(frozen=True)
class CellTemplate:
    """A template like `{split}/images/{file}`.

    Attributes:
        key: The YAML key it stands under, for errors.
        text: The template; doubled braces stand for one.
    """

    key: str
    text: str

    def __post_init__(self) -> None:
        """Refuse a template that is the same for every row.

        Raises:
            ConfigError: Unbalanced braces, or no column in it.
        """
        try:
            columns = self.columns
        except ValueError as error:
            todo = "Balance the braces; write {{ and }} for braces of the name itself"
            what = "it is no template"
            raise ConfigError(
                expected_got(self.key, what, "a text with {column}", f"{self.text!r} ({error})", todo)
            ) from error
        if not columns:
            todo = f"Write '{{{self.text}}}' if that is a column"
            raise ConfigError(
                expected_got(self.key, "it names no column", "a text with {column}", repr(self.text), todo)
            )

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that the template names, in its order."""
        return tuple(field for _, field, _, _ in Formatter().parse(self.text) if field is not None)

    def check(self, existing: Sequence[str], table: str) -> None:
        """Refuse columns that the table does not have.

        Raises:
            DataError: Names the column, the nearest one that exists, and all of them.
        """
        check_columns(self.key, self.columns, existing, table)

    def fill(self, row: Mapping[str, str], where: str) -> str:
        """Fill in one row.

        Args:
            row: Text by column.
            where: What errors call the row.

        Raises:
            DataError: A cell is empty.
        """
        parts: list[str] = []
        for literal, field, spec, _ in Formatter().parse(self.text):
            parts.append(literal)
            if field is None:
                continue
            if not row[field]:
                todo = "Fill it in or remove the row"
                what = f"the cell {field!r} is empty, needed for `{self.key}`"
                raise DataError(expected_got(where, what, "a text", "nothing", todo))
            parts.append(format(row[field], spec or ""))
        return "".join(parts)


def check_columns(key: str, columns: Sequence[str], existing: Sequence[str], table: str) -> None:
    """Refuse columns that a table does not have.

    Args:
        key: The YAML key that names them.
        columns: The columns asked for.
        existing: The columns of the table.
        table: What errors call the table.

    Raises:
        DataError: Names the first missing column, the nearest one that exists, and all of them.
    """
    for column in columns:
        if column in existing:
            continue
        near = get_close_matches(column.lower(), [name.lower() for name in existing], n=1, cutoff=0.5)
        nearest = next((name for name in existing if near and name.lower() == near[0]), None)
        todo = f"Did you mean {nearest!r}" if nearest else f"Correct `{key}` in the YAML"
        what = f"the column {column!r} that `{key}` names does not exist"
        text = expected_got(table, what, f"one of {list(existing)}", repr(column), todo)
        raise DataError(f"{text[:-1]}?" if nearest else text)
