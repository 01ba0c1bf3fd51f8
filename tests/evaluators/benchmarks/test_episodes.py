"""Small tasks: what is drawn, what is judged, and that the learner stays as it was."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cambrian.agents.seeds import load_seed
from cambrian.agents.spec import TaskSpec
from cambrian.evaluators import benchmarks, data
from cambrian.evaluators.benchmarks.base import Array, generator
from cambrian.evaluators.benchmarks.meta import few_shot, functions
from cambrian.evaluators.benchmarks.meta.few_shot import SHOTS, WAYS, FewShotDigits, FewShotGlyphs
from cambrian.evaluators.benchmarks.meta.functions import LinearFunctions, Sinusoids
from cambrian.evaluators.conformance import Watching, watch
from cambrian.evaluators.job import evaluate
from cambrian.evaluators.protocols.episodes import Episode, ask, by_pairs, untouched
from cambrian.evaluators.transcript import recompute
from cambrian.measurement import Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.channel import Cost
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.session import Session

RNG = np.random.default_rng(0)


SPEC = TaskSpec("classification", (3,), 4)


def _episodes(count: int = 2) -> list[Episode]:
    def rows(size: int) -> Any:
        return RNG.normal(size=(size, 3)).astype(np.float32)

    return [Episode(rows(4), np.arange(4), rows(5), np.arange(5) % 4) for _ in range(count)]


class Copying(Watching):
    """Nobody, who adapts: answers hold what the copy was told; each fault is one way to cheat."""

    def __init__(self, fault: str = "") -> None:
        super().__init__(SPEC)
        self.fault = fault
        self.adapted = 0

    def adapt(self, x: Array, y: Array, steps: int | None = None) -> None:
        super().adapt(x, y, steps)
        self.adapted += 1
        self.told = float(x.sum())

    def predict_copy(self, x: Array) -> Array:
        return super().predict_copy(x) + self.told + (self.adapted if self.fault == "copy" else 0)

    def predict(self, x: Array, task: int | None = None) -> Array:
        moved = self.adapted if self.fault == "original" else 0
        return super().predict(x, task) + np.float32(moved)

    def finish(self) -> Cost:
        return Cost(0, 100 + (self.adapted if self.fault == "state" else 0))


def _drive(channel: Any) -> None:
    episodes = _episodes()
    with untouched(channel, episodes, 1):
        for episode in episodes:
            ask(channel, episode, 4)


def test_an_honest_learner_may_adapt_copies() -> None:
    _drive(Copying())


@pytest.mark.parametrize(
    ("fault", "said"),
    [("original", "changed the learner"), ("state", "changed the learner"), ("copy", "same copy")],
)
def test_a_learner_that_changes_as_its_copies_adapt_fails(fault: str, said: str) -> None:
    with pytest.raises(LearnerFailed, match=said):
        _drive(Copying(fault))


def test_an_episode_by_pairs_asks_before_it_tells() -> None:
    channel: Any = Watching(SPEC)
    episode = _episodes(1)[0]
    assert by_pairs(channel, episode).shape == (4, 4)
    assert [what for what, _ in channel.shown] == ["x", "y", "x", "y", "x", "y", "x"]
    assert not channel.breaches


def test_few_shots_are_balanced_and_the_first_rows_are_fewer_shots() -> None:
    classes = [np.full((20, 2), c, np.float32) for c in range(9)]
    episode = few_shot.episode(classes, np.random.default_rng(1))
    for shots in range(1, SHOTS + 1):
        counts = np.bincount(episode.y[: WAYS * shots], minlength=WAYS)
        assert counts.tolist() == [shots] * WAYS
    names = {(float(x[0]), int(y)) for x, y in zip(episode.x, episode.y, strict=True)}
    asked = {(float(x[0]), int(y)) for x, y in zip(episode.query_x, episode.query_y, strict=True)}
    assert len(names) == WAYS and asked == names, "queries are named as the support is"


def test_classes_judged_by_are_never_learned_from() -> None:
    for bench in (FewShotDigits(), FewShotGlyphs()):
        found = bench.classes("full", generator(bench.name, "full", 0))
        learned = {row.tobytes() for rows in found.train for row in rows}
        assert not any(row.tobytes() in learned for rows in found.test for row in rows)
    glyphs = data.glyphs()
    parts = [set(part.y.tolist()) for part in (glyphs.train, glyphs.test, glyphs.sealed)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


def test_glyphs_are_many_classes_of_sixteen_unlike_characters() -> None:
    glyphs = data.glyphs()
    counts = np.concatenate(
        [np.unique(p.y, return_counts=True)[1] for p in (glyphs.train, glyphs.test, glyphs.sealed)]
    )
    assert len(counts) > 250 and set(counts.tolist()) == {16}
    assert (glyphs.train.x.reshape(len(glyphs.train.y), -1).max(1) > 0.1).all(), "none is empty"


def test_rendering_glyphs_again_gives_the_same_pictures() -> None:
    module: Any = importlib.import_module("cambrian.evaluators.data.glyphs")
    font = module._fonts()[0]
    first = module._drawn(font, "g")
    module._drawn(font, "W")
    assert np.array_equal(first, module._drawn(font, "g"))
    pushed = [module._pushed(first, np.random.default_rng(5)) for _ in range(2)]
    assert np.array_equal(*pushed)


def test_sinusoids_share_a_frequency_and_linear_functions_a_subspace() -> None:
    x, y = LinearFunctions().family(np.random.default_rng(2))(40, 30)
    weights = np.stack(
        [np.linalg.lstsq(a, b, rcond=None)[0][:, 0] for a, b in zip(x, y, strict=True)]
    )
    assert np.linalg.matrix_rank(weights, tol=1e-3) == LinearFunctions.rank
    x, y = Sinusoids().family(np.random.default_rng(2))(3, 200)
    grid = np.linspace(0.8, 1.25, 451)

    def misfit(frequency: float) -> float:
        left = 0.0
        for a, b in zip(x, y, strict=True):
            basis = np.concatenate([np.sin(frequency * a), np.cos(frequency * a)], 1)
            left += float(np.linalg.lstsq(basis, b, rcond=None)[1][0])
        return left

    assert min(misfit(w) for w in grid) < 1e-2 * misfit(grid[0] - 0.3)


def test_explained_variance_is_one_for_the_truth_and_zero_for_the_mean() -> None:
    targets = [RNG.normal(size=(50, 1)).astype(np.float32) for _ in range(3)]
    mean = np.concatenate(targets).mean()
    assert functions.explained_variance(targets, targets) == 1.0
    flat = [np.full((50, 1), mean, np.float32) for _ in range(3)]
    assert functions.explained_variance(flat, targets) == pytest.approx(0.0, abs=1e-6)
    assert functions.explained_variance([100 * t for t in targets], targets) == -1.0


@pytest.mark.parametrize("name", ["few-shot-digits", "in-context", "sinusoids"])
def test_an_outcome_has_curves_over_shots_or_places(name: str) -> None:
    _, outcome = watch(benchmarks.benchmark(name), "smoke", 0)
    assert outcome.curves
    assert all(np.isfinite(curve).all() for curve in outcome.curves.values())


@pytest.fixture(scope="module")
def protonet() -> Iterator[Session]:
    with Session(PlainBackend()) as session:
        session.install(load_seed("protonet"))
        yield session


@pytest.mark.parametrize(
    "name", ["few-shot-glyphs", "few-shot-continual", "in-context", "sinusoids"]
)
def test_a_learner_is_scored_on_small_tasks_and_its_record_says_the_same(
    protonet: Session, name: str
) -> None:
    found = evaluate(protonet, Unit(name, "smoke", 0))
    assert found.verdict == "scored", found.reason
    assert (found.flops or 0) > 0
    again = recompute(benchmarks.benchmark(name), "smoke", 0, found.predictions)
    assert again.raw == found.raw
    assert again.metrics == found.metrics


CHANGING = """
import torch

class Learner:
    def __init__(self, spec, *, seed, device="cpu"): self.spec, self.calls = spec, 0
    def observe(self, x, y, task=None): pass
    def adapt(self, x, y, steps=None):
        self.calls += 1
        return self
    def predict(self, x, task=None):
        return torch.full((len(x), self.spec.outputs), float(self.calls))
"""


def test_a_learner_that_adapts_itself_fails() -> None:
    with Session(PlainBackend()) as session:
        session.install({"learner.py": CHANGING})
        found = evaluate(session, Unit("few-shot-digits", "smoke", 0))
    assert (found.verdict, found.cause) == ("failed", "protocol")
    assert "changed the learner" in found.reason
