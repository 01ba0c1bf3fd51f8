"""The small digits of scikit-learn."""

from __future__ import annotations

import functools

import numpy as np

from cambrian.evaluators.data.base import Images, Source, split


@functools.cache
def digits() -> Images:
    """1,797 real 8×8 digits (scikit-learn, BSD-3): about 70 % train, 15 % test, 15 % sealed."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    x = (loaded.images / 16).astype(np.float32)
    return split(x, loaded.target.astype(np.int64), 0.15, 0.15)


SOURCES = (
    Source("digits", "1,797 handwritten digits, 8×8, 10 classes", "scikit-learn", "BSD-3", digits),
)
