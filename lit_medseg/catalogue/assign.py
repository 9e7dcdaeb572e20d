"""Drawing sets: patients stay whole, strata are balanced, every class is in every set where that is possible."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lit_medseg.catalogue.groups import Group
from lit_medseg.errors import SplitError, expected_got

MOST_PASSES = 10
MOST_SWAPPED = 2000
LEAST_GAIN = 1e-6
UNSET = -1


def assign(groups: Sequence[Group], fractions: Mapping[str, float], seed: Sequence[int]) -> dict[str, tuple[str, ...]]:
    """Deal groups to sets, near the wanted fractions of cases, of each stratum and in all.

    First every set gets a group of every class (rarest class first), then the other groups go, biggest first, each to
    the set where it lowers the squared deviation from the wanted counts most; at last single groups move and pairs are
    swapped while that helps. Strata count inversely to their size: a rare one is balanced as well as a common one.

    Args:
        groups: The groups, each with one case at least.
        fractions: Wanted share of the cases by set, with sum 1; a set of share 0 stays empty.
        seed: Numbers that seed the order in which groups of equal size are dealt.

    Returns:
        Sorted case ids by set, for every key of `fractions`. Equal input gives equal output on every machine.

    Raises:
        SplitError: Fewer groups than sets.
    """
    names = [name for name, fraction in fractions.items() if fraction > 0]
    if len(groups) < len(names):
        todo = "Ask for fewer sets or folds, or add patients"
        names_of = [group.name for group in groups[:10]]
        got = f"{len(groups)}: {', '.join(names_of)}" + (", ..." if len(groups) > 10 else "")
        raise SplitError(expected_got("split", "too few patients", f"{len(names)} at least", got, todo))
    ordered = sorted(groups, key=lambda group: group.name)
    shuffled = [ordered[i] for i in np.random.default_rng(list(seed)).permutation(len(ordered))]
    shuffled.sort(key=lambda group: -len(group.case_ids))
    deal = _Deal(shuffled, np.array([fractions[name] for name in names]))
    deal.cover()
    deal.fill()
    deal.improve()
    sets: dict[str, list[str]] = {name: [] for name in fractions}
    for group, home in zip(shuffled, deal.home, strict=True):
        sets[names[home]] += group.case_ids
    return {name: tuple(sorted(ids)) for name, ids in sets.items()}


class _Deal:
    """The state of a dealing: which group is where, and how far each set is from its wanted counts."""

    def __init__(self, groups: Sequence[Group], shares: NDArray[np.float64]) -> None:
        strata = sorted({stratum for group in groups for stratum in group.strata})
        kinds = sorted({kind for group in groups for kind in group.classes})
        counts = [[group.strata.get(stratum, 0) for stratum in strata] + [len(group.case_ids)] for group in groups]
        # G groups x (strata and, last, all cases).
        self.counts = np.array(counts, dtype=np.float64)
        # G groups x (classes and, last, a class that all have: no set may be empty).
        self.has = np.array([[kind in group.classes for kind in kinds] + [True] for group in groups])
        totals = self.counts.sum(axis=0)
        self.wanted = shares[:, None] * totals
        self.weights = 1.0 / totals
        # As heavy as a stratum of mean size: many rare strata, each best whole in the largest set, must not shift it.
        self.weights[-1] = len(strata) / totals[-1]
        self.dealt = np.zeros_like(self.wanted)
        # Groups by set and class.
        self.covered = np.zeros((len(shares), self.has.shape[1]), dtype=np.int64)
        self.home = np.full(len(groups), UNSET)

    def cover(self) -> None:
        """Give every set a group of every class, as far as there are any; rarest class and largest set first."""
        for kind in np.argsort(self.has.sum(axis=0), kind="stable"):
            for place in np.argsort(-self.wanted[:, -1], kind="stable"):
                free = np.flatnonzero((self.home == UNSET) & self.has[:, kind])
                if len(free) and not self.covered[place, kind]:
                    rise = self._rise(self.counts[free], self.dealt[place] - self.wanted[place])
                    self._put(int(free[np.argmin(rise)]), int(place))

    def fill(self) -> None:
        """Deal the other groups in order."""
        for group in np.flatnonzero(self.home == UNSET):
            rise = self._rise(self.counts[group], self.dealt - self.wanted)
            self._put(int(group), int(np.argmin(rise)))

    def improve(self) -> None:
        """Move single groups, and swap pairs, while the deviation falls and no set loses a class."""
        every = range(len(self.home))
        for _ in range(MOST_PASSES):
            changes = sum(self._move(group) for group in every)
            # Thousands of groups balance by moves alone, and pairs of them are too many.
            changes += sum(self._swap(group) for group in every) if len(every) <= MOST_SWAPPED else 0
            if changes == 0:
                return

    def _move(self, group: int) -> bool:
        """Move a group where it fits better; say whether it moved."""
        home = self.home[group]
        if (self.has[group] & (self.covered[home] == 1)).any():
            return False
        away = self.dealt - self.wanted
        away[home] -= self.counts[group]
        rise = self._rise(self.counts[group], away)
        best = int(np.argmin(rise))
        if best == home or rise[best] > rise[home] - LEAST_GAIN:
            return False
        self._take(group)
        self._put(group, best)
        return True

    def _swap(self, group: int) -> bool:
        """Swap a group with the one of another set that fits best in its place; say whether it was swapped."""
        home, away = self.home[group], self.dealt - self.wanted
        gain = self.counts - self.counts[group]
        rise = self._rise(gain, away[home]) + self._rise(-gain, away[self.home])
        change = self.has.astype(np.int64) - self.has[group]
        here, there = self.covered[home], self.covered[self.home]
        whole = ((here == 0) | (here + change > 0)) & ((there == 0) | (there - change > 0))
        rise[(self.home == home) | ~whole.all(axis=1)] = np.inf
        other = int(np.argmin(rise))
        if rise[other] > -LEAST_GAIN:
            return False
        place = int(self.home[other])
        self._take(group)
        self._take(other)
        self._put(group, place)
        self._put(other, int(home))
        return True

    def _rise(self, counts: NDArray[np.float64], away: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much the weighted squared deviation rises when counts come on top, rounded so that ties are ties."""
        rise = (self.weights * counts * (2 * away + counts)).sum(axis=-1)
        return np.asarray(np.round(rise, 9), dtype=np.float64)

    def _take(self, group: int) -> None:
        self.dealt[self.home[group]] -= self.counts[group]
        self.covered[self.home[group]] -= self.has[group]
        self.home[group] = UNSET

    def _put(self, group: int, place: int) -> None:
        self.dealt[place] += self.counts[group]
        self.covered[place] += self.has[group]
        self.home[group] = place
