"""`pareto`: nobody who is beaten on every stream by one other."""

from __future__ import annotations

import numpy as np

from cambrian.evolution.selection.arrays import Floats, Ranking
from cambrian.evolution.selection.members import Members
from cambrian.evolution.selection.strategies.base import Rng, Strategy


class Pareto(Strategy):
    """The non-dominated members alike, by their score vectors.

    One dominates another if it is as good on every stream and better on one (Deb et al. 2002,
    "NSGA-II", section III). GEPA (Agrawal et al. 2025, arXiv 2507.19457) draws from such a front.
    The front is kept: a newcomer costs O(front), a draw O(1). Where more parents are wanted than
    stand on the front, those with the best mean score follow.
    """

    needs_vectors = True

    def loaded(self, members: Members) -> None:
        self._ranking = Ranking(members.score.values)
        self._front = front(members.vectors.values)

    def added(self, members: Members, position: int) -> None:
        self._ranking.add(float(members.score.values[position]))
        mine = members.vectors.values[position]
        theirs = members.vectors.values[self._front]
        if dominates(theirs, mine).any():
            return
        kept = np.array(self._front)[~dominates(mine, theirs)].tolist()
        self._front = [*kept, position]

    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        size = min(count, len(self._front))
        drawn = [self._front[at] for at in rng.choice(len(self._front), size, replace=False)]
        rank = 0
        while len(drawn) < count:
            position = self._ranking.at(rank)
            drawn += [] if position in drawn else [position]
            rank += 1
        return drawn


def dominates(one: Floats, other: Floats) -> np.ndarray:
    """Whether vectors (n, d) dominate others (n, d): a truth value for each, (n,). One vector (d,)
    may stand for many."""
    found: np.ndarray = np.logical_and((one >= other).all(axis=-1), (one > other).any(axis=-1))
    return found


def front(vectors: Floats) -> list[int]:
    """The positions of the non-dominated of vectors (n, d), in their order: O(front · n) at most,
    and far less where one vector dominates many."""
    # By sum, and of equal sums (of rounded numbers) by entries: who dominates another is before it.
    order = np.lexsort((*-vectors.T[::-1], -vectors.sum(axis=1)))
    left = vectors[order]
    found: list[int] = []
    while len(left):
        best = left[0]
        found += order[(left == best).all(axis=1)].tolist()
        keep = (left > best).any(axis=1)
        left, order = left[keep], order[keep]
    return sorted(found)
