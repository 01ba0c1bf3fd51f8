"""Figures made of a learner's answers are finite numbers, or the learner has failed, not we."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cambrian.agents.spec import TaskSpec
from cambrian.errors import SandboxBroken, UsageError
from cambrian.evaluators import benchmarks
from cambrian.evaluators.benchmarks.base import Array, Benchmark, Card, Outcome
from cambrian.evaluators.finite import NotFinite, finite
from cambrian.evaluators.job import drive
from cambrian.evaluators.transcript import Neutral, recompute
from cambrian.measurement import Unit
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.learner_channel import LearnerChannel

CARD = Card(*[""] * 7)
HUGE = 3.0e38


class Saying(Neutral):
    """A channel on whose other end there is one that answers with these values, over and over."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.values = np.array(values, np.float32)

    def _answer(self, rows: int, *_: Any, **__: Any) -> Array:
        return np.resize(self.values, self._spec.scores_shape(rows))


@dataclass
class Naive(Benchmark):
    """A benchmark of one's own that squares in float32, or does worse, with what it is answered."""

    how: str
    name: str = "naive"
    version: str = "1"
    sealed_only: bool = False
    card: Card = CARD

    def stream(self, stage: str) -> TaskSpec:
        return TaskSpec("regression", (1,), 1)

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        found = channel.predict(np.ones((4, 1), np.float32))
        error = np.square(found).mean()
        if self.how == "raw":
            return Outcome(error)
        if self.how == "metric":
            return Outcome(0.5, {"error": error})
        if self.how == "curve":
            return Outcome(0.5, {}, {"errors": np.square(found.astype(np.float64)).ravel()})
        if self.how == "matrix":
            return Outcome(0.5, {}, {}, {"errors": np.array([[math.nan, error]])})
        if self.how == "digits":
            return Outcome(0.5, {"digits": int(found[0, 0]) ** 20})
        if self.how == "raises":
            return Outcome(1 / (1 - float(found[0, 0] > 1)))
        if self.how == "asserts":
            assert found[0, 0] < 1, "no such answer"
            return Outcome(0.5)
        return Outcome(1 / 0 if self.how == "always raises" else math.nan)


def _drive(bench: Any, channel: Neutral, stage: str = "smoke") -> Outcome:
    stream = bench.stream(stage)
    return drive(channel, bench, stream, Unit(bench.name, stage, 0))[0]


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        *[(how, "nonfinite") for how in ("raw", "metric", "curve", "matrix", "digits", "raises")],
        ("asserts", "protocol"),
    ],
)
def test_figures_without_end_are_the_learners_failure(how: str, cause: str) -> None:
    with pytest.raises(LearnerFailed) as failed:
        _drive(Naive(how), Saying(HUGE))
    assert failed.value.cause == cause
    assert _drive(Naive(how), Saying(0.5)).raw is not None


@pytest.mark.parametrize("how", ["always raises", "always NaN"])
def test_a_benchmark_that_fails_whatever_is_answered_is_ours(how: str) -> None:
    with pytest.raises(SandboxBroken, match="naive fails whatever is answered"):
        _drive(Naive(how), Saying(HUGE))


def test_figures_become_plain_numbers_and_keep_every_bit() -> None:
    given: dict[str, Any] = {"a": np.float32(0.1), "b": np.float64(1 / 3), "c": 7, "d": True}
    found = finite(Outcome(np.float64(0.3), given, {"x": np.zeros(2, int)}))
    assert found.metrics == {"a": float(np.float32(0.1)), "b": 1 / 3, "c": 7.0, "d": 1.0}
    assert all(type(value) is float for value in (found.raw, *found.metrics.values()))
    json.dumps(dict(found.metrics), allow_nan=False)
    with pytest.raises(NotFinite, match="curve x"):
        finite(Outcome(0.0, {}, {"x": np.array([0.0, math.nan])}))


QUICK = [name for name in benchmarks.names() if name not in ("blurry-digits", "blurry-fashion")]
EDGES = (0.0, -0.0, 1.0, 1e-45, -1e-38, HUGE, -HUGE, float(np.finfo(np.float32).max))


@given(name=st.sampled_from(QUICK), values=st.lists(st.sampled_from(EDGES), min_size=1, max_size=7))
@settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=list(HealthCheck),
)
def test_every_benchmark_of_ours_judges_whatever_is_finite(name: str, values: list[float]) -> None:
    """None of them needs the way out: huge answers are wrong answers."""
    found = _drive(benchmarks.benchmark(name), Saying(*values))
    assert math.isfinite(found.raw)
    assert all(map(math.isfinite, found.metrics.values()))


LABELS = np.zeros(4, np.uint8)


@pytest.mark.parametrize(
    "record",
    [
        {"labels": LABELS + np.uint8(200)},
        {"labels": np.full(40_000, 255, np.uint8)},
        {"labels": LABELS.astype(np.float32)},
        {"labels": LABELS.astype(np.int64) - 1},
        {"labels": LABELS.reshape(2, 2)},
        {"labels": np.array(["a", "b"])},
        {"labels": np.array([{}], dtype=object)},
        {"labels": np.zeros((), np.uint8)},
        {"values": np.full(40_000, math.inf, np.float32)},
        {"values": np.full(40_000, 1e308)},
        {"confidence": np.zeros(3, np.float16)},
        {"labels": np.zeros(40_000, np.uint8), "confidence": np.full(2, math.nan, np.float16)},
        {"labels": np.zeros(40_000, np.uint8), "costs": np.array([[-1, 2]])},
        {"labels": np.zeros(40_000, np.uint8), "costs": np.array([1, 2])},
        {"labels": np.zeros(40_000, np.uint8), "costs": np.full((9, 2), 2**63, np.uint64)},
        {"labels": LABELS, "untrained": np.array([-1.0])},
    ],
)
@pytest.mark.parametrize("name", ["split-mnist", "sinusoids", "mixed-tasks"])
def test_a_record_that_no_run_makes_is_refused(name: str, record: dict[str, Array]) -> None:
    with pytest.raises(UsageError):
        recompute(benchmarks.benchmark(name), "smoke", 0, record)


def test_a_record_with_too_few_confidences_is_refused() -> None:
    bench = benchmarks.benchmark("label-drift")
    labels = np.zeros(bench.stream("smoke").observations, np.uint8)
    record: dict[str, Array] = {"labels": labels, "costs": np.zeros((1, 2), np.int64)}
    assert recompute(bench, "smoke", 0, record).raw >= 0
    with pytest.raises(UsageError, match="confidences"):
        recompute(bench, "smoke", 0, record | {"confidence": np.ones(3, np.float16)})
