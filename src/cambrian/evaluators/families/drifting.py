"""Families of streams that are predicted before they are learned, and drift."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np

from cambrian.evaluators.benchmarks.drift import (
    DriftStream,
    recurring,
)
from cambrian.evaluators.data import Labels
from cambrian.evaluators.families.base import Draws, Family, Stream, between, pick
from cambrian.evaluators.families.rules import LATEST, drift_card, drift_stream
from cambrian.evaluators.families.sources import (
    IMAGES,
    SEGMENTS,
    SERIES,
    SETS,
    Origin,
    Veil,
    veil,
)
from cambrian.evaluators.protocols.prequential import Series

VEILS = ((False, 0.0), (False, 1.5), (False, 3.0), (True, 1.5))


def concepts(
    samples: int,
    rng: np.random.Generator,
    drifting: bool,
    *,
    held: Origin,
    over: Veil,
    every: int,
    number: int,
    returning: bool,
    names: int,
    moved: float,
    width: int,
    sealed: bool = False,
) -> Series:
    """Rows of a source under concepts that follow one another.

    Args:
        every: samples a concept.
        number: concepts that there are; `returning`: they come again, else each is new.
        names: classes whose names change from a concept to the next (0: names stay).
        moved: the share of the values of an input that change places (0: none).
        width: samples over which one concept gives way to the next (0: at once).
        sealed: draw from the test and the sealed part, else from the training part.
    """
    found = held.load()
    parts = (found.test, found.sealed) if sealed else (found.train,)
    x = np.concatenate([part.x.reshape(len(part.x), -1) for part in parts])
    y = np.concatenate([part.y for part in parts])
    rows = rng.integers(0, len(y), samples)
    count = -(-samples // every)
    kept = number if returning else count
    naming = _renamings(kept, held.classes, names, rng)
    places = [_moved(x.shape[1], moved if c else 0.0, rng) for c in range(kept)]
    order = recurring(kept, count, rng) if returning else list(range(count))
    late = rng.random(samples) if width else None
    now = np.zeros(samples, dtype=np.int64)
    for place in range(samples if drifting else 0):
        step = place // every
        if late is not None and step + 1 < count:
            left = every - place % every
            step += int(late[place] < max(0.0, 1 - left / width))
        now[place] = order[step]
    if not drifting:
        now[:] = order[0]
    seen = over.over(x[rows], x.mean(0), rng)
    given = np.stack([row[places[c]] for row, c in zip(seen, now, strict=True)])
    labels = np.array([naming[c][y[row]] for row, c in zip(rows, now, strict=True)])
    return Series(given, labels, range(every, samples, every) if drifting else ())


class Concepts(DriftStream):
    """A drift stream of a source's rows: sealed runs have rows of their own."""

    def series(self, stage: str, seed: int) -> Series:
        """The stream of a seed, labels included: trusted side only."""
        of_parts: Any = self.draw  # `concepts`, which takes more than a `Draw` has to
        draw = functools.partial(of_parts, sealed=stage == "sealed")
        return super(Concepts, replace(self, draw=draw)).series(stage, seed)


def _renamings(kept: int, classes: int, names: int, rng: np.random.Generator) -> list[Labels]:
    """The names of the classes in each concept; from one to the next `names` of them rotate."""
    found = [np.arange(classes)]
    while len(found) < kept:
        last = found[-1].copy()
        chosen = rng.permutation(classes)[:names]
        last[chosen] = last[np.roll(chosen, 1)]
        found.append(last)
    return found


def _moved(values: int, share: float, rng: np.random.Generator) -> Labels:
    """An order of the values of an input, of which a share has changed places."""
    order = np.arange(values)
    chosen = rng.permutation(values)[: int(share * values)]
    order[chosen] = order[rng.permutation(chosen)]
    return order


def renamed_classes(family: Family, rng: np.random.Generator) -> Stream:
    """Label drift: classes change their names, ever anew."""
    held: Origin = pick(rng, *IMAGES, SEGMENTS)
    every, names = int(between(rng, 100, 300)), int(pick(rng, 2, 3, held.classes))
    return _of_concepts(family, rng, held, every=every, names=names)


def moved_inputs(family: Family, rng: np.random.Generator) -> Stream:
    """Covariate drift: values of the inputs change places, the labels stay."""
    held: Origin = pick(rng, *IMAGES, SEGMENTS)
    every, moved = int(between(rng, 200, 500)), between(rng, 0.3, 1.0)
    return _of_concepts(family, rng, held, every=every, moved=moved)


def returning_concepts(family: Family, rng: np.random.Generator) -> Stream:
    """Recurring drift: a few concepts come again."""
    held: Origin = pick(rng, *IMAGES, SEGMENTS)
    every, number = int(between(rng, 80, 250)), int(rng.integers(2, 5))
    moved = float(pick(rng, 0.0, 0.5, 1.0))
    names = held.classes if not moved else 0
    return _of_concepts(
        family, rng, held, every=every, number=number, returning=True, names=names, moved=moved
    )


def sliding_concepts(family: Family, rng: np.random.Generator) -> Stream:
    """Gradual drift: one concept gives way to the next over many samples."""
    held: Origin = pick(rng, *IMAGES, SEGMENTS)
    every = int(between(rng, 200, 400))
    width = int(every * float(pick(rng, 0.3, 0.5, 0.8)))
    names = held.classes if rng.integers(2) else 0
    moved = 0.0 if names else 0.7
    return _of_concepts(family, rng, held, every=every, names=names, moved=moved, width=width)


def renamed_series(family: Family, rng: np.random.Generator) -> Stream:
    """Sealed: label drift on series, faster than a search draws it."""
    every, names = int(between(rng, 50, 90)), int(pick(rng, 4, 10))
    return _of_concepts(family, rng, SERIES, every=every, names=names)


def _of_concepts(
    family: Family,
    rng: np.random.Generator,
    held: Origin,
    *,
    every: int,
    number: int = 0,
    returning: bool = False,
    names: int = 0,
    moved: float = 0.0,
    width: int = 0,
) -> Stream:
    over = veil(rng, held, VEILS)
    draw = functools.partial(
        concepts,
        held=held,
        over=over,
        every=every,
        number=number,
        returning=returning,
        names=names,
        moved=moved,
        width=width,
    )
    told: Draws = {
        "source": held.name,
        **over.draws,
        "every": every,
        "concepts": number,
        "names": names,
        "moved": moved,
        "width": width,
    }
    sizes = (int(np.prod(held.shape)), held.classes)
    return drift_stream(family, rng, draw, sizes, told, Concepts)


FOUR = "mnist-5k pooled, digits framed or textures, as 196 values, or image-segments as 20"

DRIFTING: tuple[Family, ...] = (
    Family(
        "renamed-classes",
        "1",
        drift_card(
            "Two, three or all classes change their names every 100 to 300 samples.",
            FOUR,
            "A table from what an input is to what it is called fits this drift and no other.",
        ),
        renamed_classes,
        "drift",
        SETS,
    ),
    Family(
        "moved-inputs",
        "1",
        drift_card(
            "A third to all values of the inputs change places every 200 to 500 samples.",
            FOUR,
            LATEST,
        ),
        moved_inputs,
        "drift",
        SETS,
    ),
    Family(
        "returning-concepts",
        "1",
        drift_card(
            "Two to four concepts (other names, or other places) take turns every 80 to 250 "
            "samples and come again.",
            FOUR,
            "Who keeps a learner for each concept has only to tell which one it is.",
        ),
        returning_concepts,
        "drift",
        SETS,
    ),
    Family(
        "sliding-concepts",
        "1",
        drift_card(
            "A concept lasts 200 to 400 samples and gives way to a new one over a third to four "
            "fifths of that.",
            FOUR,
            LATEST,
        ),
        sliding_concepts,
        "drift",
        SETS,
    ),
    Family(
        "renamed-series",
        "1",
        drift_card(
            "Four or all of ten classes change their names every 50 to 90 samples: faster than "
            "any search draws.",
            "mnist1d, which no search family draws",
            "A table from what an input is to what it is called fits this drift and no other.",
        ),
        renamed_series,
        "drift",
        ("mnist1d",),
        sealed_only=True,
    ),
)
