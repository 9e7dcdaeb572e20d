"""Cross-validation: k folds, each the test set once."""

from dataclasses import dataclass

from lit_medseg.catalogue.assign import assign
from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.groups import groups_of
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import Split
from lit_medseg.catalogue.splitter import Splitter, check_fractions
from lit_medseg.errors import ConfigError, expected_got


@dataclass(frozen=True)
class Folds(Splitter):
    """Test on one of k folds, patients whole, strata balanced; validation is cut from the others.

    The folds depend on `folds`, `seed` and `stratify` alone: over all values of `fold` each case is tested once.

    Attributes:
        folds: Number of folds, 2 or more.
        fold: Which one is the test set, from 0.
        val: Share of the cases outside the test fold for validation.
        seed: Seed of the drawing.
        stratify: Metadata column to balance; None balances the classes.
    """

    folds: int = 5
    fold: int = 0
    val: float = 0.15
    seed: int = 0
    stratify: str | None = None

    def __post_init__(self) -> None:
        """Refuse a fold that does not exist."""
        check_fractions(val=self.val)
        if self.folds < 2 or not 0 <= self.fold < self.folds:
            got = f"fold {self.fold} of {self.folds}"
            raise ConfigError(
                expected_got("splitter", "no such fold", "0 to folds - 1, folds 2 or more", got, "Mend `fold`")
            )

    def split(self, manifest: Manifest, classes: Classes) -> Split:
        """Draw the folds, and validation from those that are not tested.

        Raises:
            SplitError: Fewer patients than folds, or no such column.
        """
        groups = groups_of(manifest.entries, self.stratify)
        dealt = assign(groups, {str(fold): 1 / self.folds for fold in range(self.folds)}, (self.seed,))
        test = set(dealt[str(self.fold)])
        rest = groups_of((entry for entry in manifest.entries if entry.case.case_id not in test), self.stratify)
        sets = assign(rest, {"train": 1 - self.val, "val": self.val}, (self.seed, self.fold))
        rule = (
            f"fold {self.fold} of {self.folds} is the test set, val {self.val:g} of the rest, by patient, "
            f"balanced by {self.stratify or 'class'}"
        )
        return Split(**sets, test=tuple(test), rule=rule, seed=self.seed)
