"""How the cases of a data set come into train, val and test."""

from abc import ABC, abstractmethod

from lit_medseg.catalogue.classes import Classes
from lit_medseg.catalogue.manifest import Manifest
from lit_medseg.catalogue.split import Split
from lit_medseg.errors import ConfigError, expected_got


class Splitter(ABC):
    """A rule that makes a split. Children are frozen dataclasses that a YAML names by class path."""

    @abstractmethod
    def split(self, manifest: Manifest, classes: Classes) -> Split:
        """Make the split; equal manifests give equal splits.

        Raises:
            SplitError: The rule cannot be followed with these cases.
        """


def check_fractions(**fractions: float) -> None:
    """Refuse shares that leave nothing to train on.

    Raises:
        ConfigError: A share below 0, or shares that sum to 1 or more.
    """
    if min(fractions.values()) < 0 or sum(fractions.values()) >= 1:
        todo = "Lower them, so that cases are left to train on"
        raise ConfigError(
            expected_got("splitter", "unusable fractions", "0 or more, with a sum below 1", fractions, todo)
        )
