"""The examples of docs/extend.md: benchmarks for control, optimisation and unlearning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cambrian.evaluators import plugins
from cambrian.evaluators.benchmarks.base import Benchmark, Outcome
from cambrian.evaluators.calibration import Calibration
from cambrian.evaluators.conformance import check
from cambrian.evaluators.job import SessionLab
from cambrian.evaluators.lab import JUDGED
from cambrian.evaluators.transcript import recompute
from cambrian.measurement import Unit
from cambrian.sandbox.attack.trial import Lender
from cambrian.sandbox.backends.plain import PlainBackend

FOLDER = Path(__file__).parents[3] / "examples" / "benchmarks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
MOST_LINES = 80

LEARNERS = {
    "corridor": """
import torch
class Learner:
    \"\"\"Remembers the light, and walks there.\"\"\"
    def __init__(self, spec, *, seed, device="cpu"): self.light = torch.zeros(spec.environments)
    def act(self, observations):
        seen = observations[:, 0]
        self.light = torch.where(seen != 0, seen, self.light)
        return self.light.long() + 1
    def feedback(self, rewards, terminated, truncated, next_observations): pass
""",
    "valleys": """
import torch
class Learner:
    \"\"\"A (1 + 5) evolution strategy with a step that shrinks.\"\"\"
    def __init__(self, spec, *, seed, device="cpu"):
        self.rng = torch.Generator().manual_seed(seed)
        self.best, self.value, self.step = torch.zeros(spec.input_shape), float("inf"), 0.5
    def suggest(self, count):
        noise = torch.randn(count, *self.best.shape, generator=self.rng)
        return self.best + self.step * noise
    def observe(self, x, y, task=None):
        at = int(y[:, 0].argmin())
        if float(y[at, 0]) < self.value: self.best, self.value = x[at].clone(), float(y[at, 0])
        else: self.step *= 0.9
""",
    "forgotten": """
import torch
class Learner:
    \"\"\"Class means, which can be taken back exactly.\"\"\"
    def __init__(self, spec, *, seed, device="cpu"):
        self.sums = torch.zeros(spec.outputs, *spec.input_shape, dtype=torch.float64)
        self.counts = torch.zeros(spec.outputs, dtype=torch.float64)
    def observe(self, x, y, task=None, sign=1):
        self.sums.index_add_(0, y, sign * x.double())
        self.counts.index_add_(0, y, torch.full((len(y),), float(sign), dtype=torch.float64))
    def forget(self, x, y, task=None): self.observe(x, y, sign=-1)
    def predict(self, x, task=None):
        means = self.sums / self.counts.clamp(min=1)[:, None]
        distances = torch.cdist(x.double(), means)
        return (-distances - 1e6 * (self.counts < 0.5)).float()
""",
}
IDLE = {
    "corridor": ("act", "return torch.ones(len(observations)).long()"),
    "valleys": ("suggest", "return torch.zeros(count, *self.best.shape)"),
    "forgotten": ("forget", "pass"),
}
ARGUMENTS = {"act": "observations", "suggest": "count", "forget": "x, y, task=None"}
APART = 0.1
MEASURED = Calibration(0.0, 1.0, 1 << 40, 1 << 30, 10.0, {})


@pytest.fixture(params=NAMES)
def bench(request: pytest.FixtureRequest) -> Benchmark:
    return plugins.load(FOLDER / f"{request.param}.py")


def test_an_example_is_short_and_keeps_every_promise(bench: Benchmark) -> None:
    lines = (FOLDER / f"{bench.name}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MOST_LINES
    broken = [finding for finding in check(bench) if not finding.kept]
    assert not broken, broken


@pytest.fixture(scope="module")
def lender() -> Iterator[Lender]:
    lender = Lender(PlainBackend())
    yield lender
    lender.close()


def _judged(lender: Lender, bench: Benchmark, code: str) -> tuple[Outcome, SessionLab]:
    session = lender.session()
    session.install({"learner.py": code})
    lab = SessionLab(session, bench, MEASURED, Unit(bench.name, "smoke", 1), "cpu")
    return bench.conduct(lab), lab


def test_a_learner_that_can_is_told_from_one_that_cannot(bench: Benchmark, lender: Lender) -> None:
    verb, body = IDLE[bench.name]
    able = LEARNERS[bench.name]
    idle = f"{able}    def {verb}(self, {ARGUMENTS[verb]}): {body}\n"
    (outcome, lab), (other, _) = (_judged(lender, bench, code) for code in (able, idle))
    assert outcome.raw >= other.raw + APART
    assert set(lab.costs) == {JUDGED, *bench.learners}
    again = recompute(bench, "smoke", 1, lab.predictions)
    assert again.raw == outcome.raw and again.metrics == outcome.metrics
    for name, curve in outcome.curves.items():
        assert np.array_equal(again.curves[name], curve)


def test_there_are_examples_of_control_optimisation_and_unlearning() -> None:
    assert NAMES == ["corridor", "forgotten", "valleys"] == sorted(LEARNERS)
