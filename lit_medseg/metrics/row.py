"""One row of a table of cases."""

Row = dict[str, str | int | float]
"""Column name to plain Python value: travels between ranks, and into a CSV, unchanged."""
