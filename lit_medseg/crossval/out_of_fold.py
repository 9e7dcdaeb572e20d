"""The table of all cases, each predicted by the fold that never saw its patient."""

from collections.abc import Iterable

import pandas as pd

from lit_medseg.crossval.fold_work import FoldWork

FOLD, INNER = "fold", "inner_fold"


def out_of_fold(works: Iterable[FoldWork]) -> pd.DataFrame:
    """Put the tables of folds together.

    Args:
        works: Tested folds.

    Returns:
        Their rows with the columns `fold` and, of inner folds, `inner_fold` behind the patient; sorted by fold, then
        inner fold for these, else by case. Rows of a case keep their order.

    Raises:
        DataError: A table is damaged, or has other cases than its fold tests.
    """
    tables = []
    for work in works:
        table, fold = work.read_table(), work.data.fold
        table.insert(2, FOLD, fold.number)
        if fold.inner is not None:
            table.insert(3, INNER, fold.inner)
        tables.append(table)
    joined = pd.concat(tables, ignore_index=True)
    order = [FOLD, INNER, "case_id"] if INNER in joined else ["case_id"]
    return joined.sort_values(order, kind="stable", ignore_index=True)
