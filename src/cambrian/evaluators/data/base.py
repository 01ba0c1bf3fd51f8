"""What a set of data is: training, test and sealed parts, and how one is split into them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

SPLIT_SEED = 20_260_101


@dataclass(frozen=True)
class Part:
    """Inputs x (N, *shape) and their labels y (N,) int64.

    x is float32, or uint8 where floats would fill the memory; `rows` gives float32 of both.
    """

    x: NDArray[Any]
    y: Labels

    def rows(self, rows: NDArray[np.integer[Any]]) -> Floats:
        """The inputs at these rows, float32; uint8 0..255 becomes 0..1."""
        chosen = self.x[rows]
        if chosen.dtype == np.uint8:
            chosen = chosen / np.float32(255)
        return np.asarray(chosen, dtype=np.float32)


@dataclass(frozen=True)
class Images:
    """A set in three parts (of images, series or rows of a table alike)."""

    train: Part
    test: Part
    sealed: Part

    def held_out(self, stage: str) -> Part:
        """The test inputs of a stage."""
        return self.sealed if stage == "sealed" else self.test


@dataclass(frozen=True)
class Source:
    """Where a set comes from, for people and for `cambrian bench data`.

    Attributes:
        name: as benchmarks name it.
        holds: what is in it, with its size.
        origin: the package that ships it.
        licence: of the data.
        load: the set, from memory if it was loaded before; raises NotFound where it is missing.
        present: whether it is on this machine.
        get: the command that brings it here.
    """

    name: str
    holds: str
    origin: str
    licence: str
    load: Callable[[], Images]
    present: Callable[[], bool] = lambda: True
    get: str = ""


def split(x: NDArray[Any], y: Labels, test: float, sealed: float) -> Images:
    """Split x (n, *shape) and y (n,) in the same proportions for every class, by a fixed
    permutation. `test`, `sealed`: shares of each class; the rest is to be learned from."""
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
