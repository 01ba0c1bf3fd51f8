"""blurry-digits: a sealed stream that no search has seen; other images, other boundaries.

Classes come and go gradually (a Gaussian around each class's own moment), nobody says when.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators import data
from cambrian.evaluators.benchmarks.base import AHEAD_PROBED, Card
from cambrian.evaluators.protocols.tasks import EvaluationProtocol, Task, TaskStream

CLASSES, SAMPLES, SMOKE_SAMPLES = 10, 6000, 200
WIDTH = 0.05
TIMES, SIDE = 2, 28
PROTOCOL = EvaluationProtocol(batch=32, probe_every=20, boundaries=False, reveal=640)


class BlurryDigits(TaskStream):
    """Digits whose classes come and go gradually, without boundaries; sealed, so no search sees
    it."""

    name = "blurry-digits"
    version: ClassVar[str] = "1"
    protocol = PROTOCOL
    needs = ("digits",)
    sealed_only: ClassVar[bool] = True
    card: ClassVar[Card] = Card(
        task="Class-incremental with blurred boundaries: each class has a moment in the stream "
        "around which its samples are spread. One pass, one head, no boundary is told.",
        data="1,797 real 8×8 digits from scikit-learn (BSD-3), drawn with replacement; sealed "
        "runs test on images of their own. Each is enlarged twofold into a frame of 28×28, so "
        "that its shape does not tell this stream from the others.",
        hidden="All test labels; the protocol of the stream. No improver ever sees its scores.",
        floor="Plain fine-tuning at the best constant learning rate of a grid.",
        ceiling="The same network trained on the same samples in random order to convergence.",
        shortcuts="Random features with a linear discriminant do well. The whole stream is one "
        "task. " + AHEAD_PROBED,
        reference="None published; a stream of our own.",
    )

    def stream(self, stage: str) -> TaskSpec:
        """Images (28, 28), ten classes, no boundaries revealed; `smoke` is shorter."""
        return TaskSpec(
            "classification",
            (SIDE, SIDE),
            CLASSES,
            observations=_samples(stage),
            batch_size=PROTOCOL.batch,
        )

    def tasks(self, stage: str, rng: np.random.Generator) -> list[Task]:
        """The one task, answers included: trusted side only."""
        images = data.digits()
        naming = rng.permutation(CLASSES)
        rows = blurred(images.train.y, _samples(stage), rng)
        test = images.held_out(stage)
        task = Task(
            data.enlarged(images.train.x, TIMES, SIDE)[rows],
            naming[images.train.y[rows]],
            np.arange(len(rows)),
            data.enlarged(test.x, TIMES, SIDE),
            naming[test.y],
            len(test.y),
        )
        return [task]


def blurred(
    labels: np.ndarray,
    count: int,
    rng: np.random.Generator,
    classes: int = CLASSES,
    width: float = WIDTH,
) -> np.ndarray:
    """Row numbers (count,) of `labels` (N,), ordered so that each class is spread around a moment
    of its own (a Gaussian of this width, the whole stream being 1 long)."""
    rows = rng.integers(0, len(labels), count)
    moments = rng.permutation(classes) / (classes - 1)
    when = moments[labels[rows]] + rng.normal(0, width, count)
    return rows[np.argsort(when, kind="stable")]


def _samples(stage: str) -> int:
    return SMOKE_SAMPLES if stage == "smoke" else SAMPLES
