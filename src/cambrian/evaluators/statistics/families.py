"""Means over the families of a suite, of which each was run with few seeds.

What a learner is worth elsewhere is asked of families as they come: a difference that is shown is
shown over families, each of which counts once, with its mean over seeds, however loud it is. That
is Student's t over families (weighted as the suite says), whose error holds both how unlike they
are and the noise of seeds; so one stream cannot carry it, and two seeds will do.

An agent's own score is a mean over these very families, and its interval is about seeds alone: the
variance over seeds is pooled over families.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from cambrian.evaluators.statistics.intervals import CONFIDENCE, Estimate

FEWEST = 8
"""Families, for a difference to be shown over them."""
MOST_SEEDS = 4
"""With more seeds than this the means over benchmarks, one a seed, carry an interval themselves."""

Floats = NDArray[np.float64]


def is_over_families(benchmarks: int, seeds: int) -> bool:
    """Whether what so many benchmarks and seeds show is taken over benchmarks, not over seeds."""
    return benchmarks >= FEWEST and 2 <= seeds <= MOST_SEEDS


def error_over_families(
    values: ArrayLike, shares: Sequence[float]
) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Weighted means and their standard errors over families, (...,) each, and the degrees of
    freedom: those of as many families that count alike, Σw² being the same, less one.

    Args:
        values: the means over seeds, (..., families).
        shares: what each family counts for, (families,), adding up to 1.
    """
    means, weights = np.asarray(values, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    whole = means @ weights
    parts = weights**2 * (means - whole[..., None]) ** 2 / (1 - weights)
    return whole, np.sqrt(parts.sum(axis=-1)), float(1 / (weights**2).sum() - 1)


def mean_over_families(
    values: ArrayLike, shares: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """The weighted mean of values (families, seeds) with a t interval over families.

    Raises:
        ValueError: fewer than two families, a value that is not finite, or not one share each.
    """
    table = _checked(values, shares)
    mean, error, freedom = error_over_families(table.mean(axis=1), shares)
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom) * error)
    return Estimate(
        float(mean), float(mean) - reach, float(mean) + reach, table.shape[1], confidence
    )


def mean_of_families(
    values: ArrayLike, shares: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """The weighted mean of values (families, seeds) with a t interval over seeds, their variance
    pooled over families.

    Raises:
        ValueError: as `mean_over_families`, or one seed only.
    """
    table, weights = _checked(values, shares), np.asarray(shares, dtype=np.float64)
    families, seeds = table.shape
    if seeds < 2:
        raise ValueError(f"expected at least two seeds, got {seeds}")
    mean = float(table.mean(axis=1) @ weights)
    error = float(np.sqrt(table.var(axis=1, ddof=1).mean() * (weights**2).sum() / seeds))
    reach = float(stats.t.ppf((1 + confidence) / 2, families * (seeds - 1))) * error
    return Estimate(mean, mean - reach, mean + reach, seeds, confidence)


def _checked(values: ArrayLike, shares: Sequence[float]) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or len(table) < 2 or not np.isfinite(table).all():
        raise ValueError(f"expected finite values (2 or more families, seeds), got {values!r}")
    if len(shares) != len(table):
        raise ValueError(f"expected {len(table)} shares, got {len(shares)}")
    return table
