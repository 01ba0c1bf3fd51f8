"""Families of tasks that come one after the other: classes, domains, blur, imbalance, noise."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from cambrian.evaluators.benchmarks.base import AHEAD_ONLINE, AHEAD_PROBED, Bounds, Card
from cambrian.evaluators.benchmarks.scenarios import (
    MODES,
    Blurred,
    Groups,
    Piece,
    Scenario,
    Split,
    Views,
)
from cambrian.evaluators.benchmarks.streams import FLOOR, JOINT
from cambrian.evaluators.data import Images, Part
from cambrian.evaluators.families.base import Family, Stream, between, pick
from cambrian.evaluators.families.cards import card
from cambrian.evaluators.families.sources import (
    IMAGES,
    MNIST,
    NO_VEIL,
    SEGMENTS,
    SERIES,
    SETS,
    Origin,
    Veil,
    clusters,
    veil,
)
from cambrian.evaluators.protocols.tasks import Task
from cambrian.evaluators.protocols.views import corruptions, permutations, rotations

STEPS = 150
"""Batches of a stream, about: so many keep replay under half a second."""

BATCH, TESTED = 32, 100
VEILS = ((False, 0.0), (True, 1.5), (True, 1.5), (True, 3.0), (True, 3.0))


@dataclass(frozen=True)
class Noisy(Scenario):
    """A scenario on a source of families, some of whose training labels are wrong.

    Attributes:
        held: the source.
        veil: what is laid over its inputs.
        label_noise: the share of training samples whose label is drawn at random.
    """

    held: Origin = MNIST
    veil: Veil = NO_VEIL
    label_noise: float = 0.0

    def images(self) -> Images:
        """The set, in the shape of families."""
        return self.held.load()

    def tasks(self, stage: str, rng: np.random.Generator) -> list[Task]:
        """The tasks, answers included: trusted side only."""
        found = super().tasks(stage, rng)
        for task in found:
            wrong = rng.random(len(task.train_y)) < self.label_noise
            task.train_y[wrong] = rng.integers(0, self.split.outputs, int(wrong.sum()))
        return [self._veiled(task, rng) for task in found]

    def _veiled(self, task: Task, rng: np.random.Generator) -> Task:
        mean = task.train_x.mean(0)
        train, test = (self.veil.over(x, mean, rng) for x in (task.train_x, task.test_x))
        return replace(task, train_x=train, test_x=test)

    @property
    def needs(self) -> tuple[str, ...]:
        """The one data set that it is made of; none for made-up data."""
        return (self.held.name,) if self.held.name else ()


@dataclass(frozen=True)
class Uneven:
    """A split some of whose classes are rare: the rarest has a `ratio`-th of the chance of the
    most frequent (long-tailed, as in Cui et al. 2019, arXiv 1901.05555); tests stay even."""

    inner: Split
    classes: int
    ratio: float

    @property
    def tasks(self) -> int:
        """As the inner split has them."""
        return self.inner.tasks

    @property
    def outputs(self) -> int:
        """As the inner split has them."""
        return self.inner.outputs

    def pieces(
        self, train: Part, test: Part, samples: int, rng: np.random.Generator
    ) -> list[Piece]:
        """The inner split's tasks, their rows (samples,) drawn again by the chance of a class."""
        share = self.ratio ** -(rng.permutation(self.classes) / (self.classes - 1))
        found = []
        for piece in self.inner.pieces(train, test, len(train.y), rng):
            chance = share[train.y[piece.train]]
            rows = rng.choice(piece.train, samples, p=chance / chance.sum())
            found.append(Piece(rows, piece.test, piece.names, piece.view, piece.ordered))
        return found


def classes_in_turn(family: Family, rng: np.random.Generator) -> Stream:
    """Class-incremental: a few classes at a time, some passes over each."""
    held = _origin(rng)
    per_task = int(pick(rng, 1, 2, 3)) if held.classes > 6 else int(pick(rng, 1, 2))
    mode = pick(rng, "class-incremental", "online", "task-free")
    noise = float(pick(rng, 0.0, 0.0, 0.1, 0.2))
    split = Groups(held.classes, per_task)
    return _scenario(family, rng, held, split, mode, label_noise=noise)


def _origin(rng: np.random.Generator) -> Origin:
    origin: Origin = pick(rng, *IMAGES, SEGMENTS, clusters(rng), clusters(rng))
    return origin


def rare_classes(family: Family, rng: np.random.Generator) -> Stream:
    """Class-incremental, some classes many times rarer than others."""
    held = _origin(rng)
    per_task, ratio = int(pick(rng, 2, 3)), between(rng, 4, 20)
    split = Uneven(Groups(held.classes, per_task), held.classes, ratio)
    mode = pick(rng, "class-incremental", "online")
    return _scenario(family, rng, held, split, mode, imbalance=ratio)


def blurry_classes(family: Family, rng: np.random.Generator) -> Stream:
    """Classes that come and go gradually, every sample once."""
    held = _origin(rng)
    width = between(rng, 0.02, 0.08)
    return _scenario(family, rng, held, Blurred(held.classes, width), "blurred", blur=width)


def domains_in_turn(family: Family, rng: np.random.Generator) -> Stream:
    """Domain-incremental: all classes in each task, permuted or turned."""
    held: Origin = pick(rng, *IMAGES[:2])
    tasks, way = int(rng.integers(3, 7)), pick(rng, "permuted", "turned")
    step = float(pick(rng, 30.0, 45.0, 60.0))
    draw = permutations if way == "permuted" else functools.partial(rotations, step)
    split = Views(held.classes, tasks, draw)
    told = {"views": way} | ({"degrees": step} if way == "turned" else {})
    return _scenario(family, rng, held, split, "domain-incremental", **told)


def sessions_in_turn(family: Family, rng: np.random.Generator) -> Stream:
    """Instance-incremental: sessions of the same classes, each under a condition of its own."""
    held: Origin = pick(rng, *IMAGES[:2])
    split = Views(held.classes, int(rng.integers(4, 9)), corruptions)
    return _scenario(family, rng, held, split, "instance-incremental")


def series_in_turn(family: Family, rng: np.random.Generator) -> Stream:
    """Sealed: class-incremental on series, which no search draws, from one to five at a time."""
    split = Groups(10, int(pick(rng, 1, 2, 5)))
    mode = pick(rng, "class-incremental", "online")
    return _scenario(family, rng, SERIES, split, mode)


def turned_further(family: Family, rng: np.random.Generator) -> Stream:
    """Sealed: more and other domains than a search draws (eight to ten turns of 15° to 20°)."""
    step, tasks = float(pick(rng, 15.0, 18.0, 20.0)), int(rng.integers(8, 11))
    split = Views(10, tasks, functools.partial(rotations, step))
    held: Origin = pick(rng, *IMAGES[:2])
    return _scenario(family, rng, held, split, "domain-incremental", degrees=step)


def _scenario(
    family: Family,
    rng: np.random.Generator,
    held: Origin,
    split: Split,
    mode: str,
    label_noise: float = 0.0,
    **told: float | str,
) -> Stream:
    """A stream of about `STEPS` batches: samples a task and passes follow from what there is."""
    steps = int(rng.integers(STEPS * 2 // 3, STEPS * 4 // 3))
    total = steps * BATCH
    epochs = 1 if MODES[mode].once else int(pick(rng, 1, 2, 4))
    there = len(held.load().train.y)
    limit = int(0.8 * there * split.per_task / held.classes) if isinstance(split, Groups) else total
    samples = min(total // split.tasks // epochs, limit)
    scramble = not held.spatial or bool(rng.integers(2))
    over = veil(rng, held, VEILS)
    bench = Noisy(
        name=family.name,
        version=family.version,
        card=family.card,
        source=held.name,
        mode=MODES[mode],
        split=split,
        shape=held.shape,
        samples=samples,
        epochs=epochs,
        probe_every=max(10, samples * epochs // BATCH // 2),
        tested=TESTED,
        scramble=scramble,
        bounds=Bounds(),
        sealed_only=family.sealed_only,
        held=held,
        veil=over,
        label_noise=label_noise,
    )
    draws = {
        "source": held.name or "clusters",
        **over.draws,
        "mode": mode,
        "tasks": split.tasks,
        "outputs": split.outputs,
        "samples": samples,
        "epochs": epochs,
        "scrambled": scramble,
        "label_noise": label_noise,
    }
    return Stream(bench, draws | told)


def _card(task: str, origin: str, shortcut: str, ahead: str) -> Card:
    return card(
        f"{task} {PASSES}",
        origin,
        "All test labels; test inputs of a task until it starts; tasks to come; what the mode "
        "does not tell.",
        FLOOR,
        JOINT,
        f"{shortcut} {ahead}",
    )


PASSES = (
    "About 100 to 200 batches of 32; one to four passes where samples are not revealed once. In "
    "half of the streams the values of an input change places."
)
FROZEN = (
    "Where there is no veil and no cluster, frozen random features with a streaming linear "
    "discriminant and a store with nearest neighbours do well."
)
FIVE = (
    "mnist-5k pooled, digits framed or textures as 14×14, image-segments as rows of 20 values, or "
    "made-up clusters"
)

CONTINUAL: tuple[Family, ...] = (
    Family(
        "classes-in-turn",
        "1",
        _card(
            "Class-incremental, one to three classes at a time; boundaries and length may be told "
            "or not; none, a tenth or a fifth of the training labels are wrong.",
            FIVE,
            FROZEN,
            AHEAD_PROBED,
        ),
        classes_in_turn,
        "continual",
        SETS,
    ),
    Family(
        "rare-classes",
        "1",
        _card(
            "Class-incremental, two or three classes at a time; the rarest has from a fourth to a "
            "twentieth of the chance of the most frequent. Tests are even.",
            FIVE,
            FROZEN,
            AHEAD_PROBED,
        ),
        rare_classes,
        "continual",
        SETS,
    ),
    Family(
        "blurry-classes",
        "1",
        _card(
            "Classes come and go gradually, each around a moment of its own (a Gaussian of 0.02 to "
            "0.08 of the stream); every sample once, only the length is told.",
            FIVE,
            FROZEN,
            AHEAD_ONLINE,
        ),
        blurry_classes,
        "continual",
        SETS,
    ),
    Family(
        "domains-in-turn",
        "1",
        _card(
            "Domain-incremental: ten digits in three to six domains, permuted or turned by steps "
            "of 30°, 45° or 60°.",
            "mnist-5k pooled, digits framed, as 14×14",
            "A small learning rate forgets less; the floor is at the best constant one.",
            AHEAD_PROBED,
        ),
        domains_in_turn,
        "continual",
        ("mnist-5k", "digits"),
    ),
    Family(
        "sessions-in-turn",
        "1",
        _card(
            "Instance-incremental: ten digits in four to eight sessions, each under a condition of "
            "its own (inverted, turned, noisy, faint, blurred, shifted, mirrored), every sample "
            "once; only the length is told.",
            "mnist-5k pooled, digits framed, as 14×14",
            "A small learning rate forgets less; the floor is at the best constant one.",
            AHEAD_ONLINE,
        ),
        sessions_in_turn,
        "continual",
        ("mnist-5k", "digits"),
    ),
    Family(
        "series-in-turn",
        "1",
        _card(
            "Class-incremental on series of 40 values, one, two or five classes at a time.",
            "mnist1d, which no search family draws",
            "Random features do less well than on images.",
            AHEAD_PROBED,
        ),
        series_in_turn,
        "continual",
        ("mnist1d",),
        sealed_only=True,
    ),
    Family(
        "turned-further",
        "1",
        _card(
            "Domain-incremental: ten digits in eight to ten domains, turned by steps of 15° to "
            "20°: more and finer than any search draws.",
            "mnist-5k pooled, digits framed, as 14×14",
            "A small learning rate forgets less; the floor is at the best constant one.",
            AHEAD_PROBED,
        ),
        turned_further,
        "continual",
        ("mnist-5k", "digits"),
        sealed_only=True,
    ),
)
