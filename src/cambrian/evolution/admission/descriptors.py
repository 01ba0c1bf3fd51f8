"""How every member behaves, for the novelty gate: kept by the archive, asked by distance."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from cambrian.archive import Archive
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evolution.admission.neighbours import Neighbours
from cambrian.evolution.admission.records import search_seeds
from cambrian.evolution.admission.results import Results


def measure(benchmarks: Sequence[str], seeds: Sequence[int]) -> int:
    """What a behaviour is made of, as one number: benchmarks, their versions, seeds."""
    text = repr([(name, benchmark(name).version) for name in benchmarks]) + repr(tuple(seeds))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], signed=True)


class Descriptors:
    """The behaviours of all members as decided by now: the means over seeds of what
    `Results.behaviour` says of each.

    Loaded when first asked for, then brought up to date with every member that joined since.
    """

    def __init__(
        self, archive: Archive, benchmarks: Sequence[str], results: Callable[[str], Results]
    ) -> None:
        self._archive = archive
        self._benchmarks = tuple(benchmarks)
        self._results = results
        self._newest = 0
        self._neighbours: Neighbours | None = None

    def neighbours(self) -> Neighbours:
        """Everyone's, ready to be asked who is nearest."""
        nodes = self._archive.nodes
        what = measure(self._benchmarks, search_seeds(self._archive))
        missing = nodes.without_behaviour(what, self._newest)
        if missing:
            with self._archive.transaction():
                for number, agent_id in missing:
                    nodes.store_descriptor(number, what, self._of(agent_id))
        numbers, vectors = nodes.behaviours(what, self._newest)
        if self._neighbours is None:
            self._neighbours = Neighbours(vectors)
        else:
            for vector in vectors:
                self._neighbours.add(vector)
        self._newest = numbers[-1] if numbers else self._newest
        return self._neighbours

    def _of(self, agent_id: str) -> np.ndarray:
        results = self._results(agent_id)
        behaviour = results.behaviour(self._benchmarks, results.search)
        mean: np.ndarray = behaviour.mean(axis=0)
        return mean
