"""Sequences in which networks stop learning: can the newest task still be learned?

Dohare et al. 2024 (Nature 632: permuted inputs), Lyle et al. 2023 (arXiv 2303.01486: memorising
random labels, task after task), Ash & Adams 2020 (arXiv 1910.08475: warm starts). Only the newest
task counts. What goes on inside the network (dormant units, ranks, weights) is told by the
learner's own process, so it is reported under "claimed_" and never part of the score.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators import data, metrics
from cambrian.evaluators.benchmarks.base import AHEAD, Benchmark, Bounds, Card, Outcome, generator
from cambrian.evaluators.benchmarks.streams import FLOOR, MNIST
from cambrian.evaluators.protocols.tasks import Task, shuffled
from cambrian.evaluators.protocols.views import permutations
from cambrian.sandbox.session.learner_channel import Diagnosis, LearnerChannel

SIDE, CLASSES, BATCH = 14, 10, 32
SMOKE_TASKS, SMOKE_SAMPLES = 2, 64
INSIDE, WARM = 128, 16
"""Rows that are looked at from inside; how many times longer a warm start is than what follows."""


@dataclass(frozen=True)
class Plasticity(Benchmark):
    """Tasks one after the other, each judged when it has been learned, and not again.

    Attributes:
        kind: "permuted" (new pixels each time), "memorise" (new images with random labels, asked
            for the very same images) or "warm" (a start under random labels, then the real ones).
        count: tasks; samples: images a task; epochs: passes over them.
        counted: how many of the last tasks the score is the mean of.
    """

    name: str
    version: str
    card: Card
    kind: str
    count: int
    samples: int
    epochs: int
    counted: int
    needs: tuple[str, ...] = ("mnist-5k",)
    bounds: Bounds = field(default_factory=lambda: Bounds(ceiling="apart"))
    sealed_only: bool = False

    def stream(self, stage: str) -> TaskSpec:
        """Images (SIDE, SIDE); every task is new, with its boundary revealed."""
        sizes = [self._size(number, stage) for number in range(self._tasks(stage))]
        return TaskSpec(
            "classification",
            (SIDE, SIDE),
            CLASSES,
            boundaries=True,
            observations=sum(samples * epochs for samples, epochs in sizes),
            batch_size=BATCH,
        )

    def tasks(self, stage: str, rng: np.random.Generator) -> list[Task]:
        """The tasks, answers included: trusted side only."""
        images = data.mnist_5k()
        test = images.held_out(stage)
        count = self._tasks(stage)
        views = permutations(count, rng)
        naming = rng.permutation(CLASSES)
        tasks = []
        for number in range(count):
            samples, epochs = self._size(number, stage)
            rows = rng.permutation(len(images.train.y))[:samples]
            x, y = data.pooled(images.train.rows(rows), SIDE), naming[images.train.y[rows]]
            held = rng.permutation(len(test.y))
            test_x, test_y = data.pooled(test.rows(held), SIDE), naming[test.y[held]]
            if self.kind == "permuted":
                x, test_x = views[number](x), views[number](test_x)
            if self.kind == "memorise" or (self.kind == "warm" and number == 0):
                y = rng.integers(0, CLASSES, samples)
            if self.kind == "memorise":
                test_x, test_y = x, y
            order = shuffled(samples, epochs, rng)
            tasks.append(Task(x, y, order, test_x, test_y, 0))
        return tasks

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        """Learn task after task; each is tested at its end, and the activations of its layers
        are read (`diagnose`)."""
        right, inside = [], []
        for task in self.tasks(stage, generator(self.name, stage, seed)):
            channel.publish("task", {"x": task.train_x, "y": task.train_y, "order": task.order})
            for _ in channel.span("task", 0, len(task.order), BATCH):
                raise AssertionError("a span without a probe has no answers")
            channel.withdraw("task")
            channel.task_boundary()
            channel.publish("test", {"x": task.test_x})
            right.append(metrics.accuracy(channel.predict_file("test"), task.test_y))
            channel.withdraw("test")
            channel.publish("inside", {"x": task.test_x[:INSIDE]})
            inside.append(channel.diagnose("inside"))
            channel.withdraw("inside")
        return self._judge(np.array(right), inside)

    def _judge(self, right: metrics.Floats, inside: list[Diagnosis]) -> Outcome:
        raw = float(right[-self.counted :].mean())
        told = [_claims(found) for found in inside if found.layers]
        claimed = {
            f"claimed_{name}": np.array([claims[name] for claims in told])
            for name in (CLAIMS if told else ())
        }
        values = {
            "accuracy": raw,
            "first_accuracy": float(right[0]),
            "min_accuracy": float(right.min()),
            "newest_accuracy": metrics.newest_accuracy(right),
            "newest_task_slope": metrics.newest_task_slope(right),
            "forgetting": 0.0,
            **{name: float(series[-1]) for name, series in claimed.items()},
        }
        curves: dict[str, Any] = {"newest_accuracy": right, **claimed}
        return Outcome(raw, values, {name: c.astype(np.float32) for name, c in curves.items()})

    def _tasks(self, stage: str) -> int:
        return SMOKE_TASKS if stage == "smoke" else self.count

    def _size(self, number: int, stage: str) -> tuple[int, int]:
        """Samples and passes of a task; a warm start is learned longer than what follows."""
        samples = min(self.samples, SMOKE_SAMPLES) if stage == "smoke" else self.samples
        return samples, self.epochs * (WARM if self.kind == "warm" and not number else 1)


CLAIMS = ("dormant_share", "effective_rank", "weight_magnitude", "weight_norm")


def _claims(found: Diagnosis) -> dict[str, float]:
    """The plasticity measures of what the learner's process tells."""
    return {
        "dormant_share": metrics.dormant_share(found.layers),
        "effective_rank": metrics.effective_rank(found.layers[-1]),
        "weight_magnitude": found.weight_magnitude,
        "weight_norm": found.weight_norm,
    }


_HIDDEN = "All test labels; test inputs of a task until it has been learned; tasks to come."
_APART = "A fresh network of the same size for each task, trained to convergence."

PLASTICITY: tuple[Plasticity, ...] = (
    Plasticity(
        name="permuted-plasticity",
        version="1",
        card=Card(
            task="Thirty permutations of the pixels of ten digits, one after the other, 320 images "
            "once each. The score is the mean accuracy right after each of the last fifteen; what "
            "came before is not asked for again.",
            data=MNIST + " Each pooled to 14×14.",
            hidden=_HIDDEN,
            floor=FLOOR,
            ceiling=_APART,
            shortcuts="Forgetting everything at each boundary loses nothing here. " + AHEAD,
            reference="After Dohare et al. 2024, where online accuracy falls over many "
            "permutations of all images (recalled, not re-read); thirty short ones show the "
            "beginning at most.",
        ),
        kind="permuted",
        count=30,
        samples=320,
        epochs=1,
        counted=15,
    ),
    Plasticity(
        name="random-label-plasticity",
        version="1",
        card=Card(
            task="Fifteen times 96 images with labels drawn at random, eight passes each; asked "
            "for the labels of the very same images. The score is the mean share remembered right "
            "after each of the last ten tasks.",
            data=MNIST + " Each pooled to 14×14.",
            hidden="Tasks to come. The labels asked for have been told: this is about memory.",
            floor=FLOOR,
            ceiling=_APART,
            shortcuts="A table of the latest 96 images remembers everything; so does a fresh "
            "network at each boundary. " + AHEAD,
            reference="After Lyle et al. 2023, where the loss reached on random labels rises from "
            "task to task (recalled, not re-read); no figure to hold against.",
        ),
        kind="memorise",
        count=15,
        samples=96,
        epochs=8,
        counted=10,
    ),
    Plasticity(
        name="warm-start",
        version="1",
        card=Card(
            task="640 images under random labels, sixteen passes; then 640 others under the real "
            "ones, one pass. The score is the accuracy on test images in the end. The boundary "
            "is told.",
            data=MNIST + " Each pooled to 14×14.",
            hidden=_HIDDEN,
            floor=FLOOR,
            ceiling="A fresh network trained on the second part alone to convergence.",
            shortcuts="Starting again at the boundary. " + AHEAD,
            reference="After Ash & Adams 2020 and Achille et al. 2019 (arXiv 1711.08856), where a "
            "wrong start costs accuracy that the same data does not bring back (recalled, not "
            "re-read); no figure to hold against.",
        ),
        kind="warm",
        count=2,
        samples=640,
        epochs=1,
        counted=1,
        bounds=Bounds(ceiling="apart", close="one pass at a high rate mends most of a wrong start"),
    ),
)
