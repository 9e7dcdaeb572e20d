"""What the YAML says about patients and identical images."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Trust:
    """How strictly the cases are checked before training.

    Attributes:
        patients: `required`: every case has a patient id, and no patient is in two sets. `unknown`: the data set has no
            patient ids and the YAML says so: leakage between the images of one patient cannot be excluded.
        identical: Identical images (by pixel hash) in two sets or with contradicting truth: `refuse` them by name,
            `allow` them, or `drop` all but the one in the set that matters most (test, then validation).
    """

    patients: Literal["required", "unknown"] = "required"
    identical: Literal["refuse", "allow", "drop"] = "refuse"
