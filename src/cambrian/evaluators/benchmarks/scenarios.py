"""A scenario: a source of data × how it is split × what the learner is told of it.

The modes are those of Wang et al. 2024, "A Comprehensive Survey of Continual Learning" (arXiv
2302.00487, table 1) and van de Ven, Tuytelaars & Tolias 2022, "Three types of incremental
learning".
What may not be known is not sent: no flag asks a learner to look away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators import data
from cambrian.evaluators.benchmarks.base import PROBE_IMAGES, Bounds, Card
from cambrian.evaluators.benchmarks.blurry_digits import blurred
from cambrian.evaluators.data import Floats, Labels, Part
from cambrian.evaluators.protocols.tasks import EvaluationProtocol, Task, TaskStream, shuffled

BATCH, SMOKE_SAMPLES, REVEAL = 32, 64, 160
SEARCH_TEST = 200

View = Callable[[Floats], Floats]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Mode:
    """What a learner is told.

    Attributes:
        identity: the task's number comes with what it observes and with what it is asked.
        boundaries: `task_boundary()` is called when a task has ended.
        horizon: how many samples are to come.
        once: samples are revealed a few batches at a time and taken back, so that only what a
            learner stored can be seen again.
        means: in words, for cards.
    """

    name: str
    identity: bool
    boundaries: bool
    horizon: bool
    once: bool
    means: str


MODES: dict[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode("task-incremental", True, True, True, False,
             "The task is named, when learning and when asked; boundaries and length are told."),
        Mode("domain-incremental", False, True, True, False,
             "The inputs change and the labels stay; boundaries and length are told, tasks are "
             "not named."),
        Mode("class-incremental", False, True, True, False,
             "Classes arrive and never come back; boundaries and length are told, tasks are not "
             "named."),
        Mode("instance-incremental", False, False, True, True,
             "New instances of known classes arrive under new conditions, each once; only the "
             "length is told."),
        Mode("online", False, True, True, True,
             "Classes arrive and every sample is revealed once; boundaries and length are told."),
        Mode("task-free", False, False, False, True,
             "Classes arrive and every sample is revealed once; nothing is told, not even how "
             "much is to come."),
        Mode("blurred", False, False, True, True,
             "Classes come and go gradually, every sample once; only the length is told."),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """One task's rows of the training and test parts, the label that each class is sent as, how
    its inputs are seen, and (where the order matters) the order of the training rows."""

    train: Rows
    test: Rows
    names: Labels
    view: View = lambda x: x
    ordered: bool = False


class Split(Protocol):
    """How a source becomes tasks."""

    @property
    def tasks(self) -> int:
        """How many tasks the stream is cut into."""

    @property
    def outputs(self) -> int:
        """How many outputs the learner has."""

    def pieces(
        self, train: Part, test: Part, samples: int, rng: np.random.Generator
    ) -> list[Piece]:
        """The tasks, `samples` training rows each."""


@dataclass(frozen=True)
class Groups:
    """Each task has classes of its own, `per_task` of them.

    `within`: labels are 0..per_task−1 in every task, which class is which drawn anew; else each
    class has a label of its own.
    """

    classes: int
    per_task: int
    within: bool = False

    @property
    def tasks(self) -> int:
        """Its classes, `per_task` at a time."""
        return self.classes // self.per_task

    @property
    def outputs(self) -> int:
        """One for each class, or `per_task` where labels are counted within a task."""
        return self.per_task if self.within else self.classes

    def pieces(
        self, train: Part, test: Part, samples: int, rng: np.random.Generator
    ) -> list[Piece]:
        """A random group of classes for each task, with random names."""
        order = rng.permutation(self.classes)[: self.tasks * self.per_task]
        naming = rng.permutation(self.classes)
        found = []
        for group in order.reshape(self.tasks, self.per_task):
            names = naming
            if self.within:
                names = np.zeros(self.classes, dtype=np.int64)
                names[group] = np.arange(self.per_task)
            learn, judge = (np.flatnonzero(np.isin(p.y, group)) for p in (train, test))
            found.append(Piece(rng.permutation(learn)[:samples], rng.permutation(judge), names))
        return found


@dataclass(frozen=True)
class Views:
    """Every task has all classes, seen in a way of its own.

    `draw` makes the views of a stream; each task has instances of its own as far as there are
    enough (`samples` each), else they are drawn again.
    """

    classes: int
    tasks: int
    draw: Callable[[int, np.random.Generator], list[View]]

    @property
    def outputs(self) -> int:
        """One for each class, in whatever view."""
        return self.classes

    def pieces(
        self, train: Part, test: Part, samples: int, rng: np.random.Generator
    ) -> list[Piece]:
        """All classes in each task, in a view that `draw` makes for it; images are not reused
        before all were shown."""
        naming = rng.permutation(self.classes)
        views = self.draw(self.tasks, rng)
        passes = -(-samples * self.tasks // len(train.y))
        learn = np.concatenate([rng.permutation(len(train.y)) for _ in range(passes)])
        return [
            Piece(
                learn[number * samples : (number + 1) * samples],
                rng.permutation(len(test.y)),
                naming,
                view,
            )
            for number, view in enumerate(views)
        ]


@dataclass(frozen=True)
class Blurred:
    """One long task in which each class has a moment, its samples spread around it."""

    classes: int
    width: float = 0.05
    tasks: int = 1

    @property
    def outputs(self) -> int:
        """One for each class."""
        return self.classes

    def pieces(
        self, train: Part, test: Part, samples: int, rng: np.random.Generator
    ) -> list[Piece]:
        """One piece, whose rows go gradually from class to class (`blurred`)."""
        naming = rng.permutation(self.classes)
        rows = blurred(train.y, samples, rng, self.classes, self.width)
        return [Piece(rows, np.arange(len(test.y)), naming, ordered=True)]


@dataclass(frozen=True)
class Scenario(TaskStream):
    """A benchmark from a declaration.

    Attributes:
        source: a name of `cambrian.evaluators.data`.
        shape: of one input, after `prepare`.
        samples: training samples a task, before repeats.
        tested: test inputs a task, at most.
        prepare: what is done to every input (None: nothing).
        scramble: the values of an input change places, the same for the whole stream (where they
            have no spatial meaning).
        noise_labels: labels are drawn at random, so that there is nothing to learn (a control).
    """

    name: str
    version: str
    card: Card
    source: str
    mode: Mode
    split: Split
    shape: tuple[int, ...]
    samples: int
    epochs: int = 1
    probe_every: int = 10
    tested: int = SEARCH_TEST
    prepare: View | None = None
    scramble: bool = False
    noise_labels: bool = False
    bounds: Bounds = field(default_factory=Bounds)
    sealed_only: bool = False
    protocol: EvaluationProtocol = field(init=False)

    def __post_init__(self) -> None:
        mode = self.mode
        protocol = EvaluationProtocol(
            BATCH,
            self.probe_every,
            mode.boundaries,
            reveal=REVEAL if mode.once else 0,
            identity=mode.identity,
        )
        object.__setattr__(self, "protocol", protocol)

    @property
    def needs(self) -> tuple[str, ...]:
        """The one data set that it is made of."""
        return (self.source,)

    def stream(self, stage: str) -> TaskSpec:
        """What its mode reveals: task identity, boundaries, and how many observations are to
        come."""
        total = self._samples(stage) * self.split.tasks * self.epochs
        return TaskSpec(
            "classification",
            self.shape,
            self.split.outputs,
            task_identity=self.mode.identity,
            boundaries=self.mode.boundaries,
            observations=total if self.mode.horizon else 0,
            batch_size=BATCH,
        )

    def images(self) -> data.Images:
        """The set that its pieces are rows of."""
        return data.source(self.source).load()

    def tasks(self, stage: str, rng: np.random.Generator) -> list[Task]:
        found = self.images()
        train, test = found.train, found.held_out(stage)
        pieces = self.split.pieces(train, test, self._samples(stage), rng)
        values = rng.permutation(int(np.prod(self.shape))) if self.scramble else None
        return [self._task(piece, train, test, values, rng) for piece in pieces]

    def _task(
        self,
        piece: Piece,
        train: Part,
        test: Part,
        values: Labels | None,
        rng: np.random.Generator,
    ) -> Task:
        judged = piece.test[: self.tested * (1 if self.split.tasks > 1 else 10)]
        names = [piece.names[part.y[rows]] for part, rows in ((train, piece.train), (test, judged))]
        if self.noise_labels:
            names = [rng.integers(0, self.split.outputs, len(y)) for y in names]
        count = len(piece.train)
        order = np.arange(count) if piece.ordered else shuffled(count, self.epochs, rng)
        return Task(
            self._inputs(train.rows(piece.train), piece.view, values),
            names[0],
            order,
            self._inputs(test.rows(judged), piece.view, values),
            names[1],
            min(PROBE_IMAGES // self.split.tasks, len(judged)),
        )

    def _inputs(self, x: Floats, view: View, values: Labels | None) -> Floats:
        x = view(self.prepare(x) if self.prepare else x)
        return np.ascontiguousarray(data.permuted(x, values) if values is not None else x)

    def _samples(self, stage: str) -> int:
        return min(SMOKE_SAMPLES, self.samples) if stage == "smoke" else self.samples
