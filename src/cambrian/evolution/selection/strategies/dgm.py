"""`dgm`: by score, over the number of children."""

from __future__ import annotations

import numpy as np

from cambrian.evolution.selection.arrays import Floats, SumTree
from cambrian.evolution.selection.members import Members
from cambrian.evolution.selection.strategies.base import Rng, Strategy

STEEPNESS, MIDPOINT = 10.0, 0.5
_FLAT = 700.0
"""Beyond this exponent a sigmoid is no longer told from 0: nobody's weight is quite 0."""


def dgm_weights(score: Floats, children: np.ndarray) -> Floats:
    """σ(λ(score − α₀)) · 1/(1 + children), λ = 10, α₀ = 0.5, of scores (n,) and children (n,).

    Darwin Gödel Machine (Zhang et al. 2025, arXiv 2505.22954, appendix C.2). `children` counts
    admitted ones. (The paper leaves agents with a perfect score out; a normalised score has no
    such end.)
    """
    exponent = np.clip(-STEEPNESS * (score - MIDPOINT), -_FLAT, _FLAT)
    weights: Floats = 1.0 / (1.0 + np.exp(exponent)) / (1.0 + children)
    return weights


def draw_in_proportion(sums: SumTree, count: int, rng: Rng) -> list[int]:
    """`count` different positions in proportion to their weights, one after the other."""
    drawn: dict[int, float] = {}
    for _ in range(count):
        position = sums.find(rng.random() * sums.total)
        drawn[position] = sums[position]
        sums[position] = 0.0
    for position, weight in drawn.items():
        sums[position] = weight
    return list(drawn)


class Dgm(Strategy):
    """p ∝ σ(λ(score − α₀)) / (1 + children): see `dgm_weights`; exact, by a tree of sums."""

    def loaded(self, members: Members) -> None:
        self._sums = SumTree(dgm_weights(members.score.values, members.children.values))

    def added(self, members: Members, position: int) -> None:
        self._weigh(members, position)

    def child_added(self, members: Members, position: int) -> None:
        self._weigh(members, position)

    def _weigh(self, members: Members, position: int) -> None:
        one = slice(position, position + 1)
        self._sums[position] = float(
            dgm_weights(members.score.values[one], members.children.values[one])[0]
        )

    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        return draw_in_proportion(self._sums, count, rng)
