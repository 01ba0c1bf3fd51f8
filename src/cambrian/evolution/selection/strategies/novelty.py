"""`novelty`: who does what few others do."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from cambrian.evolution.selection.arrays import Floats, Integers, SumTree
from cambrian.evolution.selection.members import Members
from cambrian.evolution.selection.strategies.base import Rng, Strategy
from cambrian.evolution.selection.strategies.dgm import draw_in_proportion

NEIGHBOURS = 5
GRAIN = 1e6
"""Scores are compared in millionths, as integers, so that distances are exact in any order."""
WIDEST = 10.0
"""Scores beyond are taken for this: squares of distances stay exact, in doubles too."""
LEAST = 1e-9
"""The weight of one that has as many twins as it is asked for neighbours."""
_FAR = np.iinfo(np.int64).max


class Novelty(Strategy):
    """p ∝ ρ, the mean distance of a member's score vector to its five nearest members'.

    Lehman & Stanley 2011 ("Abandoning Objectives", Evolutionary Computation 19:2, equation 1), as
    the weight of a draw. The distance is Euclidean over the streams. A newcomer is compared with
    all, O(n · d), once; a draw costs O(log n).
    """

    needs_vectors = True

    def loaded(self, members: Members) -> None:
        self._points = grains(members.vectors.values)
        self._nearest = nearest(self._points)
        self._count = len(members)
        self._sums = SumTree(rarity(self._nearest))

    def added(self, members: Members, position: int) -> None:
        point = grains(members.vectors.values[position : position + 1])
        self._room(position + 1, point.shape[1])
        self._points[position] = point
        squares = ((self._points[:position] - point) ** 2).sum(axis=1)
        self._nearest[position] = _least(squares)
        closer = np.flatnonzero(squares < self._nearest[:position, -1])
        both = np.column_stack([self._nearest[closer], squares[closer]])
        self._nearest[closer] = np.sort(both, axis=1)[:, :NEIGHBOURS]
        self._count = position + 1
        for at in (*closer.tolist(), position):
            self._sums[at] = float(rarity(self._nearest[at : at + 1])[0])

    def _room(self, count: int, streams: int) -> None:
        """Rows for so many, doubled when they are full."""
        if count <= len(self._points):
            return
        points = np.zeros((2 * count, streams), dtype=np.int64)
        rows = np.full((2 * count, NEIGHBOURS), _FAR)
        points[: self._count] = self._points[: self._count]
        rows[: self._count] = self._nearest[: self._count]
        self._points, self._nearest = points, rows

    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        return draw_in_proportion(self._sums, count, rng)


def grains(vectors: Floats) -> Integers:
    """Score vectors (n, d) in millionths, (n, d)."""
    found: Integers = np.rint(np.clip(vectors, -WIDEST, WIDEST) * GRAIN).astype(np.int64)
    return found


def _least(squares: Integers) -> Integers:
    """The smallest of squared distances (n,), in order and filled up, (NEIGHBOURS,)."""
    found = np.full(NEIGHBOURS, _FAR)
    if len(squares) > NEIGHBOURS:
        squares = np.partition(squares, NEIGHBOURS)[:NEIGHBOURS]
    found[: len(squares)] = np.sort(squares)
    return found


def nearest(points: Integers) -> Integers:
    """The squared distances of points (n, d) to their nearest others, (n, NEIGHBOURS), in order;
    where there are fewer others, what is missing is the largest number there is."""
    found = np.full((len(points), NEIGHBOURS), _FAR)
    others = min(NEIGHBOURS, len(points) - 1)
    if others < 1:
        return found
    _, at = cKDTree(points).query(points, k=others + 1)
    squares = ((points[at] - points[:, None, :]) ** 2).sum(axis=2)
    found[:, :others] = np.sort(squares, axis=1)[:, 1:]
    return found


def rarity(squares: Integers) -> Floats:
    """ρ of squared distances in square grains (n, NEIGHBOURS), (n,): over the neighbours there
    are, and 1 where there are none."""
    there = squares < _FAR
    lengths = np.sqrt(np.where(there, squares, 0).astype(np.float64)) / GRAIN
    counts = there.sum(axis=1)
    mean = lengths.sum(axis=1) / np.maximum(counts, 1)
    weights: Floats = np.where(counts > 0, np.maximum(mean, LEAST), 1.0)
    return weights
