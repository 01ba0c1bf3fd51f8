"""Who is nearest: exact nearest neighbours among a million behaviours, with newcomers.

The distance is the root mean square, over entries, of the difference divided by a noise that
every question brings along, so no index with a metric of its own will do. Behaviours stand in
blocks of neighbours, each with the box that bounds it; the distance to a box bounds the distances
to all in it from below, so that most blocks are never looked into. Newcomers wait in a block of
their own; full ones are merged in pairs of a size, as in a log-structured tree (Bentley and Saxe
1980, "Decomposable searching problems"), so that each behaviour is sorted in O(log n) times.

The answer is exact: the same to the last bit as comparing with every behaviour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cambrian.evolution.columns import Floats

BLOCK, REGION = 128, 64
"""Behaviours in a block at most, and blocks in a region."""
NEWCOMERS = 1024


@dataclass(frozen=True)
class _Boxes:
    """Boxes around the ranges between `starts`: starts (b + 1,); lows, highs (b, d)."""

    starts: np.ndarray
    lows: Floats
    highs: Floats

    def bounds(self, first: int, stop: int, point: Floats, noise: Floats) -> Floats:
        """A lower bound, for each of these boxes, of the distances to what is inside."""
        lows, highs = self.lows[first:stop], self.highs[first:stop]
        outside = np.maximum(np.maximum(lows - point, point - highs), 0.0)
        # Rounded as a distance is, and a hair less: no box is passed over wrongly.
        found: Floats = np.sqrt(((outside / noise) ** 2).mean(axis=1)) * (1.0 - 1e-12)
        return found


@dataclass(frozen=True)
class _Grove:
    """Behaviours (n, d) in blocks, and the blocks in regions."""

    points: Floats
    blocks: _Boxes
    regions: _Boxes


class Neighbours:
    """Behaviours, (d,) each, of which the nearest to a point are asked for.

    Args:
        points: those that are there from the start, (n, d).
    """

    def __init__(self, points: Floats) -> None:
        self._new: list[Floats] = []
        self._groves: list[_Grove] = [_plant(points)] if len(points) else []

    def __len__(self) -> int:
        return len(self._new) + sum(len(grove.points) for grove in self._groves)

    def add(self, point: Floats) -> None:
        """One more, (d,)."""
        self._new.append(np.asarray(point, dtype=np.float64))
        if len(self._new) < NEWCOMERS:
            return
        points = np.array(self._new)
        while self._groves and len(self._groves[-1].points) <= len(points):
            points = np.concatenate([self._groves.pop().points, points])
        self._groves.append(_plant(points))
        self._new = []

    def nearest(self, point: Floats, noise: Floats, count: int) -> Floats:
        """The `count` smallest distances to a point, ascending; fewer where there are fewer.

        Args:
            point: (d,). noise: the unit of each entry, (d,), positive.
        """
        best = _distances(np.array(self._new), point, noise) if self._new else np.empty(0)
        best = np.sort(best)[:count]
        for grove in self._groves:
            best = _search(grove, point, noise, count, best)
        return best


def _distances(points: Floats, point: Floats, noise: Floats) -> Floats:
    found: Floats = np.sqrt((((points - point) / noise) ** 2).mean(axis=1))
    return found


def _plant(points: Floats) -> _Grove:
    """Split in halves along the widest side, until no block has more than `BLOCK`."""
    order = np.arange(len(points))
    starts = [0, *_split(points, order, 0, len(points))]
    points = points[order]
    blocks = np.array(starts)
    lows = np.minimum.reduceat(points, blocks[:-1], axis=0)
    highs = np.maximum.reduceat(points, blocks[:-1], axis=0)
    regions = np.array([*range(0, len(lows), REGION), len(lows)])
    return _Grove(
        points,
        _Boxes(blocks, lows, highs),
        _Boxes(
            regions,
            np.minimum.reduceat(lows, regions[:-1], axis=0),
            np.maximum.reduceat(highs, regions[:-1], axis=0),
        ),
    )


def _split(points: Floats, order: np.ndarray, start: int, stop: int) -> Iterable[int]:
    """Order a range so that blocks are contiguous; the end of each block."""
    if stop - start <= BLOCK:
        return [stop]
    here = points[order[start:stop]]
    side = int(np.argmax(here.max(axis=0) - here.min(axis=0)))
    middle = (stop - start) // 2
    halves = np.argpartition(here[:, side], middle)
    order[start:stop] = order[start:stop][halves]
    middle += start
    return [*_split(points, order, start, middle), *_split(points, order, middle, stop)]


def _search(grove: _Grove, point: Floats, noise: Floats, count: int, best: Floats) -> Floats:
    """The best so far, and what this grove has that is better."""
    regions, blocks = grove.regions, grove.blocks
    outer = regions.bounds(0, len(regions.lows), point, noise)
    for region in np.argsort(outer, kind="stable"):
        if len(best) == count and outer[region] > best[-1]:
            break
        first, stop = regions.starts[region : region + 2]
        inner = blocks.bounds(first, stop, point, noise)
        for block in np.argsort(inner, kind="stable"):
            if len(best) == count and inner[block] > best[-1]:
                break
            start, end = blocks.starts[first + block : first + block + 2]
            found = _distances(grove.points[start:end], point, noise)
            best = np.sort(np.concatenate([best, found]))[:count]
    return best
