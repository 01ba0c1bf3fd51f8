"""Continual-learning metrics, one name per definition.

R[i, j] is the accuracy on task j after training on task i (T tasks, 0-based here); entries that
were not measured are NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def accuracy(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Share of rows of scores (B, outputs) whose largest entry is at the label."""
    return float(np.mean(scores.argmax(axis=1) == labels))


def average_accuracy(matrix: Floats) -> float:
    """ACC = 1/T Σ_j R[T, j] (Lopez-Paz & Ranzato 2017, arXiv 1706.08840, eq. 2)."""
    return float(np.mean(matrix[-1]))


def average_incremental_accuracy(matrix: Floats) -> float:
    """Mean over k of the mean accuracy on the first k tasks after task k (iCaRL, 2017)."""
    return float(np.mean([np.mean(row[: k + 1]) for k, row in enumerate(matrix)]))


def backward_transfer(matrix: Floats) -> float:
    """BWT = 1/(T−1) Σ_{j<T} (R[T, j] − R[j, j]) (Lopez-Paz & Ranzato 2017, eq. 3); 0 if T = 1."""
    if len(matrix) < 2:
        return 0.0
    return float(np.mean(matrix[-1, :-1] - np.diag(matrix)[:-1]))


def forgetting(matrix: Floats) -> float:
    """F = 1/(T−1) Σ_{j<T} (max_{j≤l<T} R[l, j] − R[T, j]) (Chaudhry 2018, RWalk); 0 if T = 1.

    The last row is not in the maximum, so forgetting may be negative.
    """
    tasks = len(matrix)
    if tasks < 2:
        return 0.0
    drops = [np.max(matrix[j : tasks - 1, j]) - matrix[-1, j] for j in range(tasks - 1)]
    return float(np.mean(drops))


def min_accuracy(probes: Sequence[tuple[int, Floats]]) -> float:
    """min-ACC (De Lange 2023, arXiv 2205.13452, eq. 3): how far old tasks fell on the way.

    Args:
        probes: in order of time, the task being learned (from 0) and the accuracy on each task
            seen so far, that one included.

    Returns:
        The mean, over all tasks but the last, of the least accuracy measured since the task's
        own training ended. 1.0 where there was only one task.
    """
    last = max(task for task, _ in probes)
    lows = [min(float(seen[old]) for task, seen in probes if task > old) for old in range(last)]
    return float(np.mean(lows)) if lows else 1.0
