"""Ways to see the same inputs: the domains of domain- and instance-incremental streams.

Each function draws the views of one stream: (how many, chance) → functions of x (N, *shape).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from cambrian.evaluators import data
from cambrian.evaluators.data import Floats

View = Callable[[Floats], Floats]


def permutations(count: int, rng: np.random.Generator) -> list[View]:
    """Each view has the values of an input in an order of its own (Goodfellow 2013; Kirkpatrick
    2017)."""
    return [functools.partial(_permuted, seed=int(seed)) for seed in rng.integers(0, 2**63, count)]


def _permuted(x: Floats, seed: int) -> Floats:
    return data.permuted(x, np.random.default_rng(seed).permutation(x[0].size))


def rotations(step: float, count: int, rng: np.random.Generator) -> list[View]:
    """0, step, 2·step… degrees in an order drawn anew (Lopez-Paz & Ranzato 2017)."""
    angles = rng.permutation(count) * step
    return [functools.partial(data.rotated, degrees=float(angle)) for angle in angles]


def corruptions(count: int, rng: np.random.Generator) -> list[View]:
    """Conditions under which images (N, S, S) in [0, 1] are taken, as the sessions of CORe50 differ
    (Lomonaco & Maltoni 2017): as they are, inverted, turned, noisy, faint, blurred, shifted,
    mirrored; in an order drawn anew. At most eight."""
    seed = int(rng.integers(0, 2**63))
    known: tuple[View, ...] = (
        lambda x: x,
        lambda x: np.float32(1) - x,
        functools.partial(data.rotated, degrees=90.0),
        functools.partial(_noisy, seed=seed),
        lambda x: (0.35 + 0.3 * x).astype(np.float32),
        lambda x: np.asarray(ndimage.gaussian_filter(x, (0, 1.5, 1.5)), dtype=np.float32),
        lambda x: np.roll(x, 5, axis=2),
        lambda x: np.ascontiguousarray(x[:, :, ::-1]),
    )
    return [known[kind] for kind in rng.permutation(len(known))[:count]]


def _noisy(x: Floats, seed: int) -> Floats:
    noise = np.random.default_rng(seed).normal(0, 0.4, x.shape)
    return (x + noise).clip(0, 1).astype(np.float32)
