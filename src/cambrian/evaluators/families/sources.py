"""The data that families draw from: images of 14×14, rows of 20 values, series of 40.

Shapes say little, so that no code can tell a source by them. So that neither nearness nor frozen
features are enough, most streams lay a *veil* over their inputs: the contrast of every other input
is turned about the mean, and a glare is added, a sum of a few patterns, the same for a whole
stream, in amounts that change with every input and say nothing. *Clusters* are made-up classes of
some clusters each in a few hidden directions; inputs vary more in all the others.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cambrian.evaluators import data
from cambrian.evaluators.data import Floats, Images, Part

SIDE, COLUMNS, PATTERNS = 14, 20, 8
ROWS = (6000, 800, 800)
"""Made-up rows: to train on, to test, sealed."""


class Origin(Protocol):
    """Where a stream's inputs are from: its data source's name ("" for made-up data), how many
    classes there are, and the shape of an input."""

    @property
    def name(self) -> str: ...
    @property
    def classes(self) -> int: ...
    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def spatial(self) -> bool:
        """Whether inputs are images."""

    def load(self) -> Images:
        """The set in three parts, inputs (N, *shape)."""


@dataclass(frozen=True)
class Held:
    """A source as families use it.

    Attributes:
        name: of `cambrian.evaluators.data`.
        classes: how many there are.
        spatial: whether its inputs are images (SIDE, SIDE); else rows (width,), padded by zeros.
    """

    name: str
    classes: int
    spatial: bool = True
    width: int = COLUMNS

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return (SIDE, SIDE) if self.spatial else (self.width,)

    def load(self) -> Images:
        """The set with its inputs in the shape of families."""
        return _load(self)


@dataclass(frozen=True)
class Clusters:
    """Made-up classes of `each` clusters in `inside` hidden directions; in the other directions all
    inputs vary `spread` times as much as the centres do."""

    classes: int
    each: int
    inside: int
    spread: float
    seed: int
    name: str = ""
    spatial: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return (COLUMNS,)

    def load(self) -> Images:
        """The three parts, of the same classes."""
        return _made(self)


@functools.cache
def _load(held: Held) -> Images:
    found = data.source(held.name).load()
    parts = (found.train, found.test, found.sealed)
    return Images(*(Part(_inputs(held, part), part.y) for part in parts))


def _inputs(held: Held, part: Part) -> Floats:
    x = part.rows(np.arange(len(part.y)))
    if not held.spatial:
        return np.ascontiguousarray(np.pad(x, ((0, 0), (0, held.width - x.shape[1]))))
    if x.shape[1] == 2 * SIDE:
        return data.pooled(x, SIDE)
    return x if x.shape[1] == SIDE else data.enlarged(x, 1, SIDE)


@functools.lru_cache(maxsize=8)
def _made(origin: Clusters) -> Images:
    rng = np.random.default_rng(origin.seed)
    basis, _ = np.linalg.qr(rng.normal(size=(COLUMNS, COLUMNS)))
    centres = rng.normal(size=(origin.classes, origin.each, origin.inside))

    def part(rows: int) -> Part:
        y = rng.integers(0, origin.classes, rows)
        x = rng.normal(size=(rows, COLUMNS)) * origin.spread
        middle = centres[y, rng.integers(0, origin.each, rows)]
        x[:, : origin.inside] = middle + 0.2 * rng.normal(size=middle.shape)
        return Part((x @ basis).astype(np.float32), y)

    return Images(*(part(rows) for rows in ROWS))


@dataclass(frozen=True)
class Veil:
    """What is laid over the inputs of a stream.

    Attributes:
        turned: the contrast of every other input is turned about the mean.
        glare: how much of each of `PATTERNS` patterns of length 1 is added (the deviation of a
            normal amount, drawn for each input).
        seed: of the patterns.
    """

    turned: bool = False
    glare: float = 0.0
    seed: int = 0

    def over(self, x: Floats, mean: Floats, rng: np.random.Generator) -> Floats:
        """Inputs (N, *shape) under the veil; mean (*shape) is what contrasts are turned about."""
        flat: NDArray[Any] = x.reshape(len(x), -1)
        if self.turned:
            flat = (flat - mean.ravel()) * rng.choice((-1, 1), (len(x), 1))
        if self.glare:
            patterns = np.random.default_rng(self.seed).normal(size=(PATTERNS, flat.shape[1]))
            patterns /= np.linalg.norm(patterns, axis=1, keepdims=True)
            flat = flat + self.glare * rng.normal(size=(len(x), PATTERNS)) @ patterns
        return np.ascontiguousarray(flat.reshape(x.shape), dtype=np.float32)

    @property
    def draws(self) -> dict[str, float | bool]:
        """For people."""
        return {"turned": self.turned, "glare": self.glare}


NO_VEIL = Veil()


def veil(rng: np.random.Generator, origin: Origin, kinds: Sequence[tuple[bool, float]]) -> Veil:
    """One of some veils (turned, glare); none over made-up data, which needs none."""
    turned, glare = kinds[int(rng.integers(len(kinds)))]
    seed = int(rng.integers(2**31))
    return Veil(turned, glare, seed) if origin.name else NO_VEIL


MNIST, DIGITS = Held("mnist-5k", 10), Held("digits", 10)
TEXTURES, SHAPES = Held("textures", 8), Held("shapes", 6)
SEGMENTS = Held("image-segments", 7, spatial=False)
SERIES = Held("mnist1d", 10, spatial=False, width=40)
IMAGES = (MNIST, DIGITS, TEXTURES)
SETS = ("mnist-5k", "digits", "textures", "image-segments")


def clusters(rng: np.random.Generator) -> Clusters:
    """Made-up classes, drawn: five to eight of two or three clusters, three to five hidden
    directions, the others half again to three times as wide."""
    return Clusters(
        int(rng.integers(5, 9)),
        int(rng.integers(2, 4)),
        int(rng.integers(3, 6)),
        float(rng.choice((1.5, 2.0, 3.0))),
        int(rng.integers(2**31)),
    )
