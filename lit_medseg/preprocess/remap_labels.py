"""Other codes for the classes of a mask."""

from dataclasses import dataclass, replace

import numpy as np

from lit_medseg.errors import ConfigError, DataError, expected_got
from lit_medseg.imaging.volume import Volume
from lit_medseg.preprocess.sample import Sample
from lit_medseg.preprocess.step import Step
from lit_medseg.preprocess.trace import Trace


@dataclass(frozen=True)
class RemapLabels(Step):
    """Codes are exchanged; codes that are not named stay. Several may become one: labels are merged, or dropped to 0.

    Predictions keep the new codes, and so does the reference that they are compared with (see `Step.truth`).

    Attributes:
        codes: New code by old code, as they are after the declared classes have been encoded.
    """

    codes: dict[int, int]

    def __post_init__(self) -> None:
        """Refuse codes that a mask cannot hold; a JSON's keys, which are texts, become numbers.

        Raises:
            ConfigError: Not from 0 to 255.
        """
        plain = {int(old): int(new) for old, new in self.codes.items()}
        wrong = [code for pair in plain.items() for code in pair if not 0 <= code <= 255]
        if wrong:
            todo = "Correct codes"
            raise ConfigError(expected_got("remap_labels", "unusable codes", "numbers from 0 to 255", wrong, todo))
        object.__setattr__(self, "codes", plain)

    def apply(self, sample: Sample) -> tuple[Sample, Trace]:
        """Exchange the codes of the mask.

        Raises:
            DataError: The classes overlap: each is a plane, and there are no codes.
        """
        return sample if sample.mask is None else replace(sample, mask=self.truth(sample.mask)), {}

    def invert(self, volume: Volume, trace: Trace) -> Volume:
        """Give the volume as it is: the classes of a prediction are the new ones."""
        return volume

    def truth(self, mask: Volume) -> Volume:
        """Exchange the codes of a mask.

        Raises:
            DataError: The classes overlap.
        """
        if len(mask.array) > 1:
            todo = "Take RemapLabels out, or declare the classes as not overlapping"
            raise DataError(expected_got("remap_labels", "classes overlap", "one plane", len(mask.array), todo))
        table = np.arange(256, dtype=np.uint8)
        table[list(self.codes)] = list(self.codes.values())
        return mask.with_array(table[mask.array])
