"""A family: a benchmark that draws a stream from its seed.

What a seed draws (source, tasks, order, rates, noise …) follows from the family's name, the stage
and the seed, and from nothing else, so that every agent meets the same streams (common random
numbers). A drawn stream is one of the project's usual benchmarks under the family's name; this
module only says which.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.benchmarks.base import Benchmark, Card, Outcome
from cambrian.evaluators.chance import generator
from cambrian.evaluators.families.scales import redraws
from cambrian.evaluators.lab import Lab
from cambrian.evaluators.stages import STAGES
from cambrian.sandbox.session.learner_channel import LearnerChannel

Draws = Mapping[str, Any]


@dataclass(frozen=True)
class Stream:
    """What a seed drew: a benchmark that is run as any other, and the draws in words and numbers
    for people."""

    bench: Benchmark
    draws: Draws


Draw = Callable[["Family", np.random.Generator], Stream]


@dataclass(frozen=True)
class Family(Benchmark):
    """A benchmark whose stream is drawn anew for each seed.

    Attributes:
        draw: makes the stream of a seed, under the family's name, version and card.
        kind: the suite that it belongs to besides `general`.
        needs: all data sources that a seed may draw.
    """

    name: str
    version: str
    card: Card
    draw: Draw
    kind: str
    needs: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ("observe", "predict")
    reference: str = "replay"
    sealed_only: bool = False

    def drawn(self, stage: str, seed: int) -> Stream:
        """The stream of a seed: the same in every stage of a search, another in sealed runs.

        A stream whose floor and ceiling were found to be too close was drawn again when the
        family's scales were measured (`scales.redraws`); no other score ever decides that.
        """
        return _drawn(self, "sealed" if stage == "sealed" else "full", seed)

    def attempt(self, stage: str, seed: int, number: int) -> Stream:
        """What the seed gives when it is drawn for the `number`-th time (from 0)."""
        rng = generator(f"{self.name}/draw/{number}", stage, seed)
        return self.draw(self, rng)

    def stream(self, stage: str) -> TaskSpec:
        """What the learner is told of the stream of the stage's first seed; others differ
        (`stream_of`)."""
        return self.stream_of(stage, STAGES[stage][0])

    def stream_of(self, stage: str, seed: int) -> TaskSpec:
        """What the learner is told of the stream that a seed draws."""
        return self.drawn(stage, seed).bench.stream(stage)

    def draws(self, stage: str, seed: int) -> Draws:
        """What a seed draws, by name."""
        return self.drawn(stage, seed).draws

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        """Run the stream that the seed draws; its draws that are numbers are metrics."""
        return self._with_draws(
            self.drawn(stage, seed).bench.run(channel, stage, seed), stage, seed
        )

    def conduct(self, lab: Lab) -> Outcome:
        """As `run`, with the learners that the drawn stream asks for."""
        return self._with_draws(
            self.drawn(lab.stage, lab.seed).bench.conduct(lab), lab.stage, lab.seed
        )

    def _with_draws(self, outcome: Outcome, stage: str, seed: int) -> Outcome:
        told = {
            f"drawn_{name}": float(value)
            for name, value in self.draws(stage, seed).items()
            if isinstance(value, int | float)
        }
        return replace(outcome, metrics={**outcome.metrics, **told})


@functools.lru_cache(maxsize=512)
def _drawn(family: Family, stage: str, seed: int) -> Stream:
    return family.attempt(stage, seed, redraws(family.name, family.version, stage, seed))


def pick(rng: np.random.Generator, *choices: Any) -> Any:
    """One of some values, all as likely."""
    return choices[int(rng.integers(len(choices)))]


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number from a range, evenly over its logarithm, to three digits."""
    return float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.3g}")
