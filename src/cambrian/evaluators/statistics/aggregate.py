"""One figure over runs and benchmarks, with an interval (Agarwal 2021, arXiv 2108.13264).

Defined as in `rliable` 1.2. Scores are (runs, benchmarks), normalised per benchmark.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from cambrian.evaluators.statistics.intervals import CONFIDENCE, Estimate

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], float]

RESAMPLES = 10_000


def interquartile_mean(scores: ArrayLike) -> float:
    """IQM of scores (runs, benchmarks): the mean of all of them together, without the lowest and
    highest quarter (rounded down)."""
    return float(stats.trim_mean(_table(scores), proportiontocut=0.25, axis=None))


def optimality_gap(scores: ArrayLike, gamma: float = 1.0) -> float:
    """γ minus the mean of scores (runs, benchmarks), each counted up to γ: how far from the
    ceiling."""
    return float(gamma - np.mean(np.minimum(_table(scores), gamma)))


def probability_of_improvement(one: ArrayLike, other: ArrayLike) -> float:
    """Mean over benchmarks of P(X > Y) + P(X = Y)/2 for a run X of `one` and Y of `other`,
    drawn independently (Mann & Whitney 1947). Both are (runs, benchmarks).

    Raises:
        ValueError: different numbers of benchmarks.
    """
    x, y = _table(one), _table(other)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"expected the same benchmarks, got {x.shape[1]} and {y.shape[1]}")
    sides = np.sign(x[:, None, :] - y[None, :, :])
    return float(np.mean((sides + 1) / 2))


def stratified_interval(
    scores: ArrayLike,
    statistic: Statistic = interquartile_mean,
    confidence: float = CONFIDENCE,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """The statistic of scores (runs, benchmarks) with a percentile interval of the stratified
    bootstrap: runs are drawn with replacement within each benchmark, benchmarks are kept.

    Raises:
        ValueError: fewer than two runs: their spread is not known.
    """
    table = _table(scores)
    if len(table) < 2:
        raise ValueError("expected at least two runs of each benchmark")
    rng = np.random.default_rng(seed)
    values = [statistic(_resampled(table, rng)) for _ in range(resamples)]
    return _percentiles(statistic(table), values, len(table), confidence)


def probability_of_improvement_interval(
    one: ArrayLike,
    other: ArrayLike,
    confidence: float = CONFIDENCE,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """`probability_of_improvement` with a percentile interval; the two, (runs, benchmarks) each,
    are drawn independently.

    Raises:
        ValueError: different numbers of benchmarks, or fewer than two runs.
    """
    x, y = _table(one), _table(other)
    middle = probability_of_improvement(x, y)
    if min(len(x), len(y)) < 2:
        raise ValueError("expected at least two runs of each benchmark")
    rng = np.random.default_rng(seed)
    values = [
        probability_of_improvement(_resampled(x, rng), _resampled(y, rng)) for _ in range(resamples)
    ]
    return _percentiles(middle, values, min(len(x), len(y)), confidence)


def _resampled(table: Floats, rng: np.random.Generator) -> Floats:
    rows = rng.integers(0, len(table), table.shape)
    return np.asarray(np.take_along_axis(table, rows, axis=0))


def _percentiles(middle: float, values: list[float], runs: int, confidence: float) -> Estimate:
    tail = (1 - confidence) / 2 * 100
    lower, upper = np.percentile(values, [tail, 100 - tail])
    return Estimate(middle, float(lower), float(upper), runs, confidence)


def _table(scores: ArrayLike) -> Floats:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.size == 0 or not np.isfinite(table).all():
        raise ValueError(f"expected finite scores (runs, benchmarks), got shape {table.shape}")
    return table
