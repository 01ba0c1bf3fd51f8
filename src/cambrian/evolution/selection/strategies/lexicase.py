"""`lexicase`: by the streams one after the other, in an order of the draw's own."""

from __future__ import annotations

import numpy as np

from cambrian.evolution.selection.arrays import Floats
from cambrian.evolution.selection.members import Members
from cambrian.evolution.selection.strategies.base import Rng, Strategy

SIGNIFICANT = 256


class Lexicase(Strategy):
    """ε-lexicase selection over the streams of the score vector, ε = the median absolute deviation.

    La Cava, Spector & Moore 2016 ("Epsilon-lexicase selection for regression", GECCO, arXiv
    1905.13266): the streams in a random order; of those still in, who is within ε of the best of
    them on a stream stays in; the last ones are drawn from alike. ε_j is the median absolute
    deviation from the median of all scores on stream j (equation 4); the best is that of the pool
    ("semi-dynamic", La Cava et al. 2019, Evolutionary Computation 27:3).

    A draw costs O(n) comparisons on the first stream and fewer on each that follows. ε is worked
    out over the first m members, where m is n to eight significant bits, so that it need not be
    each time one joins (up to 512 members, m is n).
    """

    needs_vectors = True

    def loaded(self, members: Members) -> None:
        self._over = -1

    def _epsilon(self, vectors: Floats) -> Floats:
        over = leading(len(vectors))
        if over != self._over:
            self._over, self._kept = over, deviations(vectors[:over])
        return self._kept

    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        vectors = members.vectors.values
        epsilon = self._epsilon(vectors)
        drawn: list[int] = []
        for _ in range(count):
            pool = np.delete(np.arange(len(members)), drawn)
            for stream in rng.permutation(vectors.shape[1]):
                if len(pool) == 1:
                    continue
                scores = vectors[pool, stream]
                pool = pool[scores >= scores.max() - epsilon[stream]]
            drawn.append(int(pool[rng.integers(len(pool))]))
        return drawn


def deviations(vectors: Floats) -> Floats:
    """The median absolute deviation of each column of (n, d), (d,)."""
    middle = np.median(vectors, axis=0)
    found: Floats = np.median(np.abs(vectors - middle), axis=0)
    return found


def leading(count: int) -> int:
    """The count, rounded down to eight significant bits."""
    step = 1
    while count // step >= 2 * SIGNIFICANT:
        step *= 2
    return count // step * step
