"""How classes are coded in masks, labels and logits: binary, exclusive (multi-class) or overlapping (multi-label)."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lit_medseg.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Target(ABC):
    """The classes of a task and their coding.

    Attributes:
        names: Class names in the order of their codes. Where a background exists (exclusive segmentation) it is the
            first name, `background`.
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse fewer classes than the coding needs, and doubled names."""
        if len(set(self.names)) != len(self.names):
            raise ConfigError(
                f"classes: names are doubled, expected distinct names, got {list(self.names)}. Rename one."
            )

    @property
    @abstractmethod
    def channels(self) -> int:
        """How many channels the logits have."""

    @abstractmethod
    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Turn logits `(B, channels, *S)` into probabilities of the same shape, each in [0, 1], float32 or wider."""

    @abstractmethod
    def decide(self, probabilities: "Tensor") -> "Tensor":
        """Turn probabilities `(B, channels, *S)` into codes, int64: `(B, *S)`, overlapping `(B, K, *S)` of 0 and 1."""

    def decide_planes(self, planes: "Iterable[Tensor]") -> "Tensor":
        """Decide as `decide` does on probabilities that come channel by channel: no two planes are held at once.

        Args:
            planes: `channels` planes `(*S)`.

        Returns:
            Codes: `(*S)`, overlapping `(K, *S)`; uint8, from 257 classes on int16: eight bytes a voxel of a large scan
            would be gigabytes.
        """
        import torch  # noqa: PLC0415 what only names classes starts without it

        return torch.cat([self.decide(plane[None, None])[0].to(torch.uint8) for plane in planes])

    @abstractmethod
    def planes(self, codes: "Tensor") -> "Tensor":
        """Turn codes (as `decide` returns them) into one boolean plane per name: `(B, len(names), *S)`."""

    @property
    def foreground(self) -> tuple[str, ...]:
        """The names that are scored: all but `background`."""
        return tuple(name for name in self.names if name != "background")

    def foreground_planes(self, codes: "Tensor") -> "Tensor":
        """Turn codes into one boolean plane per scored name: `(B, len(foreground), *S)`."""
        planes = self.planes(codes)
        return planes[:, len(self.names) - len(self.foreground) :]

    def plain(self) -> dict[str, Any]:
        """Give the target as plain data, for a checkpoint."""
        return {"coding": type(self).__name__, "names": list(self.names)}


@dataclass(frozen=True)
class Binary(Target):
    """Two classes, one logit: the second name is the positive one (segmentation: `background`, and the structure)."""

    def __post_init__(self) -> None:
        """Refuse any number of names but two."""
        super().__post_init__()
        if len(self.names) != 2:
            raise ConfigError(
                f"classes: a binary target has two names, expected 2, got {list(self.names)}. Use more codings."
            )

    @property
    def channels(self) -> int:
        """One: the logit of the positive class."""
        return 1

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Sigmoid."""
        return logits.float().sigmoid()

    def decide(self, probabilities: "Tensor") -> "Tensor":
        """Positive where the probability is above one half (a tie is negative)."""
        return (probabilities[:, 0] > 0.5).long()

    def decide_planes(self, planes: "Iterable[Tensor]") -> "Tensor":
        """Decide on the only plane."""
        (plane,) = planes
        import torch  # noqa: PLC0415 what only names classes starts without it

        return self.decide(plane[None, None])[0].to(torch.uint8)

    def planes(self, codes: "Tensor") -> "Tensor":
        """Stack the negative and the positive plane."""
        import torch  # noqa: PLC0415 what only names classes starts without it

        return torch.stack([codes == 0, codes == 1], dim=1)


@dataclass(frozen=True)
class MultiClass(Target):
    """Exclusive classes, one logit each, softmax over them."""

    @property
    def channels(self) -> int:
        """One per name, the background's included."""
        return len(self.names)

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Softmax over the channels."""
        return logits.float().softmax(dim=1)

    def decide(self, probabilities: "Tensor") -> "Tensor":
        """The most probable class (a tie goes to the lower code)."""
        return probabilities.argmax(dim=1)

    def decide_planes(self, planes: "Iterable[Tensor]") -> "Tensor":
        """Keep the most probable class so far; a tie stays with the lower code, as in `decide`."""
        import torch  # noqa: PLC0415 what only names classes starts without it

        rest = iter(planes)
        best = next(rest).clone()
        small = torch.uint8 if len(self.names) <= 256 else torch.int16
        codes = torch.zeros(best.shape, dtype=small, device=best.device)
        for code, plane in enumerate(rest, start=1):
            wins = plane > best
            best[wins], codes[wins] = plane[wins], code
        return codes

    def planes(self, codes: "Tensor") -> "Tensor":
        """One-hot planes."""
        import torch  # noqa: PLC0415 what only names classes starts without it

        return torch.stack([codes == code for code in range(len(self.names))], dim=1)


@dataclass(frozen=True)
class MultiLabel(Target):
    """Classes that may overlap, one logit each, a sigmoid per channel."""

    @property
    def channels(self) -> int:
        """One per name."""
        return len(self.names)

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Sigmoid per channel."""
        return logits.float().sigmoid()

    def decide(self, probabilities: "Tensor") -> "Tensor":
        """Present where the probability is above one half (a tie is absent)."""
        return (probabilities > 0.5).long()

    def planes(self, codes: "Tensor") -> "Tensor":
        """The codes are planes already."""
        return codes.bool()


def target_from_plain(plain: dict[str, Any]) -> Target:
    """Rebuild a target from what `Target.plain` gave.

    Raises:
        ConfigError: The coding is unknown.
    """
    codings: tuple[type[Target], ...] = (Binary, MultiClass, MultiLabel)
    for coding in codings:
        if coding.__name__ == plain["coding"]:
            return coding(tuple(plain["names"]))
    names = [coding.__name__ for coding in codings]
    raise ConfigError(
        f"checkpoint: unknown coding of classes, expected one of {names}, got {plain['coding']!r}. Update lit_medseg."
    )
