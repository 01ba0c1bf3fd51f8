"""An agent's evaluations as a table over benchmarks and seeds, and the figures made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from cambrian.evaluators.benchmarks import STAGES
from cambrian.evaluators.statistics import Estimate, mean_interval, paired_difference
from cambrian.evaluators.statistics.families import (
    is_over_families,
    mean_of_families,
    mean_over_families,
)

SEARCH_SEEDS = STAGES["screen"] + STAGES["full"]
RACE_SEEDS = SEARCH_SEEDS + STAGES["race"]


@dataclass(frozen=True)
class Result:
    """One scored evaluation: normalised score, metrics, floating point operations."""

    benchmark: str
    seed: int
    score: float
    metrics: Mapping[str, float]
    flops: int


class Results:
    """The scored results of one agent, one per (benchmark, seed); figures are made once.

    Args:
        weights: what a benchmark counts for in a mean over some, relative to the others; 1 where
            nothing is said.
        search: the seeds that a search runs, of which its figures are means.
    """

    def __init__(
        self,
        results: Iterable[Result],
        weights: Mapping[str, float] | None = None,
        search: Sequence[int] = SEARCH_SEEDS,
    ) -> None:
        self.search = tuple(search)
        self._weights = dict(weights or {})
        self._table = {(r.benchmark, r.seed): r for r in results}
        self._estimates: dict[tuple[tuple[str, ...], tuple[int, ...]], Estimate] = {}
        self._per_seed: dict[tuple[tuple[str, ...], tuple[int, ...]], list[float]] = {}
        self._means: dict[tuple[str, tuple[int, ...]], dict[str, float]] = {}

    def __len__(self) -> int:
        return len(self._table)

    def seeds(self, benchmarks: Sequence[str]) -> list[int]:
        """The seeds that every one of the benchmarks was run with, in order."""
        seeds = {seed for _, seed in self._table}
        return sorted(s for s in seeds if all((b, s) in self._table for b in benchmarks))

    def raced(self, other: Results, benchmarks: Sequence[str]) -> list[float]:
        """Paired differences to the other's mean scores, in the order in which seeds are raced, as
        far as both have been run on every benchmark."""
        both = set(self.seeds(benchmarks)) & set(other.seeds(benchmarks))
        shared = list(takewhile(both.__contains__, RACE_SEEDS))
        pairs = zip(
            self.per_seed(benchmarks, shared), other.per_seed(benchmarks, shared), strict=True
        )
        return [mine - its for mine, its in pairs]

    def score(self, benchmark: str, seed: int) -> float:
        """The normalised score on one seed. Raises KeyError where it was not evaluated."""
        return self._table[benchmark, seed].score

    def per_seed(self, benchmarks: Sequence[str], seeds: Sequence[int]) -> list[float]:
        """For each seed, the weighted mean score over the benchmarks.

        Raises:
            KeyError: one of them was not run.
        """
        key = tuple(benchmarks), tuple(seeds)
        if key not in self._per_seed:
            self._per_seed[key] = self._means_of(*key)
        return list(self._per_seed[key])

    def _means_of(self, benchmarks: Sequence[str], seeds: Sequence[int]) -> list[float]:
        if len(benchmarks) == 1:
            return [self.score(benchmarks[0], s) for s in seeds]
        rows = [[self.score(b, s) for b in benchmarks] for s in seeds]
        shares = self.shares(benchmarks)
        if len(set(shares)) == 1:
            return [float(np.mean(row)) for row in rows]
        return [float(np.dot(row, shares)) for row in rows]

    def shares(self, benchmarks: Sequence[str]) -> list[float]:
        """What each of these benchmarks counts for in their mean; they add up to 1."""
        weights = [self._weights.get(b, 1.0) for b in benchmarks]
        return [weight / sum(weights) for weight in weights]

    def vector(self, benchmarks: Sequence[str], seeds: Sequence[int]) -> dict[str, float]:
        """The mean over seeds of each benchmark.

        Raises:
            KeyError: one of them was not run.
        """
        return {b: float(np.mean([self.score(b, s) for s in seeds])) for b in benchmarks}

    def estimate(self, benchmarks: Sequence[str], seeds: Sequence[int]) -> Estimate:
        """Mean over benchmarks and seeds, with an interval over seeds: of the means over
        benchmarks, or where seeds are few and benchmarks many, pooled over these."""
        key = tuple(benchmarks), tuple(seeds)
        if key not in self._estimates:
            if is_over_families(len(benchmarks), len(seeds)):
                shares = self.shares(benchmarks)
                self._estimates[key] = mean_of_families(self.table(benchmarks, seeds), shares)
            else:
                self._estimates[key] = mean_interval(self.per_seed(benchmarks, seeds))
        return self._estimates[key]

    def table(self, benchmarks: Sequence[str], seeds: Sequence[int]) -> np.ndarray:
        """The scores, (benchmarks, seeds). Raises KeyError: one of them was not run."""
        return np.array([[self.score(name, seed) for seed in seeds] for name in benchmarks])

    def gain(self, other: Results, benchmarks: Sequence[str], confidence: float) -> Estimate:
        """The paired difference to the other over the search's seeds, with an interval over
        seeds, or where these are few and benchmarks many, over benchmarks.

        Raises:
            KeyError: one of the two was not run on all of them.
        """
        seeds = self.search
        if is_over_families(len(benchmarks), len(seeds)):
            differences = self.table(benchmarks, seeds) - other.table(benchmarks, seeds)
            return mean_over_families(differences, self.shares(benchmarks), confidence)
        mine, its = (one.per_seed(benchmarks, seeds) for one in (self, other))
        return paired_difference(mine, its, confidence)

    def behaviour(self, benchmarks: Sequence[str], seeds: Sequence[int]) -> np.ndarray:
        """What the agent does, per seed: (seeds, 3 per benchmark + 1).

        Per benchmark the normalised score, min-ACC and forgetting; then log10 of all FLOPs.
        """
        return np.array([self._behaviour(benchmarks, seed) for seed in seeds])

    def _behaviour(self, benchmarks: Sequence[str], seed: int) -> list[float]:
        row: list[float] = []
        flops = 0
        for benchmark in benchmarks:
            result = self._table[benchmark, seed]
            flops += result.flops
            row += [
                result.score,
                float(result.metrics.get("min_accuracy", 0.0)),
                float(result.metrics.get("forgetting", 0.0)),
            ]
        return [*row, float(np.log10(max(flops, 1)))]

    def mean_metrics(self, benchmark: str, seeds: Sequence[int]) -> dict[str, float]:
        """The mean of each metric over seeds, of those that every seed has: a learner may keep one
        from being measured."""
        key = benchmark, tuple(seeds)
        if key not in self._means:
            rows = [self._table[benchmark, seed].metrics for seed in seeds]
            self._means[key] = {
                name: round(float(np.mean([r[name] for r in rows])), 4)
                for name in rows[0]
                if all(name in row for row in rows)
            }
        return dict(self._means[key])
