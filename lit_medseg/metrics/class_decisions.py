"""A table of classified cases as arrays, one exclusive decision at a time."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lit_medseg.metrics.classification_rows import JOINT
from lit_medseg.target import Binary, MultiLabel, Target


@dataclass(frozen=True)
class ClassDecisions:
    """N cases, each given one of K exclusive classes.

    Attributes:
        labels: `(N,)` int64, the truth.
        predictions: `(N,)` int64, the decision.
        probabilities: `(N, K)` float64.
        scored: The codes that are scored against the rest, with their names: of two classes only the positive one.
    """

    labels: NDArray[np.int64]
    predictions: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    scored: tuple[tuple[int, str], ...]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """`(N,)`: the probability of the decision that was taken."""
        return self.probabilities[np.arange(len(self.predictions)), self.predictions]


def class_decisions(table: pd.DataFrame, target: Target) -> dict[str, ClassDecisions]:
    """Read the decisions out of a table.

    Args:
        table: From `case_table` with rows of `classification_row`, not empty.
        target: The classes of those rows.

    Returns:
        Overlapping classes: by class name, its decision between absent (0) and present (1). Else one decision under
        the empty name.
    """
    if isinstance(target, MultiLabel):
        return {name: _presence(table, name) for name in target.names}
    codes = {name: code for code, name in enumerate(target.names)}
    scored = tuple(enumerate(target.names))
    decisions = ClassDecisions(
        labels=np.array([codes[name] for name in table["label"]], dtype=np.int64),
        predictions=np.array([codes[name] for name in table["prediction"]], dtype=np.int64),
        probabilities=table[[f"p_{name}" for name in target.names]].to_numpy(dtype=np.float64),
        scored=scored[1:] if isinstance(target, Binary) else scored,
    )
    return {"": decisions}


def _presence(table: pd.DataFrame, name: str) -> ClassDecisions:
    present = table[f"p_{name}"].to_numpy(dtype=np.float64)
    return ClassDecisions(
        labels=table[f"y_{name}"].to_numpy(dtype=np.int64),
        predictions=np.array([name in names.split(JOINT) for names in table["prediction"]], dtype=np.int64),
        probabilities=np.stack([1 - present, present], axis=1),
        scored=((1, name),),
    )
