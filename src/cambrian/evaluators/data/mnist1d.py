"""MNIST-1D: series of 40 values, ten classes, generated once and kept.

Greydanus & Kobak 2020, "Scaling Down Deep Learning with MNIST-1D" (arXiv 2011.14439).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from cambrian.evaluators.data.base import Images, Source, split
from cambrian.evaluators.data.cache import cached


def _generate() -> dict[str, Any]:
    from mnist1d.data import get_dataset_args, make_dataset

    kept = np.random.get_state()
    try:
        made = make_dataset(get_dataset_args())  # never `get_dataset`, which downloads
    finally:
        np.random.set_state(kept)
    x = np.concatenate([made["x"], made["x_test"]]).astype(np.float32)
    return {"x": x, "y": np.concatenate([made["y"], made["y_test"]]).astype(np.int64)}


@functools.cache
def mnist_1d() -> Images:
    """5,000 series (N, 40) by the mnist1d package's generator (Apache-2.0) at its own seed:
    3,600 to train on, 700 to test, 700 sealed."""
    found = cached("mnist1d", ("x", "y"), _generate)
    return split(found["x"], found["y"], 0.14, 0.14)


SOURCES = (
    Source("mnist1d", "5,000 series of 40 values, 10 classes", "mnist1d", "Apache-2.0", mnist_1d),
)
