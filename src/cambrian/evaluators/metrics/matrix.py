"""Metrics over an accuracy matrix.

R[i, j] is the accuracy on task j after training on task i (T tasks, 0-based here, 1-based in the
formulas); entries that were not measured are NaN. A metric that needs such an entry refuses it:
NaN never passes for a number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def average_accuracy(matrix: ArrayLike) -> float:
    """ACC = 1/T Σ_j R[T, j], R being (T, T) (Lopez-Paz & Ranzato 2017, arXiv 1706.08840, eq. 2)."""
    return float(np.mean(_measured(_square(matrix)[-1], "last row")))


def average_incremental_accuracy(matrix: ArrayLike) -> float:
    """AIA = 1/T Σ_k (1/k Σ_{j≤k} R[k, j]): every task weighs the same (Rebuffi 2017, iCaRL)."""
    square = _square(matrix)
    rows = [_measured(row[: k + 1], "lower triangle") for k, row in enumerate(square)]
    return float(np.mean([np.mean(row) for row in rows]))


def sample_weighted_incremental_accuracy(matrix: ArrayLike, samples: Sequence[int]) -> float:
    """Mean over k of the share of all test samples seen so far that are right after task k.

    What class-incremental papers often call average incremental accuracy (Rebuffi 2017 plots it);
    equal to it where every task has as many test samples.

    Args:
        matrix: R (T, T).
        samples: test samples of each task (T,).

    Raises:
        ValueError: not one positive number per task.
    """
    square, weights = _square(matrix), np.asarray(samples, dtype=np.float64)
    if weights.shape != (len(square),) or not (weights > 0).all():
        raise ValueError(f"expected {len(square)} positive numbers of samples, got {samples!r}")
    rows = [_measured(row[: k + 1], "lower triangle") for k, row in enumerate(square)]
    return float(np.mean([np.average(r, weights=weights[: len(r)]) for r in rows]))


def backward_transfer(matrix: ArrayLike) -> float:
    """BWT = 1/(T−1) Σ_{j<T} (R[T, j] − R[j, j]) (Lopez-Paz & Ranzato 2017, eq. 3); 0 if T = 1."""
    square = _square(matrix)
    if len(square) < 2:
        return 0.0
    last = _measured(square[-1, :-1], "last row")
    return float(np.mean(last - _measured(np.diag(square)[:-1], "diagonal")))


def forward_transfer(matrix: ArrayLike, untrained: ArrayLike) -> float:
    """FWT = 1/(T−1) Σ_{j=2..T} (R[j−1, j] − b_j) (Lopez-Paz & Ranzato 2017, eq. 4); 0 if T = 1.

    Args:
        matrix: R (T, T), with the entries just above the diagonal measured.
        untrained: b (T,), accuracies of the same network *before any training*. Taking them
            from the trained network just before each task makes FWT 0 by construction.

    Raises:
        ValueError: not one baseline per task, or an entry above the diagonal was not measured.
    """
    square, baseline = _square(matrix), np.asarray(untrained, dtype=np.float64)
    if baseline.shape != (len(square),):
        raise ValueError(f"expected {len(square)} untrained accuracies, got {baseline.shape}")
    if len(square) < 2:
        return 0.0
    ahead = _measured(np.diag(square, k=1), "diagonal above the main one")
    return float(np.mean(ahead - _measured(baseline[1:], "untrained accuracies")))


def forgetting(matrix: ArrayLike) -> float:
    """F = 1/(T−1) Σ_{j<T} (max_{j≤l<T} R[l, j] − R[T, j]) (Chaudhry 2018, RWalk, arXiv
    1801.10112); 0 if T = 1.

    The last row is not in the maximum, so forgetting may be negative.
    """
    square = _square(matrix)
    tasks = len(square)
    if tasks < 2:
        return 0.0
    drops = [
        np.max(_measured(square[j : tasks - 1, j], "lower triangle")) - square[-1, j]
        for j in range(tasks - 1)
    ]
    return float(np.mean(_measured(np.array(drops), "last row")))


def intransigence(matrix: ArrayLike, joint: ArrayLike, task: int = -1) -> float:
    """I_k = R*_k − R[k, k] (Chaudhry 2018, RWalk), by default of the last task.

    Args:
        matrix: R (T, T).
        joint: R* (T,), accuracy on task k of a reference trained jointly on tasks 1 to k.
        task: which k, from 0.

    Raises:
        ValueError: not one reference per task, or an entry was not measured.
    """
    return float(_intransigence(matrix, joint)[task])


def mean_intransigence(matrix: ArrayLike, joint: ArrayLike) -> float:
    """1/T Σ_k I_k, with I_k, and shapes, as in `intransigence` (Wang 2024, arXiv 2302.00487)."""
    return float(np.mean(_intransigence(matrix, joint)))


def _intransigence(matrix: ArrayLike, joint: ArrayLike) -> Floats:
    square, reference = _square(matrix), np.asarray(joint, dtype=np.float64)
    if reference.shape != (len(square),):
        raise ValueError(f"expected {len(square)} joint accuracies, got {reference.shape}")
    return _measured(reference, "joint accuracies") - _measured(np.diag(square), "diagonal")


def diaz_rodriguez_accuracy(matrix: ArrayLike) -> float:
    """A = Σ_{i≥j} R[i, j] / (T(T+1)/2): the mean of the lower triangle of R, (T, T)
    (Díaz-Rodríguez 2018, arXiv 1810.13166)."""
    square = _square(matrix)
    return float(np.mean(_measured(square[np.tril_indices(len(square))], "lower triangle")))


def diaz_rodriguez_backward_transfer(matrix: ArrayLike) -> float:
    """Mean over all i > j of R[i, j] − R[j, j] (Díaz-Rodríguez 2018), R being (T, T);
    0 if T = 1.

    Not the BWT of Lopez-Paz & Ranzato, which looks at the last row only.
    """
    square = _square(matrix)
    rows, columns = np.tril_indices(len(square), k=-1)
    if len(rows) == 0:
        return 0.0
    later = _measured(square[rows, columns], "lower triangle")
    return float(np.mean(later - _measured(np.diag(square)[columns], "diagonal")))


def diaz_rodriguez_forward_transfer(matrix: ArrayLike) -> float:
    """Mean of R[i, j] over i < j: accuracy on tasks not yet seen (Díaz-Rodríguez 2018),
    R being (T, T); 0 if T = 1."""
    square = _square(matrix)
    ahead = square[np.triu_indices(len(square), k=1)]
    return float(np.mean(_measured(ahead, "upper triangle"))) if len(ahead) else 0.0


def learning_curve_area(curves: ArrayLike, batches: int | None = None) -> float:
    """LCA_β = 1/(β+1) Σ_{b=0..β} Z_b (Chaudhry 2019, A-GEM, arXiv 1812.00420).

    Args:
        curves: (T, ≥ β+1): accuracy on each task after b = 0, 1, … batches of that task.
        batches: β; all there are if not given.

    Raises:
        ValueError: the curves are shorter than β+1, or hold an entry not measured.
    """
    table = np.asarray(curves, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"expected curves (tasks, batches + 1), got {table.shape}")
    count = table.shape[1] if batches is None else batches + 1
    if not 1 <= count <= table.shape[1]:
        raise ValueError(f"expected at least {count} points per task, got {table.shape[1]}")
    return float(np.mean(_measured(table[:, :count], "curves")))


def _square(matrix: ArrayLike) -> Floats:
    square = np.asarray(matrix, dtype=np.float64)
    if square.ndim != 2 or square.shape[0] != square.shape[1] or square.size == 0:
        raise ValueError(f"expected a square accuracy matrix, got shape {square.shape}")
    return square


def _measured(values: Floats, where: str) -> Floats:
    if not np.isfinite(values).all():
        raise ValueError(f"expected every entry of the {where} to be measured, got {values}")
    return values
