"""New et al. 2022: a suite of lifelong metrics shows what stability costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cambrian.agents.tree import SourceTree
from cambrian.claims.agents import composed, patched
from cambrian.claims.claim import Claim, Derived, Figures
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.benchmarks.base import Outcome
from cambrian.evaluators.metrics import Block, lifelong_metrics

if TYPE_CHECKING:
    from cambrian.claims.rig import Rig

STREAM = "rotated-mnist+each-batch"
STRENGTHS = (0.0, 10.0, 30.0, 100.0, 300.0)
AFRESH = """
    def task_boundary(self) -> None:
        self.__init__(self.spec, seed=self.seed + 1, device=str(self.device))
"""
EXPERT = patched(composed(), {}, AFRESH)
"""A network of its own for each task: it starts afresh when one has ended."""


def training_curve(outcome: Outcome, task: int) -> NDArray[np.float64]:
    """The accuracy (n,) on a task after each batch of it."""
    probes = outcome.matrices["probes"]
    return np.asarray(probes[probes[:, 0] == task, 1 + task], dtype=np.float64)


def lifelong(learner: Outcome, expert: Outcome) -> dict[str, float]:
    """The metrics of the suite: blocks of training, tests of all tasks seen after each, and the
    single-task experts' training beside it."""
    matrix = learner.matrices["accuracy"].astype(np.float64)
    log, experts = [], {}
    for now in range(len(matrix)):
        log.append(Block("train", str(now), training_curve(learner, now)))
        log += [Block("test", str(t), matrix[now, t : t + 1]) for t in range(now + 1)]
        experts[str(now)] = [training_curve(expert, now)]
    return lifelong_metrics(log, experts)


@dataclass(frozen=True)
class Strength:
    """A condition: EWC of one strength, held against the experts of the same seed."""

    strength: float

    @property
    def learner(self) -> SourceTree:
        """The learner's files."""
        return composed(*([("ewc", {"strength": self.strength})] if self.strength else []))()

    @property
    def sources(self) -> Mapping[str, str]:
        """The learner's files, and the expert's."""
        return {**self.learner, **{f"expert/{path}": text for path, text in EXPERT().items()}}

    def __call__(self, rig: Rig, seed: int) -> dict[str, float]:
        """The suite's figures, and the final accuracy."""
        found, expert = (
            rig.run(tree, benchmark(STREAM), seed) for tree in (self.learner, EXPERT())
        )
        return {**lifelong(found, expert), "accuracy": found.metrics["accuracy"]}


def name(strength: float) -> str:
    """Of a condition."""
    return f"strength {strength:g}"


def slope(figure: str, sign: float = 1.0) -> Callable[[Figures], list[float]]:
    """The least-squares slope of a figure from one strength to the next, per seed."""

    def values(figures: Figures) -> list[float]:
        table = [figures.each(name(strength), figure) for strength in STRENGTHS]
        return [sign * each for each in np.polyfit(np.arange(len(table)), table, 1)[0].tolist()]

    return values


def means(figure: str) -> Callable[[Figures], str]:
    """The mean of a figure at each strength."""
    return lambda figures: (
        f"{figure}: "
        + ", ".join(
            f"{strength:g} → {figures.mean(name(strength), figure):.3g}" for strength in STRENGTHS
        )
    )


CLAIM = Claim(
    name="l2metrics",
    row=29,
    citation="New et al. 2022, A Domain-Agnostic Approach for Characterization of Lifelong "
    "Learning Systems, arXiv 2201.08278",
    says="The suite of metrics shows the trade-off between stability and plasticity: what "
    "maintains performance on earlier tasks costs efficiency on new ones.",
    experiment="EWC of growing strength on rotated-mnist, every batch probed, beside single-task "
    "experts. Refuted if performance maintenance does not rise with the strength, or sample "
    "efficiency does not fall.",
    controls="One knob changes; network, rate, batches, seeds and experts are the same. Relative "
    "performance, another measure of how well new tasks are learned, is shown beside it.",
    conditions={name(strength): Strength(strength) for strength in STRENGTHS},
    tests=(
        Derived(
            "performance maintenance rises with the strength",
            slope("performance_maintenance"),
            means("performance_maintenance"),
        ),
        Derived(
            "sample efficiency falls with it",
            slope("sample_efficiency", -1.0),
            means("sample_efficiency"),
        ),
        Derived(
            "relative performance falls with it",
            slope("relative_performance", -1.0),
            means("relative_performance"),
            control=True,
        ),
    ),
)
