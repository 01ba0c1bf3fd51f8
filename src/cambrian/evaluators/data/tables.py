"""Real tables that ship in river and scikit-learn, standardised.

Columns are centred and scaled by the training part alone, and clipped to ±5.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian.evaluators.data.base import Floats, Images, Part, Source, split
from cambrian.evaluators.data.cache import cached

CLIP = 5.0

RIVER = {
    "shuttle": ("Shuttle", "49,097 states of a space shuttle, 9 values, normal or not"),
    "image-segments": ("ImageSegments", "2,310 segments of photographs, 18 values, 7 classes"),
    "phishing": ("Phishing", "1,250 web pages, 9 values, phishing or not"),
    "bananas": ("Bananas", "5,300 points of two banana-shaped clusters, 2 values, 2 classes"),
    "yeast": ("Yeast", "2,417 genes, 103 values, the most even of 14 functions or not"),
}
SKLEARN = {
    "iris": ("load_iris", "150 flowers, 4 values, 3 classes"),
    "wine": ("load_wine", "178 wines, 13 values, 3 classes"),
    "breast-cancer": ("load_breast_cancer", "569 tumours, 30 values, 2 classes"),
}


def _river(cls: str) -> dict[str, Any]:
    from river import datasets

    rows = list(getattr(datasets, cls)())
    columns = sorted(rows[0][0])
    x = np.array([[row[c] for c in columns] for row, _ in rows], dtype=np.float32)
    if isinstance(rows[0][1], dict):  # several labels: the one nearest to half of the rows
        labels = np.array([[bool(v) for v in y.values()] for _, y in rows])
        return {"x": x, "y": labels[:, np.abs(labels.mean(0) - 0.5).argmin()].astype(np.int64)}
    _, y = np.unique([str(y) for _, y in rows], return_inverse=True)
    return {"x": x, "y": y.astype(np.int64)}


def _sklearn(function: str) -> dict[str, Any]:
    from sklearn import datasets

    found = getattr(datasets, function)()
    return {"x": found.data.astype(np.float32), "y": found.target.astype(np.int64)}


@functools.cache
def table(name: str) -> Images:
    """A table, x (N, columns): about 60 % of the rows to train on, 20 % to test, 20 % sealed.

    Of rows with equal values the first alone is there, so that none is in two parts.
    """
    make = functools.partial(_river, RIVER[name][0]) if name in RIVER else None
    made = cached(name, ("x", "y"), make or functools.partial(_sklearn, SKLEARN[name][0]))
    _, first = np.unique(made["x"], axis=0, return_index=True)
    rows = np.sort(first)
    return standardised(split(made["x"][rows], made["y"][rows], 0.2, 0.2))


@functools.cache
def ordered(name: str) -> Part:
    """A river table whole and in its own order, standardised (for prequential streams)."""
    made = cached(name, ("x", "y"), functools.partial(_river, RIVER[name][0]))
    return Part(_scaled(made["x"], made["x"]), made["y"])


def standardised(found: Images) -> Images:
    """All parts scaled by the columns of the training part; rows that clipping made equal to one
    of an earlier part are left out."""
    known: set[bytes] = set()
    parts = []
    for part in (found.train, found.test, found.sealed):
        x = _scaled(part.x, found.train.x)
        new = np.array([row.tobytes() not in known for row in x])
        known.update(row.tobytes() for row in x)
        parts.append(Part(x[new], part.y[new]))
    return Images(*parts)


def _scaled(x: NDArray[Any], by: NDArray[Any]) -> Floats:
    spread = by.std(0, dtype=np.float64)
    spread[spread == 0] = 1.0
    scaled = ((x - by.mean(0, dtype=np.float64)) / spread).clip(-CLIP, CLIP)
    return np.asarray(scaled, dtype=np.float32)


def _loader(name: str) -> Callable[[], Images]:
    return functools.partial(table, name)


SOURCES = tuple(
    Source(name, holds, origin, licence, _loader(name))
    for sets, origin, licence in ((RIVER, "river", "BSD-3"), (SKLEARN, "scikit-learn", "BSD-3"))
    for name, (_, holds) in sets.items()
)
