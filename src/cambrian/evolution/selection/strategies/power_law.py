"""`power-law`: by rank."""

from __future__ import annotations

import numpy as np

from cambrian.evolution.selection.arrays import SMALLEST, Floats
from cambrian.evolution.selection.members import Members
from cambrian.evolution.selection.strategies.base import Rng
from cambrian.evolution.selection.strategies.greedy import Greedy

ALPHA = 1.0


class PowerLaw(Greedy):
    """p ∝ r^−α for the member of rank r by score, 1 for the best, α = 1.

    ShinkaEvolve (Lange et al. 2025, arXiv 2509.19349, section 3.1, power-law sampling): α = 0
    would be uniform, α → ∞ greedy.
    """

    def loaded(self, members: Members) -> None:
        super().loaded(members)
        self._room(len(members))

    def added(self, members: Members, position: int) -> None:
        super().added(members, position)
        if len(members) > len(self._sums):
            self._room(len(members))

    def _room(self, members: int) -> None:
        """Running sums of r^−α, which depend on no member: for more ranks than there are."""
        ranks = 1 << max(members, SMALLEST).bit_length()
        self._sums: Floats = np.cumsum(np.arange(1, ranks + 1, dtype=np.float64) ** -ALPHA)

    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        sums, drawn = self._sums[: len(members)], dict[int, None]()
        while len(drawn) < count:
            rank = int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
            drawn[min(rank, len(sums) - 1)] = None
        return [self._ranking.at(rank) for rank in drawn]
