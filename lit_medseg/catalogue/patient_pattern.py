"""Patient ids that stand in file names."""

import re
from dataclasses import dataclass

from lit_medseg.errors import ConfigError, DataError, expected_got


@dataclass(frozen=True)
class PatientPattern:
    """A regular expression with one group, searched in a file's stem; the group is the patient's id.

    Attributes:
        pattern: As in the YAML; None where the names hold no patient.
    """

    pattern: str | None

    def __post_init__(self) -> None:
        """Refuse a pattern that cannot give one id.

        Raises:
            ConfigError: It is no regular expression, or has not exactly one group.
        """
        if self.pattern is None:
            return
        todo = "Write one group around the patient's id, like '^(P[0-9]+)_'"
        try:
            groups = re.compile(self.pattern).groups
        except re.error as error:
            what = "it is no regular expression"
            raise ConfigError(
                expected_got("patient_pattern", what, "a pattern", f"{self.pattern!r} ({error})", todo)
            ) from error
        if groups != 1:
            what = "the number of groups is wrong"
            raise ConfigError(expected_got("patient_pattern", what, 1, f"{groups} in {self.pattern!r}", todo))

    def patient(self, stem: str, where: str) -> str | None:
        """Find the patient of a file.

        Args:
            stem: The file's name without its ending.
            where: What errors call the file.

        Returns:
            The id; None where no pattern is given.

        Raises:
            DataError: The pattern does not match, or its group is empty.
        """
        if self.pattern is None:
            return None
        match = re.search(self.pattern, stem)
        if match is None or not match[1]:
            todo = "Correct `patient_pattern` or the file's name"
            raise DataError(expected_got(where, "no patient id in the file's name", self.pattern, repr(stem), todo))
        return str(match[1])
