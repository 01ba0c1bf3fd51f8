"""Exact nearest neighbours among a million behaviours, with newcomers.

The distance is the root mean square, over entries, of the difference divided by a noise that
every question brings along, so no index with a metric of its own will do. Descriptors stand in
blocks of neighbours, each with the box that bounds it; the distance to a box bounds the distances
to all in it from below, so that most blocks are never looked into. Those that are, are taken in
the order of their bounds and ever more at once: a block costs more in calls than in arithmetic.
Newcomers wait in a block of their own; full ones are merged in pairs of a size, as in a
log-structured tree (Bentley and Saxe 1980, "Decomposable searching problems"), so that each
behaviour is sorted in O(log n) times.

The answer is exact: the same to the last bit as comparing with every behaviour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cambrian.evolution.selection.arrays import Floats

BLOCK, FIRST = 128, 4
"""Descriptors in a block at most; blocks that are looked into at first."""
NEWCOMERS = 1024


@dataclass(frozen=True)
class _KdBlocks:
    """Descriptors (n, d) in blocks between `starts` (b + 1,), each in a box: lows, highs (b, d)."""

    points: Floats
    starts: np.ndarray
    lows: Floats
    highs: Floats

    def bounds(self, point: Floats, noise: Floats) -> Floats:
        """A lower bound, for each block, of the distances to what is inside, (b,)."""
        outside = np.maximum(np.maximum(self.lows - point, point - self.highs), 0.0)
        # Rounded as a distance is, and a hair less: no block is passed over wrongly.
        found: Floats = np.sqrt(((outside / noise) ** 2).mean(axis=1)) * (1.0 - 1e-12)
        return found

    def inside(self, blocks: np.ndarray) -> Floats:
        """The behaviours in some blocks."""
        return np.concatenate(
            [self.points[self.starts[block] : self.starts[block + 1]] for block in blocks]
        )


class Neighbours:
    """Descriptors, (d,) each, of which the nearest to a point are asked for.

    Args:
        points: those that are there from the start, (n, d).
        block: descriptors in a block at most. first: blocks that are looked into at first.
        newcomers: how many wait in a block of their own. None of the three changes an answer.
    """

    def __init__(
        self, points: Floats, block: int = BLOCK, first: int = FIRST, newcomers: int = NEWCOMERS
    ) -> None:
        self._block, self._first, self._newcomers = block, first, newcomers
        self._new: Floats = np.empty((0, 0))
        self._count = 0
        self._groves: list[_KdBlocks] = [_build(points, block)] if len(points) else []

    def __len__(self) -> int:
        return self._count + sum(len(grove.points) for grove in self._groves)

    def add(self, point: Floats) -> None:
        """One more, (d,)."""
        if not self._count:
            self._new = np.empty((self._newcomers, len(point)))
        self._new[self._count] = point
        self._count += 1
        if self._count < self._newcomers:
            return
        points = self._new
        while self._groves and len(self._groves[-1].points) <= len(points):
            points = np.concatenate([self._groves.pop().points, points])
        self._groves.append(_build(points, self._block))
        self._count = 0

    def nearest(self, point: Floats, noise: Floats, count: int) -> Floats:
        """The `count` smallest distances to a point, ascending; fewer where there are fewer.

        Args:
            point: (d,). noise: the unit of each entry, (d,), positive.
        """
        best = np.empty(0)
        if self._count:
            best = _distances(self._new[: self._count], point, noise)
        best = np.sort(best)[:count]
        for grove in self._groves:
            best = _search(grove, point, noise, best, count, self._first)
        return best


def _distances(points: Floats, point: Floats, noise: Floats) -> Floats:
    found: Floats = np.sqrt((((points - point) / noise) ** 2).mean(axis=1))
    return found


def _build(points: Floats, block: int) -> _KdBlocks:
    """Split in halves along the widest side, until no block has more than `block`."""
    order = np.arange(len(points))
    starts = [0, *_split(points, order, (0, len(points)), block)]
    points = points[order]
    ends = np.array(starts)
    return _KdBlocks(
        points,
        ends,
        np.minimum.reduceat(points, ends[:-1], axis=0),
        np.maximum.reduceat(points, ends[:-1], axis=0),
    )


def _split(points: Floats, order: np.ndarray, span: tuple[int, int], block: int) -> Iterable[int]:
    """Order a range so that blocks are contiguous; the end of each block."""
    start, stop = span
    if stop - start <= block:
        return [stop]
    here = points[order[start:stop]]
    side = int(np.argmax(here.max(axis=0) - here.min(axis=0)))
    middle = (stop - start) // 2
    halves = np.argpartition(here[:, side], middle)
    order[start:stop] = order[start:stop][halves]
    middle += start
    return [
        *_split(points, order, (start, middle), block),
        *_split(points, order, (middle, stop), block),
    ]


def _search(
    grove: _KdBlocks, point: Floats, noise: Floats, best: Floats, count: int, first: int
) -> Floats:
    """The best so far, and what this grove has that is better."""
    bounds = grove.bounds(point, noise)
    order, at, many = np.argsort(bounds, kind="stable"), 0, first
    while at < len(order):
        blocks = order[at : at + many]
        if len(best) == count:
            blocks = blocks[bounds[blocks] <= best[-1]]
        if not len(blocks):
            break
        found = _distances(grove.inside(blocks), point, noise)
        best = np.sort(np.concatenate([best, found]))[:count]
        at, many = at + many, 2 * many
    return best
