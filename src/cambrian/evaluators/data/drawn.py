"""Synthetic images and points, drawn from a fixed seed: gratings, shapes, moons, circles."""

from __future__ import annotations

import functools

import numpy as np

from cambrian.evaluators.data.base import SPLIT_SEED, Floats, Images, Source, split

SIDE, EACH = 14, 200


@functools.cache
def textures() -> Images:
    """1,600 noisy Gabor gratings (N, 14, 14): 8 classes, each an orientation and a frequency."""
    rng = np.random.default_rng(SPLIT_SEED)
    down, right = np.indices((SIDE, SIDE), dtype=np.float64) / SIDE - 0.5
    labels = np.arange(8).repeat(EACH)
    angle = (labels % 4 * np.pi / 4 + rng.normal(0, 0.12, len(labels)))[:, None, None]
    waves = np.where(labels < 4, 2.0, 3.5)[:, None, None]
    phase = rng.uniform(0, 2 * np.pi, (len(labels), 1, 1))
    along = down * np.sin(angle) + right * np.cos(angle)
    clean = 0.5 + 0.35 * np.cos(2 * np.pi * waves * along + phase)
    noisy = (clean + rng.normal(0, 0.2, clean.shape)).clip(0, 1)
    return split(noisy.astype(np.float32), labels, 0.2, 0.2)


@functools.cache
def shapes() -> Images:
    """1,200 noisy figures (N, 14, 14) of varying place and size: 6 classes."""
    rng = np.random.default_rng(SPLIT_SEED + 1)
    labels = np.arange(6).repeat(EACH)
    clean = np.stack([_figure(int(label), rng) for label in labels])
    noisy = (clean + rng.normal(0, 0.2, clean.shape)).clip(0, 1)
    return split(noisy.astype(np.float32), labels, 0.2, 0.2)


def _figure(label: int, rng: np.random.Generator) -> Floats:
    """A disc, ring, square, frame, cross or triangle of random place and size."""
    size = rng.uniform(3.0, 5.0)
    row, column = rng.uniform(size, SIDE - 1 - size, 2)
    down, right = np.arange(SIDE)[:, None] - row, np.arange(SIDE)[None] - column
    round_, square = np.hypot(down, right), np.maximum(abs(down), abs(right))
    inside = (
        round_ <= size,
        abs(round_ - size + 1) <= 1,
        square <= size,
        (square <= size) & (square > size - 2),
        (np.minimum(abs(down), abs(right)) <= 1) & (square <= size),
        (abs(right) <= (down + size) / 2) & (abs(down) <= size),
    )[label]
    return np.asarray(inside, dtype=np.float32)


@functools.cache
def points(name: str) -> Images:
    """1,500 points (N, 2) of scikit-learn's `moons` or `circles`, two classes."""
    from sklearn import datasets

    if name == "moons":
        x, y = datasets.make_moons(1500, noise=0.2, random_state=SPLIT_SEED)
    else:
        x, y = datasets.make_circles(1500, noise=0.1, factor=0.5, random_state=SPLIT_SEED)
    return split(x.astype(np.float32), y.astype(np.int64), 0.2, 0.2)


SOURCES = (
    Source("textures", "1,600 gratings, 14×14, 8 classes", "drawn here", "Apache-2.0", textures),
    Source("shapes", "1,200 figures, 14×14, 6 classes", "drawn here", "Apache-2.0", shapes),
    *(
        Source(
            name,
            f"1,500 points in two {name}, 2 values, 2 classes",
            "scikit-learn",
            "BSD-3",
            functools.partial(points, name),
        )
        for name in ("moons", "circles")
    ),
)
