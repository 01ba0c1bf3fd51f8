"""A mean over seeds, and an interval beside it.

Child and parent see the same streams and seeds (common random numbers), so what is compared is
the difference per seed. With five seeds a bootstrap is far too narrow; the intervals are
Student's t on the differences (Gosset 1908), which assumes that these are roughly normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with a two-sided interval; NaN-free, equal bounds for one seed only."""

    mean: float
    lower: float
    upper: float
    seeds: int
    confidence: float = CONFIDENCE


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Mean of values (one per seed) with a t interval.

    Raises:
        ValueError: no values, or a value that is not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0 or not np.isfinite(sample).all():
        raise ValueError(f"expected finite values, one per seed, got {list(values)!r}")
    mean = float(sample.mean())
    if sample.size == 1:
        return Estimate(mean, -np.inf, np.inf, 1, confidence)
    error = float(sample.std(ddof=1) / np.sqrt(sample.size))
    reach = quantile(confidence, sample.size - 1) * error
    return Estimate(mean, mean - reach, mean + reach, sample.size, confidence)


@lru_cache(maxsize=256)
def quantile(confidence: float, freedom: int) -> float:
    """Of Student's t, for a two-sided interval; the same few are asked for again and again."""
    return float(stats.t.ppf((1 + confidence) / 2, freedom))


def paired_difference(
    child: Sequence[float], parent: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """Mean of child − parent over the same seeds, in the same order, with a t interval.

    Raises:
        ValueError: the two do not have one value per seed each.
    """
    if len(child) != len(parent):
        raise ValueError(f"expected as many seeds in both, got {len(child)} and {len(parent)}")
    return mean_interval([a - b for a, b in zip(child, parent, strict=True)], confidence)
