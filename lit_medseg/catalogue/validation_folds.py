"""Cross-validation that leaves an experiment's own test set alone."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.entry import Entry
from lit_medseg.catalogue.folds import deal_folds
from lit_medseg.catalogue.hold_out import HoldOut
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import Split
from lit_medseg.catalogue.splitter import Splitter
from lit_medseg.errors import ConfigError, expected_got


@dataclass(frozen=True)
class ValidationFolds(Splitter):
    """Deal what another splitter does not test to folds, and validate on one of them.

    Over all values of `fold` each of these cases is validated once, and no case of the test set is ever trained or
    validated on: whoever chooses by the folds can still judge the choice on the test set. Patients who share an image
    with equal pixels are in one fold.
    Source: S. Varma and R. Simon, Bias in error estimation when using cross-validation for model selection, BMC
    Bioinformatics 7 (2006) 91, doi:10.1186/1471-2105-7-91.

    Attributes:
        splitter: Says which cases are the test set; None for `HoldOut()`.
        folds: Number of folds, 2 or more.
        fold: Which one is validated, from 0.
        seed: Seed of the dealing.
        stratify: Metadata column to balance; None balances the classes.
    """

    splitter: Splitter | None = None
    folds: int = 5
    fold: int = 0
    seed: int = 0
    stratify: str | None = None

    def __post_init__(self) -> None:
        """Refuse a fold that does not exist."""
        if self.folds < 2 or not 0 <= self.fold < self.folds:
            got = f"fold {self.fold} of {self.folds}"
            raise ConfigError(
                expected_got("splitter", "no such fold", "0 to folds - 1, folds 2 or more", got, "Mend `fold`")
            )

    def split(self, manifest: Manifest, classes: Classes) -> Split:
        """Make the other split, and deal its training and validation cases anew, patients whole, strata balanced.

        Raises:
            SplitError: What the other splitter raises; fewer patients than folds (those who share an image count once),
                or no such column.
        """
        given = (self.splitter or HoldOut()).split(manifest, classes)
        rest = {*given.train, *given.val}
        entries = [entry for entry in manifest.entries if entry.case.case_id in rest]
        val = deal_folds(_tied(entries), self.stratify, self.folds, (self.seed,))[self.fold]
        rule = (
            f"fold {self.fold} of {self.folds} of what is not tested is val, by patient, balanced by "
            f"{self.stratify or 'class'}; test: {given.rule}"
        )
        # ids that the data set lacks stay in train, for `check_split` to name
        return replace(given, train=tuple(rest.difference(val)), val=val, rule=rule)


def _tied(entries: Iterable[Entry]) -> list[Entry]:
    """Make patients who share an image one patient, so that its copies do not leak from one fold to another."""
    found, merged, owner = list(entries), dict[str, str](), dict[str, str]()

    def whole(group: str) -> str:
        while group in merged:
            group = merged[group]
        return group

    for entry in found:
        ends = whole(entry.case.group), whole(owner.setdefault(entry.pixel_hash, entry.case.group))
        if ends[0] != ends[1]:
            merged[max(ends)] = min(ends)
    return [replace(entry, case=replace(entry.case, patient_id=whole(entry.case.group))) for entry in found]
