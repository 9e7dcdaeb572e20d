"""What is to be learnt, as the YAML says it."""

from collections.abc import Sequence
from dataclasses import dataclass

from lit_medseg.catalogue.classes import Classes, LabelClasses, MaskClasses, Others
from lit_medseg.errors import ConfigError


@dataclass(frozen=True)
class Truth:
    """The classes: `masks` for segmentation or `labels` for classification, one of the two.

    Attributes:
        masks: Value in the mask file by class name; 0 is the background and is not listed.
        labels: What the source calls each class, by class name; a list where the names are the same. A number stands
            for its digits.
        overlapping: Whether several classes can hold at once; masks are then one file per class, in this order.
        others: Mask values that no class declares: `refuse` the case, or take them as `background`, to learn some of a
            file's classes.
    """

    masks: dict[str, int] | None = None
    labels: dict[str, str | int] | list[str | int] | None = None
    overlapping: bool = False
    others: Others = "refuse"

    def __post_init__(self) -> None:
        """Refuse names that cannot be meant.

        Raises:
            ConfigError: A class is called True or False, which YAML makes of other words; a name is empty, holds a line
                break or the like, or stands twice.
        """
        names = [str(name) for classes in (self.masks, self.labels) for name in classes or ()]
        if wrong := [name for name in names if name in ("True", "False")]:
            todo = "YAML takes yes, no, on and off for these: put the name in quotes"
            raise ConfigError(f"data.truth: not a class's name, expected a text, got {wrong}. {todo}.")
        if wrong := [name for name in names if not name.strip() or not name.isprintable()]:
            raise ConfigError(f"data.truth: not a class's name, expected a word or more, got {wrong}. Rename it.")
        if wrong := sorted({name for name in names if names.count(name) > 1}) if self.masks is None else []:
            raise ConfigError(f"data.truth: a class is named twice, expected distinct names, got {wrong}. Rename one.")

    @property
    def declared(self) -> bool:
        """Whether the YAML says anything; test and predict may leave it to the checkpoint."""
        return self.masks is not None or self.labels is not None

    def classes(self) -> Classes:
        """Give the classes to the catalogue.

        Raises:
            ConfigError: Neither or both of `masks` and `labels` are given.
        """
        if self.masks is not None and self.labels is None:
            return MaskClasses(dict(self.masks), self.overlapping, self.others)
        if self.labels is not None and self.masks is None:
            return LabelClasses(by_name(self.labels), self.overlapping)
        got = "both" if self.declared else "neither"
        todo = "Give `masks` for segmentation or `labels` for classification"
        raise ConfigError(f"data.truth: not one task, expected `masks` or `labels`, got {got}. {todo}.")


def by_name(labels: dict[str, str | int] | Sequence[str | int]) -> dict[str, str]:
    """Give what the source calls each class by class name; names of a list stand for themselves."""
    pairs = labels.items() if isinstance(labels, dict) else zip(labels, labels, strict=True)
    return {str(name): str(value) for name, value in pairs}
