"""Families of made-up rules that drift; and what all drift families have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cambrian.evaluators.benchmarks.base import AHEAD_SERIES, Bounds, Card
from cambrian.evaluators.benchmarks.drift import (
    DriftStream,
    balanced,
    exchanged,
    seed_of,
    taken,
)
from cambrian.evaluators.data import Floats, Labels
from cambrian.evaluators.families.base import Draws, Family, Stream, between, pick
from cambrian.evaluators.families.cards import card
from cambrian.evaluators.protocols.prequential import Series

LEAST, MOST = 1500, 2500
"""Samples of a stream; ten at a time."""

ORACLES = "random_features+replay"
LATEST = "A learner that keeps only what is latest loses nothing but what comes back."


RuleDraw = Callable[[int, np.random.Generator, bool], Series]


def moving_rules(family: Family, rng: np.random.Generator) -> Stream:
    """A rule over few values, exchanged ever so often: sums (SEA) or lamps (LED)."""
    rule = pick(rng, "sea", "led")
    every = int(between(rng, 60, 200) if rule == "sea" else between(rng, 200, 400))
    noise = float(pick(rng, 0.0, 0.05))
    draw = functools.partial(_sums if rule == "sea" else _lamps, every=every, noise=noise)
    sizes = (3, 2) if rule == "sea" else (24, 10)
    told: Draws = {"rule": rule, "every": every, "noise": noise}
    return drift_stream(family, rng, draw, sizes, told)


def _sums(
    samples: int, rng: np.random.Generator, drifting: bool, *, every: int, noise: float
) -> Series:
    """Whether two of three values exceed a threshold in sum (Street & Kim 2001); which count, and
    which are mirrored, changes."""
    from river.datasets import synth

    source = balanced(synth.SEA(0, seed=seed_of(rng)), seed_of(rng))
    x, y = taken(source, samples)
    x = (x - 5) / 2.9
    drifts = range(every, samples, every) if drifting else range(0)
    x = exchanged(x, drifts, rng)
    for start in drifts:
        x[start:] *= rng.choice((-1, 1), 3).astype(np.float32)
    return Series(x, _wrong(y, 2, noise, rng), drifts)


def _lamps(
    samples: int, rng: np.random.Generator, drifting: bool, *, every: int, noise: float
) -> Series:
    """A digit from seven of 24 lamps (Breiman et al. 1984); all wires are exchanged."""
    from river.datasets import synth

    source = synth.LED(seed=seed_of(rng), noise_percentage=0.02, irrelevant_features=True)
    x, y = taken(source, samples)
    drifts = range(every, samples, every) if drifting else range(0)
    return Series(exchanged(2 * x - 1, drifts, rng), _wrong(y, 10, noise, rng), drifts)


def _wrong(y: Labels, classes: int, noise: float, rng: np.random.Generator) -> Labels:
    wrong = rng.random(len(y)) < noise
    return np.where(wrong, rng.integers(0, classes, len(y)), y)


def radial_motion(family: Family, rng: np.random.Generator) -> Stream:
    """Sealed: centres of some classes on the move (river's RandomRBFDrift)."""
    classes, columns = int(rng.integers(4, 7)), int(rng.integers(8, 13))
    centres, speed = int(rng.integers(15, 31)), between(rng, 0.004, 0.012)
    told: Draws = {"classes": classes, "columns": columns, "centres": centres, "speed": speed}
    draw = functools.partial(_radial, sizes=(classes, columns, centres), speed=speed)
    return drift_stream(family, rng, draw, (columns, classes), told)


def _radial(
    samples: int,
    rng: np.random.Generator,
    drifting: bool,
    *,
    sizes: tuple[int, int, int],
    speed: float,
) -> Series:
    from river.datasets import synth

    classes, columns, centres = sizes
    source = synth.RandomRBFDrift(
        seed_of(rng),
        seed_of(rng),
        n_classes=classes,
        n_features=columns,
        n_centroids=centres,
        change_speed=speed if drifting else 0.0,
        n_drift_centroids=centres,
    )
    x, y = taken(source, samples)
    moved: Floats = (x - 0.5) * 3
    return Series(moved, y)


def drift_stream(
    family: Family,
    rng: np.random.Generator,
    draw: RuleDraw,
    sizes: tuple[int, int],
    told: Draws,
    make: type[DriftStream] = DriftStream,
) -> Stream:
    """A drift stream of (values, classes) `sizes`, whose ceiling is an oracle's on the stream
    without its drift."""
    samples = int(rng.integers(LEAST, MOST)) // 10 * 10
    bench = make(
        family.name,
        family.version,
        family.card,
        draw,
        *sizes,
        samples=samples,
        sealed_only=family.sealed_only,
    )
    oracle = replace(bench, drifting=False)
    bench = replace(bench, bounds=Bounds(ceiling=ORACLES, oracle=oracle))
    return Stream(bench, {**told, "samples": samples})


def drift_card(task: str, origin: str, shortcut: str) -> Card:
    """What the cards of drift families have in common."""
    return card(
        f"{task} 1,500 to 2,500 samples, ten at a time: predict, then learn the labels. Nothing "
        "announces a drift.",
        f"{origin}; columns change places",
        "Every label until the prediction has been made; when and how the stream drifts.",
        "Plain online learning at the best constant learning rate of a grid.",
        "An oracle: the better of random_features and replay on the same stream without its drift.",
        f"{shortcut} {AHEAD_SERIES}",
    )


RULES: tuple[Family, ...] = (
    Family(
        "moving-rules",
        "1",
        drift_card(
            "A rule over few values (a sum of two of three, or a digit of seven of 24 lamps) whose "
            "values are exchanged every 60 to 400 samples.",
            "SEA and LED (river, BSD-3), drawn anew",
            LATEST,
        ),
        moving_rules,
        "drift",
    ),
    Family(
        "radial-motion",
        "1",
        drift_card(
            "Fifteen to thirty centres of four to six classes, all moving at a steady pace.",
            "RandomRBFDrift (river, BSD-3), which no search family draws",
            "There is no moment of drift to detect: detectors are of no use. " + LATEST,
        ),
        radial_motion,
        "drift",
        sealed_only=True,
    ),
)
