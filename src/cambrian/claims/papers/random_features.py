"""Our own benchmarks: a known shortcut is strong on some streams and useless on others."""

from __future__ import annotations

import functools

from cambrian.claims.agents import seed_agent
from cambrian.claims.claim import Claim, Derived, Figures
from cambrian.claims.rig import Run
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.benchmarks.base import Outcome
from cambrian.evaluators.calibration import calibration

STREAMS = (
    *("split-mnist", "online-mnist", "session-mnist", "permuted-mnist"),
    *("digit-sums", "label-drift", "stagger-drift", "led-drift"),
)
STRONG, WEAK = 0.7, 0.1


def score(outcome: Outcome, stream: str) -> dict[str, float]:
    """The normalised score: 0 at the stream's floor, 1 at its ceiling."""
    return {"score": calibration(benchmark(stream)).normalise(outcome.raw)}


def sorted_scores(figures: Figures) -> list[list[float]]:
    """The scores on all streams in ascending order, per seed."""
    each = [figures.each(stream, "score") for stream in STREAMS]
    return [sorted(scores) for scores in zip(*each, strict=True)]


def words(figures: Figures) -> str:
    """The mean score on each stream."""
    return ", ".join(f"{stream} {figures.mean(stream, 'score'):.2f}" for stream in STREAMS)


CLAIM = Claim(
    name="random_features",
    citation="Cambrian's own benchmarks; the shortcut: Hayes & Kanan 2020, Lifelong Machine "
    "Learning with Deep Streaming Linear Discriminant Analysis, arXiv 1909.01520",
    says="A linear discriminant on frozen random features is strong on some streams and weak on "
    "others, so that no search is won by it alone.",
    experiment="The random_features seed agent on eight streams, scored as in a search. Refuted if "
    f"fewer than two streams are above {STRONG}, or fewer than two below {WEAK}.",
    controls="Scores are between the floor and the ceiling of each stream, both of another "
    "learner.",
    conditions={
        stream: Run(seed_agent("random_features"), stream, functools.partial(score, stream=stream))
        for stream in STREAMS
    },
    tests=(
        Derived(
            f"the second best stream is above {STRONG}",
            lambda figures: [scores[-2] - STRONG for scores in sorted_scores(figures)],
            words,
        ),
        Derived(
            f"the second worst stream is below {WEAK}",
            lambda figures: [WEAK - scores[1] for scores in sorted_scores(figures)],
        ),
    ),
)
