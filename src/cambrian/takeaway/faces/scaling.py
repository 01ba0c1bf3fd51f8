"""Centring and scaling by what was seen so far, and by nothing that is to come."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CLIP = 5.0


class RunningScale:
    """Means and variances of columns, updated by batches (Chan, Golub & LeVeque 1983)."""

    def __init__(self, columns: int) -> None:
        self.count = 0
        self.mean = np.zeros(columns)
        self.squares = np.zeros(columns)

    def add(self, x: NDArray[Any]) -> None:
        """Take rows (B, columns) in."""
        new, mean = len(x), x.mean(0)
        moved, total = mean - self.mean, self.count + new
        self.squares += ((x - mean) ** 2).sum(0) + moved**2 * (self.count * new / total)
        self.mean = self.mean + moved * (new / total)
        self.count = total

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Rows (B, columns) as float32 with mean 0 and deviation 1 of what was taken in, within
        ±5; a column that was constant is only centred."""
        spread = np.sqrt(self.squares / max(self.count, 1))
        spread[spread == 0] = 1.0
        scaled = ((x - self.mean) / spread).clip(-CLIP, CLIP)
        return np.asarray(scaled, dtype=np.float32)
