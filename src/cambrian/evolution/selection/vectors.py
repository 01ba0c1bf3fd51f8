"""Score vectors of members: their mean score on each stream of the search."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from cambrian.archive import Archive
from cambrian.evolution.selection.arrays import Floats, Integers

_SCORES = """
SELECT a.number, e.benchmark, e.version, e.score FROM agents a
JOIN evaluations e ON e.agent_id = a.id
WHERE {which} AND e.verdict = 'scored' AND e.stage IN ('screen', 'full')
  AND e.benchmark IN (SELECT value FROM json_each(:streams))
ORDER BY a.number, e.benchmark, e.seed
"""
_ONE = _SCORES.format(which="a.number = :number")
_ALL = _SCORES.format(which="a.status IN ('seed', 'admitted')")


class ScoreVectors:
    """Reads vectors of an archive; what was recorded of a member after its decision (races) is in
    none, so that a vector never changes.

    Args:
        versions: the streams, with the version that counts. Where none are given a vector is the
            member's score alone.
    """

    def __init__(self, archive: Archive, versions: Mapping[str, str]) -> None:
        self._archive = archive
        self._versions = dict(versions)
        self._column = {name: at for at, name in enumerate(sorted(versions))}

    def of(self, numbers: Integers, scores: Floats) -> Floats:
        """The vectors of members by number, (n, streams); where one has no result on a stream, its
        score (n,) stands in."""
        if not self._column:
            return np.array(scores, dtype=np.float64).reshape(-1, 1)
        keys = {"streams": json.dumps(list(self._column))}
        one = len(numbers) == 1
        rows = self._archive.database.tuples(
            _ONE if one else _ALL, {**keys, "number": int(numbers[0])} if one else keys
        )
        order = np.argsort(numbers, kind="stable")
        found = [
            (number, self._column[name], score)
            for number, name, version, score in rows
            if version == self._versions[name]
        ]
        shape = (len(numbers), len(self._column))
        filled = np.repeat(np.asarray(scores, dtype=np.float64)[:, None], shape[1], axis=1)
        if not found:
            return filled
        table = np.array(found, dtype=np.float64)
        places = np.searchsorted(numbers[order], table[:, 0])
        known = np.minimum(places, len(numbers) - 1)
        mine = numbers[order][known] == table[:, 0]
        cells = order[known[mine]] * shape[1] + table[mine, 1].astype(np.int64)
        size = shape[0] * shape[1]
        sums = np.bincount(cells, table[mine, 2], size).reshape(shape)
        counts = np.bincount(cells, minlength=size).reshape(shape)
        means: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), filled)
        return means
