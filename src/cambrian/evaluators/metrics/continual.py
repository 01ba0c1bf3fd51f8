"""Continual evaluation: what happens between the ends of the tasks (De Lange 2023).

Probes are evaluations in order of time: the task being learned (from 0), and the accuracy on each
task seen so far, that one included. They must be of a *fixed* subset of the test samples:
drawing it anew for each probe, as the reference code does, biases every minimum down. Windows
count probes, so they are of iterations only where every iteration is probed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Probes = Sequence[tuple[int, Floats]]


def min_accuracy(probes: Probes) -> float:
    """min-ACC = 1/(k−1) Σ_{i<k} min_{t_i<n≤t} A(E_i, f_n) (De Lange 2023, arXiv 2205.13452, eq. 3).

    Returns:
        The mean, over all tasks but the last, of the least accuracy measured since the task's
        own training ended. 1.0 where there was only one task (the definition has none).
    """
    last = max(task for task, _ in probes)
    lows = [min(float(seen[old]) for task, seen in probes if task > old) for old in range(last)]
    return float(np.mean(lows)) if lows else 1.0


def worst_case_accuracy(probes: Probes) -> float:
    """WC-ACC = 1/k · A(E_k, f_t) + (1 − 1/k) · min-ACC at the last probe, in task k (De Lange
    2023): how bad it is at the worst moment."""
    task, seen = probes[-1]
    return float(seen[task]) / (task + 1) + (1 - 1 / (task + 1)) * min_accuracy(probes)


def windowed_forgetting(probes: Probes, window: int) -> float:
    """WF^ω: the largest drop max_{m<n} (A_m − A_n) within any ω probes in a row, averaged over
    tasks (De Lange 2023). Tasks probed once are left out; 0.0 if all were.

    Raises:
        ValueError: the window is shorter than two probes.
    """
    return _windowed(probes, window, lambda before, after: before - after)


def windowed_plasticity(probes: Probes, window: int) -> float:
    """WP^ω: the largest gain max_{m<n} (A_n − A_m) within any ω probes in a row, averaged over
    tasks (De Lange 2023). The gain may lie after the window's least value: [.9, .1,
    .8] gains .7 (the reference code prunes as for WF and answers −.1).

    Raises:
        ValueError: the window is shorter than two probes.
    """
    return _windowed(probes, window, lambda before, after: after - before)


def average_anytime_accuracy(probes: Probes) -> float:
    """AAA: mean over probes of the mean accuracy on the tasks seen so far (Caccia 2022, arXiv
    2104.05025)."""
    return float(np.mean([np.mean(seen) for _, seen in probes]))


def _windowed(probes: Probes, window: int, change: Callable[[Floats, Floats], Floats]) -> float:
    if window < 2:
        raise ValueError(f"expected a window of two probes or more, got {window}")
    tasks = max(len(seen) for _, seen in probes)
    largest = []
    for task in range(tasks):
        series = np.array([seen[task] for _, seen in probes if len(seen) > task])
        lags = range(1, min(window, len(series)))
        changes = [np.max(change(series[:-lag], series[lag:])) for lag in lags]
        if changes:
            largest.append(max(changes))
    return float(np.mean(largest)) if largest else 0.0
