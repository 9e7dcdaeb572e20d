"""Cross-validation: k folds, each the test set once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lit_medseg.catalogue.assign import assign
from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.entry import Entry
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
        test = set(deal_folds(manifest.entries, self.stratify, self.folds, (self.seed,))[self.fold])
        rest = groups_of((entry for entry in manifest.entries if entry.case.case_id not in test), self.stratify)
        sets = assign(rest, {"train": 1 - self.val, "val": self.val}, (self.seed, self.fold))
        rule = (
            f"fold {self.fold} of {self.folds} is the test set, val {self.val:g} of the rest, by patient, "
            f"balanced by {self.stratify or 'class'}"
        )
        return Split(**sets, test=tuple(test), rule=rule, seed=self.seed)


def deal_folds(
    entries: Iterable[Entry], stratify: str | None, folds: int, seed: Sequence[int]
) -> tuple[tuple[str, ...], ...]:
    """Deal cases to folds: patients whole, strata balanced, about as many cases in each.

    Args:
        entries: The cases.
        stratify: Metadata column to balance; None balances the classes.
        folds: Number of folds.
        seed: Numbers that seed the drawing.

    Returns:
        The sorted case ids of each fold.

    Raises:
        SplitError: Fewer patients than folds, or no such column.
    """
    names = [str(fold) for fold in range(folds)]
    dealt = assign(groups_of(entries, stratify), dict.fromkeys(names, 1 / folds), seed)
    return tuple(dealt[name] for name in names)
