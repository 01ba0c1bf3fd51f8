"""Arrays that grow at the end, and what is built over them to draw from a million at no cost.

- `Column`: an array with `append`, doubled when it is full;
- `SumTree`: weights of which one is drawn in proportion, in O(log n);
- `Ranking`: which is the r-th best, with newcomers, in O(log n) and no sort.

Each is a function of its contents alone: however it came to hold them (at once, or one by one
over weeks), it answers the same to the last bit. A run that is killed and goes on draws what it
would have drawn.
"""

from __future__ import annotations

from bisect import insort
from typing import Any

import numpy as np

from cambrian.errors import CambrianError

Floats = np.ndarray[Any, np.dtype[np.float64]]
Integers = np.ndarray[Any, np.dtype[np.int64]]

SMALLEST = 1024
NEWCOMERS = 1024
"""How many newcomers a ranking keeps apart before it merges them."""


class Column:
    """Numbers of one type, or rows of them, appended one at a time. `values` is a view of what is
    there, valid until the next `append`."""

    def __init__(self, values: np.ndarray) -> None:
        self._held = np.array(values)
        self._count = len(values)

    def __len__(self) -> int:
        return self._count

    @property
    def values(self) -> np.ndarray:
        """The values so far, (n,) or (n, d): a view, true until the next `append`."""
        return self._held[: self._count]

    def append(self, value: float | np.ndarray) -> None:
        """Add a value, or a row (d,), at the end; memory doubles when it is full: O(1) each."""
        if self._count == len(self._held):
            shape = (max(self._count, SMALLEST), *self._held.shape[1:])
            room = np.zeros(shape, dtype=self._held.dtype)
            self._held = np.concatenate([self._held, room])
        self._held[self._count] = value
        self._count += 1


class SumTree:
    """Weights, and the sums of ever larger groups of them: a binary tree in one array.

    An inner node is always the sum of its two children and nothing else, so that the sums do not
    depend on the order in which weights were set (a running total would, in its last digits).
    Room for more doubles the tree by a right half of zeros, which changes no sum either.

    Args:
        weights: non-negative, (n,).
    """

    def __init__(self, weights: Floats) -> None:
        self._size = SMALLEST
        while self._size < len(weights):
            self._size *= 2
        self._sums = np.zeros(2 * self._size)
        self._sums[self._size : self._size + len(weights)] = weights
        self._add_up()

    def _add_up(self) -> None:
        low = self._size
        while low > 1:
            level = self._sums[low : 2 * low]
            low //= 2
            self._sums[low : 2 * low] = level[0::2] + level[1::2]

    @property
    def total(self) -> float:
        """The sum of all weights."""
        return float(self._sums[1])

    def __getitem__(self, position: int) -> float:
        return float(self._sums[self._size + position]) if position < self._size else 0.0

    def __setitem__(self, position: int, weight: float) -> None:
        if position >= self._size:
            leaves = self._sums[self._size :].copy()
            self._size *= 2
            self._sums = np.zeros(2 * self._size)
            self._sums[self._size : self._size + len(leaves)] = leaves
            self._add_up()
        sums, node = self._sums, self._size + position
        sums[node] = weight
        while node > 1:
            node //= 2
            sums[node] = sums[2 * node] + sums[2 * node + 1]

    def find(self, target: float) -> int:
        """The position at which the running total of weights first exceeds `target`, which is in
        [0, total): a position with a uniform target is drawn in proportion to its weight.

        Raises:
            CambrianError: all weights are zero.
        """
        if self.total <= 0:
            raise CambrianError("expected something to draw from, but every weight is zero")
        sums, node = self._sums, 1
        while node < self._size:
            left = sums[2 * node]
            # Rounding may lead past the last weight: a subtree of zeros is never entered.
            if target < left or sums[2 * node + 1] <= 0:
                node = 2 * node
            else:
                target -= left
                node = 2 * node + 1
        return node - self._size


class Ranking:
    """Positions by score, the best first; of equals, the one added earlier.

    Most of it is one sorted array; newcomers wait in a short sorted list and are merged into it
    once there are `newcomers`.

    Args:
        scores: of positions 0 to n − 1, (n,).
    """

    def __init__(self, scores: Floats, newcomers: int = NEWCOMERS) -> None:
        self._newcomers = newcomers
        order = np.argsort(-scores, kind="stable")
        self._keys: Floats = -scores[order]
        self._positions: Integers = order.astype(np.int64)
        self._new: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._keys) + len(self._new)

    def add(self, score: float) -> None:
        """The next position joins."""
        insort(self._new, (-score, len(self)))
        if len(self._new) >= self._newcomers:
            keys, positions = map(np.array, zip(*self._new, strict=True))
            places = np.searchsorted(self._keys, keys, side="right")
            self._keys = np.insert(self._keys, places, keys)
            self._positions = np.insert(self._positions, places, positions)
            self._new = []

    def at(self, rank: int) -> int:
        """The position with this rank, from 0 for the best."""
        if not self._new:
            return int(self._positions[rank])
        keys = np.array([key for key, _ in self._new])
        # Where each newcomer comes to stand: after those of the array that are no worse.
        places = np.searchsorted(self._keys, keys, side="right") + np.arange(len(keys))
        before = int(np.searchsorted(places, rank))
        if before < len(places) and places[before] == rank:
            return self._new[before][1]
        return int(self._positions[rank - before])
