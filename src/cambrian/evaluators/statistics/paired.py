"""Tests on paired differences: child and parent on the same streams, with the same seeds.

With no difference between two agents their scores under one seed are exchangeable, so that the
sign of each difference is a coin toss, however skewed the scores are: the permutation test is
exact. A bootstrap is only as good as the sample is large: see docs/statistics.md for its coverage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from cambrian.evaluators.statistics.intervals import CONFIDENCE, Estimate, paired_difference

MINIMUM_SEEDS = 5
"""Fewer can show nothing at 5 %: the smallest p that n signs allow is 2⁻ⁿ, 1/32 with five."""

RESAMPLES = 9999
Floats = NDArray[np.float64]
Alternative = Literal["greater", "less", "two-sided"]


@dataclass(frozen=True)
class Difference:
    """Child minus parent on one benchmark.

    Attributes:
        estimate: mean with a t interval over the seeds.
        p: of the permutation test, two-sided.
        adjusted: the same after Holm over all benchmarks looked at.
    """

    estimate: Estimate
    p: float
    adjusted: float


def bootstrap_interval(
    child: ArrayLike,
    parent: ArrayLike,
    confidence: float = CONFIDENCE,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Mean of child − parent, (seeds,) each, over the same seeds with a BCa bootstrap interval
    (Efron 1987).

    Raises:
        ValueError: the two do not have one finite value per seed each, or fewer than two seeds.
    """
    differences = _differences(child, parent)
    if differences.size < 2:
        raise ValueError("expected at least two seeds")
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return Estimate(mean, mean, mean, differences.size, confidence)
    found = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=resamples,
        confidence_level=confidence,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(mean, float(found.low), float(found.high), differences.size, confidence)


def permutation_p(
    child: ArrayLike,
    parent: ArrayLike,
    alternative: Alternative = "two-sided",
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> float:
    """p of the paired permutation test on the mean of child − parent, (seeds,) each (Fisher
    1935): the share of ways to flip the differences' signs that are at least as extreme.

    Every way is looked at where there are at most `resamples` of them (13 seeds), else as many
    random ones.

    Raises:
        ValueError: the two do not have one finite value per seed each.
    """
    differences = _differences(child, parent)
    found = stats.permutation_test(
        (differences, np.zeros_like(differences)),
        _mean_difference,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        alternative=alternative,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values adjusted for looking at all of them (Holm 1979): comparing each with α keeps the
    chance of any false claim at or below α, whatever the dependence between them.

    Raises:
        ValueError: a p that is none.
    """
    if not all(0 <= p <= 1 for p in p_values.values()):
        raise ValueError(f"expected p-values from 0 to 1, got {dict(p_values)!r}")
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    adjusted, highest = {}, 0.0
    for rank, (name, p) in enumerate(ordered):
        highest = max(highest, min(1.0, (len(ordered) - rank) * p))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p_values}


def per_benchmark(
    child: Mapping[str, Sequence[float]],
    parent: Mapping[str, Sequence[float]],
    confidence: float = CONFIDENCE,
) -> dict[str, Difference]:
    """Child minus parent on each benchmark (scores by seed), Holm-adjusted over them.

    Raises:
        ValueError: not the same benchmarks, or not the same number of seeds.
    """
    if set(child) != set(parent):
        raise ValueError(f"expected the same benchmarks, got {sorted(child)}, {sorted(parent)}")
    ps = {name: permutation_p(child[name], parent[name]) for name in child}
    adjusted = holm(ps)
    return {
        name: Difference(
            paired_difference(child[name], parent[name], confidence), ps[name], adjusted[name]
        )
        for name in child
    }


def _mean_difference(x: Floats, y: Floats, axis: int = -1) -> Floats:
    return np.asarray(np.mean(x, axis=axis) - np.mean(y, axis=axis))


def _differences(child: ArrayLike, parent: ArrayLike) -> Floats:
    one, other = np.asarray(child, np.float64), np.asarray(parent, np.float64)
    if one.shape != other.shape or one.ndim != 1 or one.size == 0:
        raise ValueError(f"expected as many seeds in both, got {one.shape} and {other.shape}")
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise ValueError("expected finite values, one per seed")
    return one - other
