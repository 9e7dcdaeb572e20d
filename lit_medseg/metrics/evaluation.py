"""What a task leaves after an evaluation, for whoever reports it."""

from dataclasses import dataclass

import pandas as pd

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
