"""The gates of admission on scores that are drawn, not measured.

The gates are those of `evolution.admission.rules`, asked only as far as the rule needs them:
`judge` there looks at every gate, to keep it; its verdict is the same (a test compares).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cambrian.archive import Gate
from cambrian.evolution.admission import rules as gates
from cambrian.evolution.admission.results import SEARCH_SEEDS, Results
from cambrian.evolution.admission.rules import ArchiveState
from cambrian.evolution.admission.thresholds import ADMISSIONS, AdmissionName, Route, Rules
from cambrian.evolution.selection.arrays import Floats


class DrawnScores(Results):
    """Results that are an array of scores (families, search seeds), with no other metrics and no
    FLOPs."""

    def __init__(self, names: Sequence[str], scores: Floats) -> None:
        super().__init__(())
        self._row = {name: at for at, name in enumerate(names)}
        self._scores = scores
        self._mean: list[float] = scores.mean(axis=0).tolist()

    def score(self, benchmark: str, seed: int) -> float:
        """The score on one seed of the search. Raises KeyError for another family."""
        return float(self._scores[self._row[benchmark], SEARCH_SEEDS.index(seed)])

    def per_seed(self, benchmarks: Sequence[str], seeds: Sequence[int]) -> list[float]:
        """For each seed, the mean score over the families."""
        if len(benchmarks) == len(self._row) and tuple(seeds) == SEARCH_SEEDS:
            return self._mean
        return super().per_seed(benchmarks, seeds)

    def behaviour(self, benchmarks: Sequence[str], seeds: Sequence[int]) -> np.ndarray:
        """As `Results.behaviour`, (seeds, 3 per family + 1): what a landscape has not is 0."""
        rows = np.zeros((len(seeds), 3 * len(benchmarks) + 1))
        rows[:, :-1:3] = [[self.score(name, seed) for name in benchmarks] for seed in seeds]
        return rows


def route(
    child: Results,
    parent: Results,
    names: Sequence[str],
    standing: ArchiveState,
    rules: Rules,
    admission: AdmissionName,
) -> Route | None:
    """The way by which a variant comes into the tree; None: it is rejected.

    Args:
        names: the families.
    """
    ask: dict[str, Callable[[], Gate]] = {
        "improvement": lambda: gates.improvement(child, parent, names, rules),
        "floor": lambda: gates.above_floor(child, names),
        "not_worse": lambda: gates.not_worse(child, parent, names, rules),
        "near": lambda: gates.near(child, parent, names, rules),
        "novelty": lambda: gates.novelty(child, standing.members, names, rules),
        "quota": lambda: gates.quota(standing, rules),
        "as_good": lambda: gates.as_good(child, parent, names, rules),
        "pareto": lambda: gates.pareto(child, parent, names, rules),
    }
    for way in ADMISSIONS[admission].routes:
        if all(ask[gate]().verdict == "pass" for gate in way.gates):
            return way
    return None
