"""Families of small tasks: learned from whole, then judged on classes that were never seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators import metrics
from cambrian.evaluators.benchmarks.base import (
    AHEAD_EPISODES,
    Benchmark,
    Bounds,
    Card,
    Outcome,
    generator,
)
from cambrian.evaluators.benchmarks.meta.few_shot import Classes, turned
from cambrian.evaluators.data import Floats, Labels, Part, glyphs
from cambrian.evaluators.families.base import Draws, Family, Stream, pick
from cambrian.evaluators.families.cards import card
from cambrian.evaluators.families.sources import COLUMNS, DIGITS, MNIST, NO_VEIL, SIDE, Origin, Veil
from cambrian.evaluators.protocols.episodes import Episode, ask, learn, untouched
from cambrian.sandbox.session.learner_channel import LearnerChannel

VERBS = ("observe", "predict", "adapt")
QUERIES, TASKS, SMOKE_TASKS, EPISODES, SMOKE_EPISODES = 5, 120, 16, 40, 4
GLARES = (0.0, 1.5, 3.0)
EACH = 40
"""Examples of a class that is made up."""

Make = Callable[[str, np.random.Generator], Classes]


@dataclass(frozen=True)
class Shots(Benchmark):
    """N ways, K shots on new classes.

    Attributes:
        make: (stage, chance) → the classes of a seed: trusted side only.
        shape: of one input.
        ways, shots: classes of a small task, and examples of each.
        veil: what is laid over all inputs.
        seen: for the oracle: the classes judged by are learned from, over four times as many tasks.
    """

    name: str
    version: str
    card: Card
    make: Make
    shape: tuple[int, ...]
    ways: int
    shots: int
    veil: Veil = NO_VEIL
    seen: bool = False
    sealed_only: bool = False
    bounds: Bounds = field(default_factory=Bounds)

    def stream(self, stage: str) -> TaskSpec:
        """Small tasks of `ways` classes; episodic, with the support's size announced."""
        rows = self.ways * (self.shots + QUERIES)
        return TaskSpec(
            "classification",
            self.shape,
            self.ways,
            observations=self._tasks(stage) * rows,
            batch_size=rows,
            episodic=True,
            support=self.ways * self.shots,
        )

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        """Learn from whole tasks, then adapt a copy to each new one and ask it."""
        rng = generator(self.name, stage, seed)
        classes = self.make(stage, rng)
        count = SMOKE_EPISODES if stage == "smoke" else EPISODES
        learned = classes.test if self.seen else classes.train
        drawn = [self._drawn(learned, rng, mixed=True) for _ in range(self._tasks(stage))]
        episodes = [self._episode(classes.test, rng) for _ in range(count)]
        again = int(rng.integers(count))
        learn(channel, np.stack([x for x, _ in drawn]), np.stack([y for _, y in drawn]))
        with untouched(channel, episodes, again):
            support = self.ways * self.shots
            hits = [metrics.accuracy(ask(channel, e, support), e.query_y) for e in episodes]
        raw = float(np.mean(hits))
        return Outcome(raw, {"accuracy": raw}, {"episodes": np.array(hits, dtype=np.float32)})

    def _tasks(self, stage: str) -> int:
        return SMOKE_TASKS if stage == "smoke" else TASKS * (4 if self.seen else 1)

    def _drawn(
        self, classes: list[Floats], rng: np.random.Generator, *, mixed: bool
    ) -> tuple[Floats, Labels]:
        chosen = rng.choice(len(classes), self.ways, replace=False)
        each = self.shots + QUERIES
        rows = [classes[c][rng.choice(len(classes[c]), each, replace=False)] for c in chosen]
        x = np.stack(rows, 1).reshape(self.ways * each, *self.shape)
        x = self.veil.over(x, np.zeros(self.shape, dtype=np.float32), rng)
        y = np.tile(np.arange(self.ways), each)
        order = rng.permutation(len(y)) if mixed else np.arange(len(y))
        return x[order], y[order]

    def _episode(self, classes: list[Floats], rng: np.random.Generator) -> Episode:
        x, y = self._drawn(classes, rng, mixed=False)
        first = self.ways * self.shots
        order = first + rng.permutation(len(y) - first)
        return Episode(x[:first], y[:first], x[order], y[order])


def few_shot_turned(family: Family, rng: np.random.Generator) -> Stream:
    """Digits in four rotations; which are kept back changes with the seed."""
    held: Origin = pick(rng, MNIST, DIGITS)
    kept = int(rng.integers(3, 5))
    scramble = bool(rng.integers(2))

    def make(stage: str, rng: np.random.Generator) -> Classes:
        found, order = held.load(), rng.permutation(10)
        places = rng.permutation(SIDE * SIDE) if scramble else np.arange(SIDE * SIDE)
        return Classes(
            _turned(found.train, order[kept:], places),
            _turned(found.held_out(stage), order[:kept], places),
        )

    told = {"source": held.name, "kept_back": kept, "scrambled": scramble}
    return _stream(family, rng, make, (SIDE, SIDE), told)


def _turned(part: Part, classes: Labels, places: Labels) -> list[Floats]:
    found = [turned(part.x[part.y == c], quarter) for c in classes for quarter in range(4)]
    return [x.reshape(len(x), -1)[:, places].reshape(x.shape) for x in found]


def few_shot_clusters(family: Family, rng: np.random.Generator) -> Stream:
    """Made-up classes that differ in a few directions and vary in all the others."""
    inside, spread = int(rng.integers(3, 7)), float(pick(rng, 2.0, 3.0, 4.0))
    bent = bool(rng.integers(2))

    def make(stage: str, rng: np.random.Generator) -> Classes:
        basis, _ = np.linalg.qr(rng.normal(size=(COLUMNS, COLUMNS)))
        width = np.full(COLUMNS, spread)
        width[:inside] = 0.35

        def classes(count: int) -> list[Floats]:
            found = []
            for _ in range(count):
                rows = rng.normal(size=(EACH, COLUMNS)) * width
                rows[:, :inside] += rng.normal(size=inside)
                if bent:
                    rows[:, :inside] = np.sign(rows[:, :inside]) * np.sqrt(abs(rows[:, :inside]))
                found.append((rows @ basis / 2).astype(np.float32))
            return found

        return Classes(classes(40), classes(20))

    told = {"inside": inside, "spread": spread, "bent": bent}
    return _stream(family, rng, make, (COLUMNS,), told, veiled=False)


def few_shot_characters(family: Family, rng: np.random.Generator) -> Stream:
    """Sealed: characters in four rotations, which no search family draws."""

    def make(stage: str, rng: np.random.Generator) -> Classes:
        found = glyphs()
        parts = (found.train, found.held_out(stage))
        chosen = [rng.permutation(np.unique(part.y))[:60] for part in parts]
        places = np.arange(SIDE * SIDE)
        train, test = (_turned(p, c, places) for p, c in zip(parts, chosen, strict=True))
        return Classes(train, test)

    return _stream(family, rng, make, (SIDE, SIDE), {"source": "glyphs"})


def _stream(
    family: Family,
    rng: np.random.Generator,
    make: Make,
    shape: tuple[int, ...],
    told: Draws,
    *,
    veiled: bool = True,
) -> Stream:
    over = Veil(False, float(pick(rng, *GLARES)) if veiled else 0.0, int(rng.integers(2**31)))
    ways, shots = int(rng.integers(3, 7)), int(rng.integers(1, 6))
    bench = Shots(
        family.name,
        family.version,
        family.card,
        make,
        shape,
        ways,
        shots,
        over,
        sealed_only=family.sealed_only,
    )
    bench = replace(bench, bounds=Bounds(ceiling="protonet", oracle=replace(bench, seen=True)))
    return Stream(bench, {**told, **over.draws, "ways": ways, "shots": shots})


def _card(task: str, origin: str, shortcut: str) -> Card:
    return card(
        f"{task} Three to six ways, one to five shots; {TASKS} tasks to learn from, {EPISODES} to "
        "be judged by, labels named anew in each.",
        origin,
        "The labels of the queries; all inputs of the classes judged by, until their task.",
        "The finetune seed agent at the best rate of a grid: trained on all tasks mixed, then "
        "fine-tuned on the support set.",
        "The protonet seed agent where the classes judged by were learned from, over four times as "
        "many tasks.",
        f"{shortcut} {AHEAD_EPISODES}",
    )


SHOTS: tuple[Family, ...] = (
    Family(
        "few-shot-turned",
        "1",
        _card(
            "A class is a digit in one of four rotations; three or four digits are kept back.",
            "mnist-5k pooled or digits framed, as 14×14; in half of the streams pixels change "
            "places",
            "Nearest neighbours on pixels do well after five examples.",
        ),
        few_shot_turned,
        "few-shot",
        ("mnist-5k", "digits"),
        verbs=VERBS,
    ),
    Family(
        "few-shot-clusters",
        "1",
        _card(
            "Made-up classes of 20 values: they differ in three to six hidden directions, the same "
            "for the whole stream, and vary two to four times as much in all the others.",
            "drawn anew for each seed",
            "Nearest neighbours on the values are misled; who finds the directions is not.",
        ),
        few_shot_clusters,
        "few-shot",
        verbs=VERBS,
    ),
    Family(
        "few-shot-characters",
        "1",
        _card(
            "Characters of three scripts in sixteen faces and four rotations.",
            "glyphs, which no search family draws",
            "Nearest neighbours on pixels do well after five examples.",
        ),
        few_shot_characters,
        "few-shot",
        ("glyphs",),
        verbs=VERBS,
        sealed_only=True,
    ),
)
