"""One drawing into train, val and test."""

from dataclasses import dataclass

from lit_medseg.catalogue.assign import assign
from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.groups import groups_of
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import Split
from lit_medseg.catalogue.splitter import Splitter, check_fractions


@dataclass(frozen=True)
class HoldOut(Splitter):
    """Hold out shares of the cases, patients whole, strata balanced.

    Attributes:
        val: Share of all cases for validation.
        test: Share of all cases for the test.
        seed: Seed of the drawing.
        stratify: Metadata column to balance (a site, a scanner); None balances the classes.
    """

    val: float = 0.15
    test: float = 0.2
    seed: int = 0
    stratify: str | None = None

    def __post_init__(self) -> None:
        """Refuse fractions that leave nothing to train on."""
        check_fractions(val=self.val, test=self.test)

    def split(self, manifest: Manifest, classes: Classes) -> Split:
        """Draw the sets.

        Raises:
            SplitError: Fewer patients than sets, or no such column.
        """
        groups = groups_of(manifest.entries, self.stratify)
        fractions = {"train": 1 - self.val - self.test, "val": self.val, "test": self.test}
        rule = f"held out: val {self.val:g}, test {self.test:g}, by patient, balanced by {self.stratify or 'class'}"
        return Split(**assign(groups, fractions, (self.seed,)), rule=rule, seed=self.seed)
