"""Which classes the YAML declares, and how they are written in the masks and labels of the files."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lit_medseg.errors import ConfigError, DataError, expected_got
from lit_medseg.target import Binary, MultiClass, MultiLabel, Target

BACKGROUND = "background"
MOST_CLASSES = 255
LARGEST_VALUE = 65535

Others = Literal["refuse", "background"]


@dataclass(frozen=True)
class Classes(ABC):
    """The declared classes; children say whether masks or labels hold them."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The classes that need cases in every set, in the order of their codes (no background)."""

    @abstractmethod
    def target(self) -> Target:
        """How the classes are coded for the network."""

    @abstractmethod
    def plain(self) -> dict[str, Any]:
        """Give the classes as plain data."""


@dataclass(frozen=True)
class MaskClasses(Classes):
    """Classes of a segmentation, by their value in the mask files.

    Attributes:
        codes: Value in the mask file (1 to 65535) by class name; 0 is `background`, implied.
        overlapping: Each class has a mask file of its own, in the order of `codes`; pixels may have several classes.
        others: What becomes of values that no class declares: `refuse` the mask, or take them as `background` (to learn
            some of a file's classes).
    """

    codes: Mapping[str, int]
    overlapping: bool = False
    others: Others = "refuse"

    def __post_init__(self) -> None:
        """Refuse values that cannot be told apart.

        Raises:
            ConfigError: No class, more than 255, a value outside 1 to 65535 or (unless overlapping) used twice.
        """
        _check_number(len(self.names), "masks", least=1)
        values = [self.codes[name] for name in self.names]
        if self.codes.get(BACKGROUND, 0) != 0 or any(not 1 <= value <= LARGEST_VALUE for value in values):
            todo = "Give each class its value in the mask files; other values than 0 cannot be background"
            raise ConfigError(
                expected_got("masks", "unusable value", "background 0, classes 1 to 65535", dict(self.codes), todo)
            )
        if not self.overlapping and len(set(values)) != len(values):
            todo = "Give each class a value of its own, or declare the classes overlapping"
            raise ConfigError(
                expected_got("masks", "a value stands for two classes", "distinct values", dict(self.codes), todo)
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The foreground classes, in the order of the YAML."""
        return tuple(name for name in self.codes if name != BACKGROUND)

    @property
    def files(self) -> int:
        """How many mask files a case has: one, or one per overlapping class."""
        return len(self.names) if self.overlapping else 1

    def target(self) -> Target:
        """Binary for one class, exclusive with a background for more, multi-label where they overlap."""
        if self.overlapping:
            return MultiLabel(self.names)
        return Binary((BACKGROUND, *self.names)) if len(self.names) == 1 else MultiClass((BACKGROUND, *self.names))

    def encode(self, raw: NDArray[Any] | Sequence[NDArray[Any]], where: str = "mask") -> NDArray[np.uint8]:
        """Turn the values of the files into class codes.

        Args:
            raw: One integer mask `(H, W)`; overlapping classes: one such mask per class.
            where: Case or file, for the text of an error.

        Returns:
            uint8 codes in the order of the target's names: `(H, W)`; overlapping `(K, H, W)` of 0 and 1.

        Raises:
            DataError: A value that no class declares (unless such are background), or another number of masks than of
                classes.
        """
        masks = [raw] if isinstance(raw, np.ndarray) else list(raw)
        if len(masks) != self.files:
            todo = "Give one mask file per overlapping class, in the order of the classes, else a single file"
            raise DataError(expected_got(where, "another number of masks", self.files, len(masks), todo))
        values = [self.codes[name] for name in self.names]
        if self.overlapping:
            planes = [_look_up(mask, [value], self.others, where) for mask, value in zip(masks, values, strict=True)]
            return np.stack(planes)
        return _look_up(masks[0], values, self.others, where)

    def plain(self) -> dict[str, Any]:
        """Give the classes as plain data; the order of the codes counts."""
        masks = [[name, self.codes[name]] for name in self.names]
        return {"masks": masks, "overlapping": self.overlapping, "others": self.others}


@dataclass(frozen=True)
class LabelClasses(Classes):
    """Classes of a classification, by what the source calls them.

    Attributes:
        values: The source's label by class name, such as `{normal: "0", pneumonia: "1"}`.
        overlapping: A case may have any number of the classes, none too; else exactly one.
    """

    values: Mapping[str, str]
    overlapping: bool = False

    def __post_init__(self) -> None:
        """Refuse labels that cannot be told apart.

        Raises:
            ConfigError: Fewer than two classes (one where they overlap), more than 255, or a doubled label.
        """
        _check_number(len(self.values), "labels", least=1 if self.overlapping else 2)
        if len(set(self.values.values())) != len(self.values):
            todo = "Give each class a label of its own"
            raise ConfigError(
                expected_got("labels", "a label stands for two classes", "distinct", dict(self.values), todo)
            )

    @property
    def names(self) -> tuple[str, ...]:
        """All classes, in the order of the YAML."""
        return tuple(self.values)

    def target(self) -> Target:
        """Binary for two classes, exclusive for more, multi-label where they overlap."""
        if self.overlapping:
            return MultiLabel(self.names)
        return Binary(self.names) if len(self.names) == 2 else MultiClass(self.names)

    def encode(self, labels: Sequence[str], where: str = "label") -> int | tuple[int, ...]:
        """Turn the source's labels of a case into class codes.

        Args:
            labels: The labels that apply, as the source calls them.
            where: Case, for the text of an error.

        Returns:
            The class code; overlapping: a 0 or 1 per class.

        Raises:
            DataError: A label that no class declares; none or several where exactly one is needed.
        """
        unknown = sorted(set(labels) - set(self.values.values()))
        if unknown:
            todo = "Declare it under `labels`, or correct the source"
            raise DataError(expected_got(where, "undeclared label", sorted(self.values.values()), unknown, todo))
        bits = tuple(int(value in labels) for value in self.values.values())
        if self.overlapping:
            return bits
        if sum(bits) != 1:
            todo = "Correct the source, or declare the classes overlapping"
            raise DataError(expected_got(where, "the classes are exclusive", "one label", list(labels), todo))
        return bits.index(1)

    def plain(self) -> dict[str, Any]:
        """Give the classes as plain data; the order counts."""
        return {"labels": [[name, value] for name, value in self.values.items()], "overlapping": self.overlapping}


def _check_number(number: int, key: str, least: int) -> None:
    """Refuse too few classes, and more than uint8 codes can hold."""
    if not least <= number <= MOST_CLASSES:
        expected = f"{least} to {MOST_CLASSES}"
        raise ConfigError(
            expected_got(key, "unusable number of classes", expected, number, f"Declare the classes under `{key}`")
        )


def _look_up(raw: NDArray[Any], values: Sequence[int], others: Others, where: str) -> NDArray[np.uint8]:
    """Code 0 as 0 and the i-th value as i + 1; everything else is undeclared, or background."""
    top = max(values)
    least, most = int(raw.min(initial=0)), int(raw.max(initial=0))
    # One look-up in the mask's own narrow dtype: a large volume has no room for copies of eight bytes a voxel.
    rest = np.int16(0 if others == "background" else -1)
    table = np.full(max(top, min(most, LARGEST_VALUE)) + 1, rest, dtype=np.int16)
    table[0] = 0
    for code, value in enumerate(values, start=1):
        table[value] = code
    if least < 0 or most > LARGEST_VALUE:
        codes = np.where((raw < 0) | (raw > top), rest, table[np.clip(raw.astype(np.int64), 0, top)])
    else:
        codes = table[raw]
    if codes.min(initial=0) < 0:
        got = np.unique(raw[codes < 0])
        more = f" and {len(got) - 10} more" if len(got) > 10 else ""
        todo = (
            "Declare them under `masks`, or correct the file (a JPEG or a smoothed mask has such values), or set "
            "`data.init_args.truth.others: background`"
        )
        text = f"{[int(value) for value in got[:10]]}{more}"
        raise DataError(expected_got(where, "undeclared mask values", [0, *sorted(values)], text, todo))
    return codes.astype(np.uint8)
