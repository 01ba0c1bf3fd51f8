"""Whether a network can still learn: dormant units, ranks, weights, the newest task.

These take arrays (activations, weights), so that the trusted side needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def dormant_share(layers: Sequence[ArrayLike], tau: float = 0.025) -> float:
    """Share of τ-dormant units over all layers: s_i = E|h_i| / mean_k E|h_k| ≤ τ (Sokar 2023,
    arXiv 2302.12902).

    Args:
        layers: activations of each layer (samples, units), after the nonlinearity.
        tau: the threshold; 0 counts units that were never active.

    Raises:
        ValueError: no layer, or one that is not (samples, units).
    """
    if not layers:
        raise ValueError("expected the activations of at least one layer")
    dormant = units = 0
    for layer in layers:
        mean = np.abs(_table(layer)).mean(axis=0)
        level = mean.mean()
        # A layer that is silent throughout has no scale of its own; all of its units are dormant.
        scores = mean / level if level > 0 else np.zeros_like(mean)
        dormant += int((scores <= tau).sum())
        units += len(mean)
    return dormant / units


def effective_rank(features: ArrayLike) -> float:
    """exp(−Σ p log p), p = σ/‖σ‖₁ (Roy & Vetterli 2007), of features (samples,
    units): between 1 and the rank; 0 for zeros."""
    values = _singular(features)
    if values[0] == 0:
        return 0.0
    p = values / values.sum()
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))


def srank(features: ArrayLike, delta: float = 0.01) -> int:
    """min{k : Σ_{i≤k} σ_i / Σ_i σ_i ≥ 1−δ} of features (samples, units) (Kumar 2021, arXiv
    2010.14498).

    Some code calls this the stable rank, which is another figure: see `stable_rank`.
    """
    return _smallest_share(_singular(features), 1 - delta)


def approximate_rank(features: ArrayLike, share: float = 0.99) -> int:
    """min{k : Σ_{i≤k} σ_i² / Σ_i σ_i² ≥ share} of features (samples, units) (Yang 2020, arXiv
    1909.12255)."""
    return _smallest_share(_singular(features) ** 2, share)


def stable_rank(features: ArrayLike) -> float:
    """‖A‖²_F / σ₁² (Rudelson & Vershynin 2007), of features (samples, units): between 1 and the
    rank; 0 for zeros."""
    values = _singular(features)
    return float((values**2).sum() / values[0] ** 2) if values[0] > 0 else 0.0


def weight_magnitude(weights: Sequence[ArrayLike]) -> float:
    """Σ|w| / #w over all parameters, of whatever shapes (Dohare 2024, Nature 632, methods)."""
    flat = _flat(weights)
    return float(np.abs(flat).mean())


def weight_norm(weights: Sequence[ArrayLike]) -> float:
    """‖w‖₂ over all parameters, of whatever shapes (Lyle 2023, arXiv 2303.01486)."""
    return float(np.linalg.norm(_flat(weights)))


def newest_accuracy(accuracies: ArrayLike) -> float:
    """1/T Σ_k R[k, k]: the mean accuracy on each task right after learning it (T,), however much
    of it is forgotten later (Dohare 2024).

    Raises:
        ValueError: not a series of finite values.
    """
    return float(_series(accuracies).mean())


def newest_task_slope(accuracies: ArrayLike) -> float:
    """Least-squares slope, per task, of the accuracy on the newest task (T,): below 0, plasticity
    is being lost (Dohare 2024; Lyle 2023). 0.0 for one task.

    Raises:
        ValueError: not a series of finite values.
    """
    values = _series(accuracies)
    if values.size == 1:
        return 0.0
    steps = np.arange(values.size) - (values.size - 1) / 2
    return float((steps * values).sum() / (steps**2).sum())


def _series(accuracies: ArrayLike) -> Floats:
    values = np.asarray(accuracies, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"expected one finite accuracy per task, got {accuracies!r}")
    return values


def _table(values: ArrayLike) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.size == 0 or not np.isfinite(table).all():
        raise ValueError(f"expected finite activations (samples, units), got {table.shape}")
    return table


def _singular(features: ArrayLike) -> Floats:
    return np.asarray(np.linalg.svd(_table(features), compute_uv=False), dtype=np.float64)


def _smallest_share(values: Floats, share: float) -> int:
    total = values.sum()
    if total == 0:
        return 0
    # Rounding may leave the whole sum a hair below a share of 1.
    return min(int(np.searchsorted(np.cumsum(values) / total, share)) + 1, len(values))


def _flat(weights: Sequence[ArrayLike]) -> Floats:
    parts = [np.asarray(w, dtype=np.float64).ravel() for w in weights]
    if sum(part.size for part in parts) == 0:
        raise ValueError("expected at least one weight")
    return np.concatenate(parts)
