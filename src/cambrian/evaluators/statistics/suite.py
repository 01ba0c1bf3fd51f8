"""What an agent's scores on the families of a suite come to.

The vector is for selection, and so is its weighted mean; the interquartile mean over families, with
a stratified interval, is what a champion is reported by, and the worst families stand beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cambrian.evaluators.statistics.aggregate import stratified_interval
from cambrian.evaluators.statistics.intervals import CONFIDENCE, Estimate

FEWEST = 4
"""Families; of fewer, an interquartile mean leaves nothing out that would be one family."""

FAILED = -1.0
"""What a family counts on which an agent failed: the least that one can score, so that to fail is
never better than to run."""

WORST = 3


@dataclass(frozen=True)
class SuiteScore:
    """An agent's score on a suite.

    Attributes:
        vector: the mean score on each family, in the suite's order; `FAILED` where it failed.
        mean: the weighted mean of the vector.
        middle: the interquartile mean over runs and families with its interval (families are
            kept, seeds are drawn again); None of fewer than `FEWEST` families or two seeds.
        worst: the `WORST` families with the least scores, the least first.
        failed: the families on which it failed.
    """

    vector: Mapping[str, float]
    mean: float
    middle: Estimate | None
    worst: tuple[tuple[str, float], ...]
    failed: tuple[str, ...]


def suite_score(
    scores: Mapping[str, Sequence[float]],
    weights: Mapping[str, float],
    *,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    resamples: int = 2000,
) -> SuiteScore:
    """What scores come to.

    Args:
        scores: of each family that the agent ran on, its scores in the order of the seeds; a family
            of the suite that is not there, or has none, counts as failed.
        weights: what each family of the suite counts for.

    Raises:
        ValueError: no weight is above 0, a score is no finite number, or a family is none of the
            suite's.
    """
    if strangers := sorted(set(scores) - set(weights)):
        raise ValueError(f"expected families of the suite, got {', '.join(strangers)}")
    total = float(sum(weights.values()))
    if not total > 0:
        raise ValueError(f"expected weights above 0, got {dict(weights)}")
    failed = tuple(name for name in weights if not scores.get(name))
    runs = min((len(scores[name]) for name in weights if name not in failed), default=1)
    given = {n: [FAILED] * runs if n in failed else list(scores[n]) for n in weights}
    if not all(np.isfinite(values).all() for values in given.values()):
        raise ValueError(f"expected finite scores, got {given}")
    vector = {name: float(np.mean(values)) for name, values in given.items()}
    mean = sum(weights[name] * score for name, score in vector.items()) / total
    middle = None
    if len(vector) >= FEWEST and runs >= 2:
        table = np.array([values[:runs] for values in given.values()]).T
        middle = stratified_interval(table, confidence=confidence, seed=seed, resamples=resamples)
    ordered = sorted(vector.items(), key=lambda item: item[1])
    return SuiteScore(vector, mean, middle, tuple(ordered[:WORST]), failed)
