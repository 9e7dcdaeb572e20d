"""How long something that is asked again and again has not answered."""

import math
import time
from dataclasses import dataclass

_GAP_S = 120.0
"""Somebody who was not asked in vain for so long has answered meanwhile: who asks does so every few seconds."""


@dataclass
class Silence:
    """A storage that does not answer, or that does."""

    _since: float = math.nan
    _last: float = math.nan

    @property
    def lasts(self) -> bool:
        """Whether the last question was in vain."""
        return not math.isnan(self._since)

    def note(self) -> float:
        """Note that it was asked in vain.

        Returns:
            For how long it has been silent, in seconds; 0 where this is the first time.
        """
        now = time.monotonic()
        if not self.lasts or now - self._last > _GAP_S:
            self._since = now
        self._last = now
        return now - self._since

    def end(self) -> None:
        """Note that it has answered."""
        self._since = math.nan
