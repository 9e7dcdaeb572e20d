"""What a cross-validation consists of."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from lit_medseg.catalogue.folds import Folds
from lit_medseg.catalogue.nested_folds import NestedFolds
from lit_medseg.catalogue.splitter import Splitter
from lit_medseg.errors import ConfigError, expected_got


@dataclass(frozen=True)
class Fold:
    """One training of a cross-validation.

    Attributes:
        number: The fold whose cases are the test set, or are left out altogether where there is an inner fold.
        splitter: Makes its split.
        inner: Which inner fold is tested; None for a training on all cases outside the fold.
    """

    number: int
    splitter: Folds | NestedFolds
    inner: int | None = None

    @property
    def name(self) -> str:
        """A name for files: `fold2`, `fold2-inner0`."""
        return f"fold{self.number}" + ("" if self.inner is None else f"-inner{self.inner}")

    @property
    def title(self) -> str:
        """A name for people: `fold 2`, `fold 2, inner 0`."""
        return f"fold {self.number}" + ("" if self.inner is None else f", inner {self.inner}")

    @property
    def tags(self) -> dict[str, str]:
        """Tags of its MLflow run."""
        return {"fold": str(self.number)} | ({} if self.inner is None else {"inner_fold": str(self.inner)})

    def splitter_plain(self) -> dict[str, Any]:
        """Give the splitter as a YAML names it."""
        return plain_splitter(self.splitter)


@dataclass(frozen=True)
class CrossvalPlan:
    """How the folds are drawn; see `Folds` and `NestedFolds`.

    Attributes:
        folds: Number of folds, 2 or more.
        val: Share of the cases outside a test fold for validation.
        seed: Seed of the drawing.
        stratify: Metadata column to balance; None balances the classes.
        nested: Number of inner folds within the training part of each fold; None for none.
    """

    folds: int = 5
    val: float = 0.15
    seed: int = 0
    stratify: str | None = None
    nested: int | None = None

    def __post_init__(self) -> None:
        """Refuse a number of folds that is none.

        Raises:
            ConfigError: Fewer than two folds, or `val` is no share.
        """
        for key, value in (("--folds", self.folds), ("--nested", self.nested)):
            if value is not None and value < 2:
                raise ConfigError(expected_got(key, "no cross-validation", "2 or more", value, "Raise it"))
        if not 0 <= self.val < 1:
            raise ConfigError(expected_got("--val", "no share of the cases", "0 <= x < 1", self.val, "Mend it"))

    def list_folds(self) -> list[Fold]:
        """List the trainings, the outer ones first."""
        return [*self._outer(), *self._inner()]

    def plain(self) -> dict[str, Any]:
        """Give the plan as plain data."""
        return asdict(self)

    def _outer(self) -> Iterator[Fold]:
        for number in range(self.folds):
            yield Fold(number, Folds(self.folds, number, self.val, self.seed, self.stratify))

    def _inner(self) -> Iterator[Fold]:
        for number in range(self.folds):
            for inner in range(self.nested or 0):
                drawing = (self.val, self.seed, self.stratify)
                yield Fold(number, NestedFolds(self.folds, number, self.nested or 0, inner, *drawing), inner)


def plain_splitter(splitter: Splitter) -> dict[str, Any]:
    """Give a splitter as a YAML names it: `class_path` and `init_args`."""
    kind = type(splitter)
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": dict(vars(splitter))}
