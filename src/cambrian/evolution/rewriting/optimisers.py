"""One optimiser of knobs per structure: CMA-ES, with a state that is made of the archive.

An optimiser is told, in the order of proposals, where the decided agents of its structure stand and
what they scored: λ of them are a generation (Hansen 2016, "The CMA Evolution Strategy: A Tutorial",
arXiv 1604.00772, eqs. 42-47; the library is `cmaes`). It does not matter who proposed them: what an
optimiser asked for, and what a graft or a person put there, are both told.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence

import numpy as np
from cmaes import CMA

from cambrian.agents.recombine.tuning import SPREAD

GENERATION = 8
"""λ: how many decided agents make a generation, whatever the number of knobs."""
POINTS = 8
"""How many points a proposal has to choose from: a second try after a duplicate needs another."""
LEAST_KNOBS = 2
"""Of fewer, an optimiser says no more than a random move does."""

Seen = tuple[int, tuple[float, ...], float, tuple[float, ...]]
"""A proposal's index; where its agent stands, a place in [0, 1] for each knob; what it scored; and
where it came from in this structure, or again where it stands."""


class Optimiser:
    """The optimiser of one structure: tell it in any order, ask it with a seed.

    Args:
        knobs: how many the structure has.
    """

    def __init__(self, knobs: int) -> None:
        self._knobs = knobs
        self._seen: list[Seen] = []
        self._told = 0
        self._cma: CMA | None = None

    def tell(
        self, index: int, at: Sequence[float], score: float, start: Sequence[float] | None = None
    ) -> None:
        """An agent of this structure was decided.

        Args:
            at: where it stands, in [0, 1] for each knob.
            start: where its parent stands, if that is of this structure: the first one's is m of
                the first generation.

        Raises:
            ValueError: a place is missing or too many.
        """
        if len(at) != self._knobs or len(start or at) != self._knobs:
            raise ValueError(f"expected {self._knobs} places, got {len(at)}")
        seen = (index, tuple(at), score, tuple(start or at))
        insort(self._seen, seen)
        if self._seen.index(seen) < self._told:  # decided late: what follows is told again
            self._told, self._cma = 0, None

    def ask(self, seed: int, count: int = POINTS) -> list[list[float]]:
        """Points to try next, in [0, 1] for each knob, a function of the seed and of what was told;
        none before a generation is full, and none once the distribution has shrunk to a point."""
        if len(self._seen) < GENERATION or self._knobs < LEAST_KNOBS:
            return []
        cma = self._moved_on()
        if cma.should_stop():
            return []
        cma.reseed_rng(seed)
        return [[round(float(place), 6) for place in cma.ask()] for _ in range(count)]

    def _moved_on(self) -> CMA:
        """Told each full generation, once."""
        if self._cma is None:
            bounds = np.tile([0.0, 1.0], (self._knobs, 1))
            start = np.array(self._seen[0][3])
            self._cma = CMA(start, SPREAD, bounds=bounds, seed=0, population_size=GENERATION)
        while self._told + GENERATION <= len(self._seen):
            rows = self._seen[self._told : self._told + GENERATION]
            # The library minimises; of two equal ones the earlier proposal is first.
            self._cma.tell([(np.array(at), -score) for _, at, score, _ in rows])
            self._told += GENERATION
        return self._cma
