"""Error against cost: which points are dominated, and how much a front covers.

NEVIS'22 (Bornschein 2022, arXiv 2211.11747) compares learners in the plane of mean
error and cumulative training FLOPs by Pareto dominance. Its repository holds no code for it;
these are the standard definitions (Zitzler & Thiele 1999). Both axes are better when smaller.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def dominates(one: ArrayLike, other: ArrayLike) -> bool:
    """Whether `one` (cost, error) is nowhere worse than `other` and somewhere better."""
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    return bool((a <= b).all() and (a < b).any())


def pareto_front(costs: ArrayLike, errors: ArrayLike) -> NDArray[np.intp]:
    """Indices (m,) of the points that none dominates, of costs (n,) and errors (n,), cheapest
    first; of equal points the first.

    Raises:
        ValueError: not one finite error per cost.
    """
    cost, error = _points(costs, errors)
    front: list[int] = []
    for index in np.lexsort((np.arange(len(cost)), error, cost)):
        if not front or error[index] < error[front[-1]]:
            front.append(int(index))
    return np.array(front, dtype=np.intp)


def hypervolume(costs: ArrayLike, errors: ArrayLike, reference: tuple[float, float]) -> float:
    """Area dominated by the points and bounded by the reference (cost, error).

    HV = Σ_i (c_{i+1} − c_i)(e_ref − e_i) over the front sorted by cost, c_{n+1} = c_ref. Points
    beyond the reference add nothing. Publish the reference; take FLOPs on a log scale.
    """
    cost, error = _points(costs, errors)
    limit, worst = reference
    inside = (cost < limit) & (error < worst)
    cost, error = cost[inside], error[inside]
    if len(cost) == 0:
        return 0.0
    front = pareto_front(cost, error)
    widths = np.diff(np.append(cost[front], limit))
    return float((widths * (worst - error[front])).sum())


def front_hypervolume(flops: ArrayLike, errors: ArrayLike, reference: tuple[float, float]) -> float:
    """`hypervolume` of flops (n,) and errors (n,) with FLOPs on a log10 scale, the reference's too;
    divided by nothing, so its unit is error times decades.

    Raises:
        ValueError: FLOPs that are not positive.
    """
    spent = np.asarray(flops, dtype=np.float64)
    if not (spent > 0).all() or reference[0] <= 0:
        raise ValueError("expected positive FLOPs")
    return hypervolume(np.log10(spent), errors, (float(np.log10(reference[0])), reference[1]))


def _points(costs: ArrayLike, errors: ArrayLike) -> tuple[Floats, Floats]:
    cost, error = np.asarray(costs, np.float64), np.asarray(errors, np.float64)
    if cost.ndim != 1 or cost.shape != error.shape:
        raise ValueError(f"expected one error per cost, got {cost.shape} and {error.shape}")
    if not (np.isfinite(cost).all() and np.isfinite(error).all()):
        raise ValueError("expected finite costs and errors")
    return cost, error
