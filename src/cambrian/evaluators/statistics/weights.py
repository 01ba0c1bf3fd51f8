"""What the families of a suite count for, so that no stream carries the score."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SHARE = 2.0
"""No family may move the mean by more than so many times what the middle one does."""


def capped_weights(scores: ArrayLike, share: float = SHARE) -> NDArray[np.float64]:
    """Weights (families,), 1 at most, of scores (agents, families).

    What a family tells apart is the standard deviation s of its scores over agents; what it adds to
    the spread of a weighted mean is w·s. A family whose s is above `share` times the median of all
    gets the weight that brings w·s down to that; all others get 1. A family that tells nothing
    apart needs no less: its w·s is next to nothing.

    Raises:
        ValueError: fewer than two agents, or scores that are no finite table.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or len(table) < 2 or not table.shape[1] or not np.isfinite(table).all():
        raise ValueError(f"expected finite scores (agents, families), got shape {table.shape}")
    apart = table.std(0, ddof=1)
    cap = share * float(np.median(apart))
    return np.where(apart > cap, cap / np.where(apart > 0, apart, 1.0), 1.0)
