"""Families in which only the newest task counts: can a network still learn after many?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.benchmarks.base import AHEAD, Bounds, Card
from cambrian.evaluators.benchmarks.plasticity import Plasticity
from cambrian.evaluators.benchmarks.streams import FLOOR
from cambrian.evaluators.families.base import Family, Stream, pick
from cambrian.evaluators.families.cards import card
from cambrian.evaluators.families.sources import IMAGES, NO_VEIL, SHAPES, Origin, Veil, veil
from cambrian.evaluators.protocols.tasks import Task, shuffled
from cambrian.evaluators.protocols.views import permutations

BATCH, TESTED = 32, 200
MANY, BARE = 12, ((False, 0.0),)
VEILS = ((False, 0.0), (False, 3.0), (True, 1.5), (True, 1.5), (True, 3.0))


@dataclass(frozen=True)
class Restless(Plasticity):
    """A plasticity stream on a source of families.

    Attributes:
        kind: "permuted" (values in another order in each task), "relabelled" (classes named anew
            in each task) or "warm" (as `Plasticity` has it).
        held: the source.
        veil: what is laid over its inputs.
        warm: how many times longer a start under random labels is learned than what follows.
    """

    held: Origin = IMAGES[0]
    warm: int = 8
    veil: Veil = NO_VEIL

    def stream(self, stage: str) -> TaskSpec:
        """As `Plasticity.stream`, in the shape of the source."""
        told = super().stream(stage)
        return replace(told, input_shape=self.held.shape, outputs=self.held.classes)

    def tasks(self, stage: str, rng: np.random.Generator) -> list[Task]:
        """The tasks, answers included: trusted side only."""
        found = self.held.load()
        test = found.held_out(stage)
        count, classes = self._tasks(stage), self.held.classes
        views, naming = permutations(count, rng), rng.permutation(classes)
        unused = rng.permutation(len(found.train.y))
        tasks = []
        for number in range(count):
            samples, epochs = self._size(number, stage)
            if len(unused) < samples:  # no image comes twice before all were shown
                unused = rng.permutation(len(found.train.y))
            mine, unused = unused[:samples], unused[samples:]
            held = rng.permutation(len(test.y))[:TESTED]
            if self.kind == "relabelled":
                naming = rng.permutation(classes)
            x, y = found.train.rows(mine), naming[found.train.y[mine]]
            test_x, test_y = test.rows(held), naming[test.y[held]]
            if self.kind == "permuted":
                x, test_x = views[number](x), views[number](test_x)
            if self.kind == "warm" and number == 0:
                y = rng.integers(0, classes, len(mine))
            order, mean = shuffled(len(mine), epochs, rng), x.mean(0)
            x, test_x = self.veil.over(x, mean, rng), self.veil.over(test_x, mean, rng)
            tasks.append(Task(x, y, order, test_x, test_y, 0))
        return tasks

    def _size(self, number: int, stage: str) -> tuple[int, int]:
        samples = min(self.samples, 64) if stage == "smoke" else self.samples
        return samples, self.epochs * (self.warm if self.kind == "warm" and not number else 1)


def short_tasks(family: Family, rng: np.random.Generator) -> Stream:
    """Many short tasks, each a permutation of its own."""
    held: Origin = pick(rng, *IMAGES)
    return _stream(family, rng, held, "permuted", int(rng.integers(6, 13)))


def renamed_tasks(family: Family, rng: np.random.Generator) -> Stream:
    """The same classes under other names in each task."""
    held: Origin = pick(rng, *IMAGES)
    return _stream(family, rng, held, "relabelled", int(rng.integers(6, 13)))


def wrong_starts(family: Family, rng: np.random.Generator) -> Stream:
    """A long start under random labels, then the real ones."""
    held: Origin = pick(rng, *IMAGES)
    return _stream(family, rng, held, "warm", 2)


def figure_tasks(family: Family, rng: np.random.Generator) -> Stream:
    """Sealed: more tasks than a search draws, on figures."""
    kind = pick(rng, "permuted", "relabelled")
    return _stream(family, rng, SHAPES, kind, int(rng.integers(13, 17)), (1,), BARE)


def _stream(
    family: Family,
    rng: np.random.Generator,
    held: Origin,
    kind: str,
    count: int,
    passes: tuple[int, ...] = (1, 2),
    veils: tuple[tuple[bool, float], ...] = VEILS,
) -> Stream:
    """A stream of about 150 batches (of 300, where there are many tasks)."""
    total = int(rng.integers(100, 200)) * BATCH * (1 if count <= MANY else 2)
    there = len(held.load().train.y)
    warm = int(pick(rng, 4, 8)) if kind == "warm" else 1
    if kind == "warm":
        samples = min(total // (warm + 1), int(0.45 * there))
        epochs = 1
    else:
        epochs = int(pick(rng, *passes))
        samples = min(total // count // epochs, there)
    counted, over = max(1, count // 2), veil(rng, held, veils)
    bench = Restless(
        family.name,
        family.version,
        family.card,
        kind,
        count,
        samples,
        epochs,
        counted,
        (held.name,),
        Bounds(ceiling="apart"),
        family.sealed_only,
        held,
        warm,
        over,
    )
    draws = {
        "source": held.name,
        **over.draws,
        "kind": kind,
        "tasks": count,
        "samples": samples,
        "epochs": epochs,
        "counted": counted,
        "warm": warm,
    }
    return Stream(bench, draws)


def _card(task: str, origin: str, shortcut: str, hidden: str = "") -> Card:
    return card(
        f"{task} About 100 to 200 batches of 32; boundaries are told. The score is the mean "
        "accuracy right after each task of the second half; none is asked for again.",
        origin,
        hidden
        or "All test labels; test inputs of a task until it has been learned; tasks to come.",
        FLOOR,
        "A fresh network of the same size for each task, trained to convergence.",
        f"{shortcut} {AHEAD}",
    )


THREE = "mnist-5k pooled, digits framed or textures, as 14×14"
SETS = ("mnist-5k", "digits", "textures")
AGAIN = "Forgetting everything at each boundary loses nothing here."

RESTLESS: tuple[Family, ...] = (
    Family(
        "short-tasks",
        "1",
        _card("Six to twelve short tasks, the values of the inputs in other places.", THREE, AGAIN),
        short_tasks,
        "plasticity",
        SETS,
    ),
    Family(
        "renamed-tasks",
        "1",
        _card("Six to twelve short tasks, the classes under other names in each.", THREE, AGAIN),
        renamed_tasks,
        "plasticity",
        SETS,
    ),
    Family(
        "wrong-starts",
        "1",
        _card(
            "Images under random labels, four to eight passes; then others under the real ones, "
            "one pass.",
            THREE,
            "Starting again at the boundary.",
        ),
        wrong_starts,
        "plasticity",
        SETS,
    ),
    Family(
        "figure-tasks",
        "1",
        _card(
            "Thirteen to sixteen short tasks, values in other places or classes under other names: "
            "more than any search draws, without a veil.",
            "shapes (noisy figures, 14×14, 6 classes), which no search family draws",
            AGAIN,
        ),
        figure_tasks,
        "plasticity",
        ("shapes",),
        sealed_only=True,
    ),
)
