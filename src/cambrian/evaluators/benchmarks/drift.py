"""Streams whose concept drifts, from river's generators and tables: predict, then be told.

Generators: SEA (Street & Kim 2001), STAGGER (Schlimmer & Granger 1986), LED (Breiman et al. 1984),
a moving radial basis (Bifet et al. 2009) and a rotating hyperplane (Hulten et al. 2001), as river
has them (Montiel et al. 2021, arXiv 2012.04740). Columns change places and labels are renamed per
seed, so that code cannot carry knowledge of a generator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.benchmarks.base import (
    AHEAD_SERIES,
    Benchmark,
    Bounds,
    Card,
    Outcome,
    generator,
)
from cambrian.evaluators.data import Floats, Labels, tables
from cambrian.evaluators.protocols.prequential import Series, run_series
from cambrian.sandbox.session.learner_channel import LearnerChannel

BATCH, SMOKE_SAMPLES = 10, 200

Sample = tuple[dict[Any, Any], Any]
Draw = Callable[[int, np.random.Generator, bool], Series]
"""How a stream is made: (samples, chance, drifting) → the series; not drifting, it stays with its
first concept, for the oracle that the ceiling is."""


@dataclass(frozen=True)
class DriftStream(Benchmark):
    """A prequential benchmark from a declaration.

    Attributes:
        draw: makes the stream of a seed.
        inputs, outputs: values of one input, classes.
        samples: the length of the stream.
        drifting: False for the oracle's stream.
        needs: the data sources that it takes.
    """

    name: str
    version: str
    card: Card
    draw: Draw
    inputs: int
    outputs: int
    samples: int = 5000
    needs: tuple[str, ...] = ()
    drifting: bool = True
    bounds: Bounds = field(default_factory=Bounds)
    sealed_only: bool = False

    def stream(self, stage: str) -> TaskSpec:
        """Vectors (inputs,), predicted before their labels are revealed; boundaries are not
        revealed."""
        return TaskSpec(
            "classification",
            (self.inputs,),
            self.outputs,
            observations=self._samples(stage),
            batch_size=BATCH,
        )

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        """Predict and learn the whole series, `BATCH` rows at a time (`run_series`)."""
        return run_series(channel, self.series(stage, seed), BATCH)

    def series(self, stage: str, seed: int) -> Series:
        """The stream of a seed, labels included: trusted side only."""
        rng = generator(self.name, stage, seed)
        columns, naming = rng.permutation(self.inputs), rng.permutation(self.outputs)
        made = self.draw(self._samples(stage), rng, self.drifting)
        return Series(
            np.ascontiguousarray(made.x[:, columns], dtype=np.float32), naming[made.y], made.drifts
        )

    def _samples(self, stage: str) -> int:
        return SMOKE_SAMPLES if stage == "smoke" else self.samples


def taken(source: Iterable[Sample], count: int) -> tuple[Floats, Labels]:
    """The next `count` samples of a river stream, x (count, columns), y (count,)."""
    rows = list(islice(iter(source), count))
    x = np.array([list(row.values()) for row, _ in rows], dtype=np.float32)
    return x, np.array([int(y) for _, y in rows], dtype=np.int64)


def seed_of(rng: np.random.Generator) -> int:
    """A seed for a river generator."""
    return int(rng.integers(2**31))


def by_concepts(
    samples: int, every: int, order: Iterable[int], make: Callable[[int], Any], drifting: bool
) -> Series:
    """Concepts one after the other, `every` samples each; `make(concept)` gives its samples."""
    starts = range(0, samples, every)
    concepts = [concept if drifting else 0 for concept, _ in zip(order, starts, strict=False)]
    streams = {concept: iter(make(concept)) for concept in sorted(set(concepts))}
    parts = [taken(streams[concept], every) for concept in concepts]
    x, y = (np.concatenate([part[side] for part in parts])[:samples] for side in (0, 1))
    return Series(x, y, list(starts)[1:] if drifting else ())


def balanced(source: Iterable[Sample], seed: int) -> Iterator[Sample]:
    """The samples of a stream of two classes, so that each is as likely to come next."""
    chance, wanted = np.random.default_rng(seed), 0
    for row, label in source:
        if int(label) == wanted:
            yield row, label
            wanted = int(chance.integers(2))


def recurring(concepts: int, count: int, rng: np.random.Generator) -> list[int]:
    """`count` concepts drawn anew, none twice in a row."""
    found = [int(rng.integers(concepts))]
    while len(found) < count:
        found.append(int((found[-1] + rng.integers(1, concepts)) % concepts))
    return found


def stagger(samples: int, rng: np.random.Generator, drifting: bool, every: int = 40) -> Series:
    """STAGGER's three rules over size, colour and shape (one-hot), recurring."""
    from river.datasets import synth

    seeds = [seed_of(rng) for _ in range(3)]
    made = by_concepts(
        samples,
        every,
        recurring(3, -(-samples // every), rng),
        lambda concept: synth.STAGGER(concept, seed=seeds[concept], balance_classes=True),
        drifting,
    )
    one_hot = np.eye(3, dtype=np.float32)[made.x.astype(int)].reshape(len(made.x), 9)
    return Series(one_hot, made.y, made.drifts)


def sea(samples: int, rng: np.random.Generator, drifting: bool, every: int = 50) -> Series:
    """SEA's four thresholds on the sum of two of three values, recurring; no noise, as many of
    one class as of the other. Which two count changes too, and which values are mirrored: with
    thresholds alone, who never adapts is right three times in four."""
    from river.datasets import synth

    seeds = [seed_of(rng) for _ in range(4)]
    order = recurring(4, -(-samples // every), rng)
    made = by_concepts(
        samples,
        every,
        order,
        lambda concept: balanced(synth.SEA(concept, seed=seeds[concept]), seeds[concept]),
        drifting,
    )
    x = exchanged((made.x - 5) / 2.9, made.drifts, rng)
    for start in made.drifts:
        x[start:] *= rng.choice((-1, 1), 3).astype(np.float32)
    return Series(x, made.y, made.drifts)


def led(samples: int, rng: np.random.Generator, drifting: bool, every: int = 250) -> Series:
    """A seven-segment display with 17 idle lamps, one lamp in twenty wrong; every so often the
    wires to all lamps are exchanged (river's LEDDrift exchanges some, once)."""
    from river.datasets import synth

    source = synth.LED(seed=seed_of(rng), noise_percentage=0.05, irrelevant_features=True)
    x, y = taken(source, samples)
    drifts = range(every, samples, every) if drifting else range(0)
    return Series(exchanged(2 * x - 1, drifts, rng), y, drifts)


def radial(samples: int, rng: np.random.Generator, drifting: bool) -> Series:
    """Thirty centres of five classes in ten dimensions, all of them on the move."""
    from river.datasets import synth

    source = synth.RandomRBFDrift(
        seed_of(rng),
        seed_of(rng),
        n_classes=5,
        n_features=10,
        n_centroids=30,
        change_speed=0.006 if drifting else 0.0,
        n_drift_centroids=30,
    )
    x, y = taken(source, samples)
    return Series((x - 0.5) * 3, y)


def hyperplane(samples: int, rng: np.random.Generator, drifting: bool, every: int = 100) -> Series:
    """Which side of a plane in ten dimensions, whose weights wander; every so often half of the
    dimensions are mirrored."""
    from river.datasets import synth

    source = synth.Hyperplane(
        seed=seed_of(rng),
        n_features=10,
        n_drift_features=10 if drifting else 0,
        mag_change=0.02 if drifting else 0.0,
        noise_percentage=0.0,
        sigma=0.3 if drifting else 0.0,
    )
    x, y = taken(source, samples)
    x = (x - 0.5) * 3.4
    drifts = range(every, samples, every) if drifting else range(0)
    for start in drifts:
        x[start:, rng.permutation(10)[:5]] *= -1
    return Series(x, y, drifts)


def gradual(samples: int, rng: np.random.Generator, drifting: bool, every: int = 500) -> Series:
    """Radial bases of ten concepts, each giving way to the next over some 150 samples, by river's
    ConceptDriftStream."""
    from river.datasets import synth

    count = -(-samples // every) if drifting else 1
    concepts = [
        synth.RandomRBF(seed_of(rng), seed_of(rng), n_classes=5, n_features=10, n_centroids=20)
        for _ in range(count)
    ]
    stream: Any = concepts.pop()
    while concepts:  # from the last to the first: each drifts into all that follow it
        stream = synth.ConceptDriftStream(
            concepts.pop(), stream, position=every, width=150, seed=seed_of(rng)
        )
    x, y = taken(stream, samples)
    return Series((x - 0.5) * 3, y, range(every, samples, every) if drifting else ())


TABLES = ("image-segments", "phishing", "bananas", "yeast", "shuttle")


def in_turn(samples: int, rng: np.random.Generator, drifting: bool, every: int = 100) -> Series:
    """Rows of five real tables, a hundred of one and then of another, through a projection of
    each table's own; its classes have other names whenever it comes back. Not drifting, the names
    stay and the rows come in random order."""
    order = recurring(len(TABLES), -(-samples // every), rng)
    names = [rng.permutation(7) for _ in TABLES]
    matrices = [
        rng.normal(
            0, tables.ordered(name).x.shape[1] ** -0.5, (tables.ordered(name).x.shape[1], 20)
        )
        for name in TABLES
    ]
    parts = []
    for number in order:
        part = tables.ordered(TABLES[number])
        rows = rng.integers(0, len(part.y), every)
        named = rng.permutation(7) if drifting else names[number]
        parts.append((part.x[rows] @ matrices[number], named[part.y[rows]]))
    x, y = (np.concatenate([part[side] for part in parts])[:samples] for side in (0, 1))
    if drifting:
        return Series(x, y, range(every, samples, every))
    mixed = rng.permutation(samples)
    return Series(x[mixed], y[mixed])


def exchanged(x: Floats, drifts: Iterable[int], rng: np.random.Generator) -> Floats:
    """x (N, columns), the columns of all rows from each drift on in an order drawn anew."""
    x = x.copy()
    for start in drifts:
        x[start:] = x[start:][:, rng.permutation(x.shape[1])]
    return x


def _card(task: str, origin: str, ceiling: str, reference: str, shortcuts: str) -> Card:
    return Card(
        f"{task} Ten samples at a time: predict, then learn the labels. Nothing announces a drift.",
        f"{origin} (river, BSD-3), 5,000 samples drawn anew for each seed; columns change places "
        "and labels are renamed per seed.",
        "Every label until the prediction has been made; when and how the stream drifts.",
        "Plain online learning at the best constant learning rate of a grid.",
        f"An oracle: the {ceiling} seed agent on the same stream without its drift.",
        f"{shortcuts} {AHEAD_SERIES}",
        reference,
    )


def _stream(
    name: str, draw: Draw, sizes: tuple[int, int], agent: str, card: Card, **more: Any
) -> DriftStream:
    """A drift stream whose ceiling is a seed agent on the same stream without drift."""
    close = more.pop("close", "")
    made = DriftStream(name, "1", card, draw, *sizes, **more)
    oracle = replace(made, drifting=False)
    return replace(made, bounds=Bounds(ceiling=agent, oracle=oracle, close=close))


LATEST = "A learner that keeps only what is latest loses nothing but what comes back."

DRIFTS: tuple[DriftStream, ...] = (
    _stream(
        "stagger-drift",
        stagger,
        (9, 2),
        "random_features",
        _card(
            "Three rules over size, colour and shape take turns every 40 samples.",
            "STAGGER, balanced",
            "random_features",
            "After Schlimmer & Granger 1986; no figure for networks.",
            "Twenty-seven inputs only: a table of them, cleared often, does well. " + LATEST,
        ),
    ),
    _stream(
        "sea-drift",
        sea,
        (3, 2),
        "replay",
        _card(
            "Whether two of three values exceed a threshold in sum; every 50 samples the "
            "threshold, the two values and which of them are mirrored change.",
            "SEA without noise, balanced",
            "replay",
            "After Street & Kim 2001, whose concepts drift rarely; no figure for ours.",
            LATEST,
        ),
    ),
    _stream(
        "led-drift",
        led,
        (24, 10),
        "random_features",
        _card(
            "A digit from seven lamps among 24; every 250 samples all wires are exchanged.",
            "LED, one lamp in twenty wrong",
            "random_features",
            "At one lamp in ten wrong, 0.74 is the best there is (Breiman et al. 1984, as reported "
            "by the manual of the R package gencve).",
            LATEST,
        ),
    ),
    _stream(
        "radial-drift",
        radial,
        (10, 5),
        "random_features",
        _card(
            "Thirty centres of five classes, all moving at a steady pace.",
            "RandomRBFDrift at speed 0.006",
            "random_features",
            "After Bifet et al. 2009, with fewer and faster centres; no figure for ours.",
            "There is no moment of drift to detect: detectors are of no use. " + LATEST,
        ),
    ),
    _stream(
        "hyperplane-drift",
        hyperplane,
        (10, 2),
        "replay",
        _card(
            "Which side of a wandering plane; every 100 samples half of the dimensions are "
            "mirrored.",
            "Hyperplane, all ten weights drifting",
            "replay",
            "Hulten et al. 2001 rotate the plane slowly; the mirroring is ours.",
            LATEST,
        ),
        close="two classes, so chance is 0.5, and a plane that is soon found again",
    ),
    _stream(
        "gradual-drift",
        gradual,
        (10, 5),
        "random_features",
        _card(
            "Ten concepts of five classes, each giving way to the next over some 150 samples.",
            "ConceptDriftStream over RandomRBF",
            "random_features",
            "None for this sequence.",
            LATEST,
        ),
        close="each concept lasts 500 samples and is soon learned anew",
    ),
    _stream(
        "table-drift",
        in_turn,
        (20, 7),
        "random_features",
        _card(
            "Rows of five real tables (image segments, web pages, points, genes, a shuttle's "
            "states), 100 of one and then of another; the tables come back, their classes under "
            "other names.",
            "Real rows (the same in search and sealed runs, drawn by other seeds) through a random "
            "projection of each table's own",
            "random_features",
            "None for this sequence.",
            "Two of the tables have one class in most of their rows.",
        ),
        needs=TABLES,
        close="the tables are noisy: even without drift 0.84 of the answers are right",
    ),
)
