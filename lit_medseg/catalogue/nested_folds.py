"""Cross-validation within the training cases of a fold, to choose by without a look at its test cases."""

from dataclasses import dataclass

from lit_medseg.catalogue.assign import assign
from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.folds import deal_folds
from lit_medseg.catalogue.groups import groups_of
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import Split
from lit_medseg.catalogue.splitter import Splitter, check_fractions
from lit_medseg.errors import ConfigError, expected_got


@dataclass(frozen=True)
class NestedFolds(Splitter):
    """Leave the test fold of `Folds` out altogether, and deal the other cases to inner folds, of which one is tested.

    The outer folds are those of `Folds` with equal `folds`, `seed` and `stratify`.
    Source: S. Varma and R. Simon, Bias in error estimation when using cross-validation for model selection, BMC
    Bioinformatics 7 (2006) 91, doi:10.1186/1471-2105-7-91.

    Attributes:
        folds: Number of outer folds, 2 or more.
        fold: Which outer fold no set gets, from 0.
        inner_folds: Number of inner folds, 2 or more.
        inner_fold: Which inner fold is the test set, from 0.
        val: Share of the cases outside both folds for validation.
        seed: Seed of the drawing.
        stratify: Metadata column to balance; None balances the classes.
    """

    folds: int = 5
    fold: int = 0
    inner_folds: int = 5
    inner_fold: int = 0
    val: float = 0.15
    seed: int = 0
    stratify: str | None = None

    def __post_init__(self) -> None:
        """Refuse a fold that does not exist."""
        check_fractions(val=self.val)
        for what, number, count in (("", self.fold, self.folds), ("inner ", self.inner_fold, self.inner_folds)):
            if count < 2 or not 0 <= number < count:
                got = f"{what}fold {number} of {count}"
                todo = f"Mend `{what.strip()}{'_' if what else ''}fold`"
                raise ConfigError(
                    expected_got("splitter", "no such fold", "0 to folds - 1, folds 2 or more", got, todo)
                )

    def split(self, manifest: Manifest, classes: Classes) -> Split:
        """Draw the outer folds, the inner ones from the other cases, and validation from what is left.

        Raises:
            SplitError: Fewer patients than folds, or no such column.
        """
        outside = set(deal_folds(manifest.entries, self.stratify, self.folds, (self.seed,))[self.fold])
        entries = [entry for entry in manifest.entries if entry.case.case_id not in outside]
        draw = (self.seed, self.fold, self.inner_folds)
        test = set(deal_folds(entries, self.stratify, self.inner_folds, draw)[self.inner_fold])
        rest = groups_of((entry for entry in entries if entry.case.case_id not in test), self.stratify)
        sets = assign(rest, {"train": 1 - self.val, "val": self.val}, (*draw, self.inner_fold))
        rule = (
            f"fold {self.fold} of {self.folds} left out; inner fold {self.inner_fold} of {self.inner_folds} is the "
            f"test set, val {self.val:g} of the rest, by patient, balanced by {self.stratify or 'class'}"
        )
        return Split(**sets, test=tuple(test), rule=rule, seed=self.seed)
