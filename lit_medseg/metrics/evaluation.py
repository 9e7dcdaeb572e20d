"""What a task leaves after an evaluation, for whoever reports it."""

from dataclasses import dataclass
from io import StringIO
from typing import Any, Self

import pandas as pd

from lit_medseg.metrics.case_table import parse_case_table, table_text
from lit_medseg.target import Target


@dataclass(frozen=True)
class Evaluation:
    """The results of one pass over a set; the same on every rank.

    Attributes:
        stage: `val` or `test`: the prefix of the metric keys and the name of the CSV.
        rows: One row per case (segmentation: and class), from `case_table`.
        scores: Aggregates by name, without the stage: `dice`, `dice/<class>`, `auroc/ci_low`, ...; NaN where undefined.
        target: The classes.
    """

    stage: str
    rows: pd.DataFrame
    scores: dict[str, float]
    target: Target

    def plain(self) -> dict[str, Any]:
        """Give the results, without the classes, as plain data."""
        return {"stage": self.stage, "rows": table_text(self.rows), "scores": dict(self.scores)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any], target: Target) -> Self:
        """Rebuild what `plain` gave, equal to the last bit.

        Args:
            plain: The results.
            target: The classes.
        """
        return cls(plain["stage"], parse_case_table(StringIO(plain["rows"])), dict(plain["scores"]), target)
