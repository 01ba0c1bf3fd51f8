"""Families of functions: what a few points say of a function, once many others were seen.

Sinusoids as in MAML (Finn et al. 2017, arXiv:1703.03400, section 5.1) and Reptile, and linear
functions whose weights lie in a small subspace. The raw score is the share of the variance that is
explained over all tasks, 1 - sum (f - y)^2 / sum (y - mean)^2, and 0 where that is negative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.benchmarks.base import Array, Benchmark, Bounds, Card, Outcome, generator
from cambrian.evaluators.data import Floats
from cambrian.evaluators.protocols.episodes import (
    META_AGENTS,
    STEPS,
    Episode,
    ask,
    learn,
    untouched,
)
from cambrian.sandbox.session.learner_channel import LearnerChannel

EPISODES, SMOKE_EPISODES, CURVE_EPISODES, QUERIES = 100, 4, 25, 50
SMOKE_TASKS = 20
SHOT_CURVE = 5

Draw = Callable[[int, int], tuple[Floats, Floats]]


class Family(Benchmark):
    """A distribution over functions; a subclass draws from it.

    Args:
        shots: points of a new function that a copy is adapted to; more of them than usual for the
            oracle.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    sealed_only: ClassVar[bool]
    card: ClassVar[Card]
    inputs: ClassVar[int]
    tasks: ClassVar[int]

    def __init__(self, shots: int) -> None:
        self.shots = shots

    def stream(self, stage: str) -> TaskSpec:
        """Regression of one number on vectors (inputs,); episodic, `shots` points of support."""
        rows, tasks = 2 * self.shots, SMOKE_TASKS if stage == "smoke" else self.tasks
        return TaskSpec(
            "regression",
            (self.inputs,),
            1,
            observations=tasks * rows,
            batch_size=rows,
            episodic=True,
            support=self.shots,
        )

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        """Learn from many functions, then fit a copy to each new one and predict its queries."""
        rng = generator(self.name, stage, seed)
        draw = self.family(rng)
        tasks = SMOKE_TASKS if stage == "smoke" else self.tasks
        count = SMOKE_EPISODES if stage == "smoke" else EPISODES
        learned = draw(tasks, 2 * self.shots)
        x, y = draw(count, self.shots + QUERIES)
        episodes = [
            Episode(a[: self.shots], b[: self.shots], a[self.shots :], b[self.shots :])
            for a, b in zip(x, y, strict=True)
        ]
        again = int(rng.integers(count))
        learn(channel, *learned)
        with untouched(channel, episodes, again):
            return judge(channel, episodes, self.shots)

    def family(self, rng: np.random.Generator) -> Draw:
        """What all functions of a seed have in common is settled here; the rest with each draw.

        Returns:
            a function of the number of tasks and of points that gives x (tasks, points, inputs)
            and y (tasks, points, 1), both float32.
        """
        raise NotImplementedError


class Sinusoids(Family):
    """Sine curves of one input with random amplitude and phase (Finn et al. 2017, section 5.1)."""

    name: ClassVar[str] = "sinusoids"
    version: ClassVar[str] = "1"
    sealed_only: ClassVar[bool] = False
    inputs: ClassVar[int] = 1
    tasks: ClassVar[int] = 1200
    reference: ClassVar[str] = "transformer"
    seed_agents: ClassVar[tuple[str, ...]] = META_AGENTS
    card: ClassVar[Card] = Card(
        task="Regression from ten points of a sine wave, after 1,200 other waves were seen. "
        "Amplitude and phase differ between tasks; the frequency is the same for all tasks of a "
        "seed, and changes with the seed.",
        data="Generated: y = A sin(w x + p), A from 0.1 to 5, p from 0 to pi, w from 0.8 to "
        "1.25, x from -5 to 5. Sealed runs draw from seeds of their own.",
        hidden="The values at the points asked about; all points of a task judged by, until then.",
        floor="No variance explained, as by the mean of all values. (The finetune seed agent, "
        "which fits class scores, gets no further.)",
        ceiling="The protonet seed agent with 64 points of each function instead of 10: what no "
        "knowledge of the family is needed for.",
        shortcuts="Least squares on a sine and a cosine of the right frequency, written down "
        "beforehand, solves it; the frequency has to be found first.",
        reference="After the sinusoids of MAML (Finn 2017). Reptile, mean squared error after 32 "
        "steps from 10 points: 3.24 from a random or a joint start, 1.31 after 3,000 tasks, 0.33 "
        "after 10,000 (own measurement).",
    )

    def __init__(self, shots: int = 10) -> None:
        super().__init__(shots)

    @property
    def bounds(self) -> Bounds:
        """From fine-tuning to the prototype network with 64 shots."""
        return Bounds(floor="finetune", ceiling="protonet", oracle=Sinusoids(shots=64))

    def family(self, rng: np.random.Generator) -> Draw:
        frequency = rng.uniform(0.8, 1.25)

        def draw(tasks: int, points: int) -> tuple[Floats, Floats]:
            amplitude = rng.uniform(0.1, 5.0, (tasks, 1, 1))
            phase = rng.uniform(0.0, np.pi, (tasks, 1, 1))
            x = rng.uniform(-5.0, 5.0, (tasks, points, 1))
            y = amplitude * np.sin(frequency * x + phase)
            return x.astype(np.float32), y.astype(np.float32)

        return draw


class LinearFunctions(Family):
    """Linear functions of 16 inputs whose weights share a hidden subspace of rank 3."""

    name: ClassVar[str] = "linear-functions"
    version: ClassVar[str] = "1"
    sealed_only: ClassVar[bool] = False
    inputs: ClassVar[int] = 16
    tasks: ClassVar[int] = 1200
    rank: ClassVar[int] = 3
    reference: ClassVar[str] = "transformer"
    seed_agents: ClassVar[tuple[str, ...]] = META_AGENTS
    card: ClassVar[Card] = Card(
        task="Regression from eight points of a linear function of sixteen inputs, after 1,200 "
        "other functions were seen. The weights of all functions of a seed lie in one subspace "
        "of three dimensions: who has found it needs three points, who has not needs sixteen.",
        data="Generated: y = (B z) . x with x and z normal, B (16, 3) orthonormal for each seed, "
        "and a little noise on the points given. Sealed runs draw from seeds of their own.",
        hidden="The values at the points asked about; all points of a task judged by, until then.",
        floor="No variance explained, as by the mean of all values. (The finetune seed agent, "
        "which fits class scores, gets no further.)",
        ceiling="The maml seed agent with 64 points of each function instead of 8.",
        shortcuts="Ridge regression on the eight points explains up to half without learning "
        "from tasks; in the leading directions of earlier tasks' regressions it explains nearly "
        "all.",
        reference="Linear regression families are those of in-context learning theory (Garg et "
        "al. 2022, arXiv:2208.01066); the subspace is ours, no published figure.",
    )

    def __init__(self, shots: int = 8) -> None:
        super().__init__(shots)

    @property
    def bounds(self) -> Bounds:
        """From fine-tuning to MAML with 64 shots."""
        return Bounds(floor="finetune", ceiling="maml", oracle=LinearFunctions(shots=64))

    def family(self, rng: np.random.Generator) -> Draw:
        basis, _ = np.linalg.qr(rng.normal(size=(self.inputs, self.rank)))

        def draw(tasks: int, points: int) -> tuple[Floats, Floats]:
            weights = rng.normal(size=(tasks, self.rank)) @ basis.T
            x = rng.normal(size=(tasks, points, self.inputs))
            y = np.einsum("tpi,ti->tp", x, weights)[..., None]
            return x.astype(np.float32), y.astype(np.float32)

        return draw


def judge(channel: LearnerChannel, episodes: list[Episode], shots: int) -> Outcome:
    """Explained variance and mean squared error after the whole support set."""

    def explained(support: int, steps: int | None = None, most: int | None = None) -> float:
        return explained_variance(
            [ask(channel, e, support, steps) for e in episodes[:most]],
            [e.query_y for e in episodes[:most]],
        )

    answers = [ask(channel, e, shots).astype(np.float64) for e in episodes]  # squares may be huge
    targets = [e.query_y for e in episodes]
    counts = np.unique(np.linspace(1, shots, SHOT_CURVE).astype(int))
    raw = explained_variance(answers, targets)
    error = float(np.mean([(a - t) ** 2 for a, t in zip(answers, targets, strict=True)]))
    return Outcome(
        max(0.0, raw),
        {"mean_squared_error": error, "explained_variance": raw},
        {
            "by_shots": np.array(
                [explained(int(k), None, CURVE_EPISODES) for k in counts], dtype=np.float32
            ),
            "by_steps": np.array(
                [explained(shots, k, CURVE_EPISODES) for k in STEPS], dtype=np.float32
            ),
        },
    )


def explained_variance(answers: list[Array], targets: list[Array]) -> float:
    """1 - sum of squared errors / sum of squares around the mean, over all tasks (each (B, k))
    together; at least -1, which stands for anything worse."""
    answered, wanted = np.concatenate(answers), np.concatenate(targets)
    errors = np.square(answered.astype(np.float64) - wanted).sum()
    return max(-1.0, 1.0 - float(errors / np.square(wanted - wanted.mean()).sum()))
