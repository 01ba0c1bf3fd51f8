"""The conformance suite keeps no promise that a benchmark breaks, and every benchmark of ours
keeps them all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cambrian.agents.spec import TaskSpec
from cambrian.errors import NotFound, UsageError
from cambrian.evaluators import benchmarks, plugins, registry
from cambrian.evaluators.benchmarks.base import Benchmark, Card, Outcome, generator
from cambrian.evaluators.conformance import Measured, check, check_measured
from cambrian.sandbox.session.learner_channel import LearnerChannel

OURS = [
    name
    for name in (*benchmarks.names(), *benchmarks.waiting())
    if not benchmarks.missing(benchmarks.benchmark(name))
]


@pytest.mark.parametrize("name", OURS)
def test_every_benchmark_of_ours_keeps_every_promise(name: str) -> None:
    bench = benchmarks.benchmark(name)
    broken = [finding for finding in check(bench) if not finding.kept]
    if name == "random-label-plasticity":  # asks for what it taught: that is its task
        (asked,) = broken
        assert "no input is asked about after" in asked.promise
        return
    assert not broken, broken


class Honest(Benchmark):
    """A small task stream that keeps every promise; the tests below break one each."""

    name = "honest"
    version = "1"
    sealed_only = False
    card = Card(*(f"what there is to say of {what}" for what in "abcdefg"))

    def stream(self, stage: str) -> TaskSpec:
        return TaskSpec("classification", (4,), 3, observations=30, batch_size=10)

    def draw(self, stage: str, seed: int) -> Any:
        return generator(self.name, stage, seed)

    def rows(self, stage: str) -> int:
        return 10 if stage == "smoke" else 30

    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        rng = self.draw(stage, seed)
        x = rng.normal(size=(self.rows(stage), 4)).astype(np.float32)
        y = rng.integers(0, 3, len(x))
        self.show(channel, x, y, rng.normal(size=(6, 4)).astype(np.float32))
        return Outcome(0.5)

    def show(self, channel: LearnerChannel, x: Any, y: Any, test: Any) -> None:
        channel.publish("task", {"x": x, "y": y, "order": np.arange(len(x))})
        for _ in channel.span("task", 0, len(x), 10):
            pass
        channel.withdraw("task")
        channel.publish("test", {"x": test})
        channel.predict_file("test")
        channel.withdraw("test")


class Restless(Honest):
    def draw(self, stage: str, seed: int) -> Any:
        return np.random.default_rng()


class Same(Honest):
    def draw(self, stage: str, seed: int) -> Any:
        return np.random.default_rng(0)


class Doubles(Honest):
    def show(self, channel: LearnerChannel, x: Any, y: Any, test: Any) -> None:
        super().show(channel, x.astype(np.float64), y, test)


class TooManyClasses(Honest):
    def show(self, channel: LearnerChannel, x: Any, y: Any, test: Any) -> None:
        super().show(channel, x, y + 1, test)


class AskedAgain(Honest):
    def show(self, channel: LearnerChannel, x: Any, y: Any, test: Any) -> None:
        super().show(channel, x, y, x[:6])


class LabelledTest(Honest):
    def show(self, channel: LearnerChannel, x: Any, y: Any, test: Any) -> None:
        channel.publish("test", {"x": test, "y": np.zeros(len(test), np.int64)})
        channel.predict_file("test")
        channel.withdraw("test")


class LeftOpen(Honest):
    def show(self, channel: LearnerChannel, x: Any, y: Any, test: Any) -> None:
        super().show(channel, x, y, test)
        channel.publish("more", {"x": x, "y": y, "order": np.arange(len(x))})


class LabelColumn(Honest):
    def show(self, channel: LearnerChannel, x: Any, y: Any, test: Any) -> None:
        x[:, 2] = np.array([0.3, -1.0, 7.0])[y]
        super().show(channel, x, y, test)


class LabelFirst(Honest):
    def show(self, channel: LearnerChannel, x: Any, y: Any, test: Any) -> None:
        channel.reveal(y[:6])
        channel.predict(test)


class NoCard(Honest):
    card = replace(Honest.card, shortcuts="")


class LongSmoke(Honest):
    def rows(self, stage: str) -> int:
        return 30


class Raises(Honest):
    def run(self, channel: LearnerChannel, stage: str, seed: int) -> Outcome:
        raise KeyError("a column")


def test_an_honest_benchmark_keeps_every_promise() -> None:
    broken = [finding for finding in check(Honest()) if not finding.kept]
    assert not broken, broken


@pytest.mark.parametrize(
    ("made", "promise", "said"),
    [
        (Restless, "same seed", "differs between two runs"),
        (Same, "other seeds", "shows what stage full"),
        (Doubles, "announced", "float64"),
        (TooManyClasses, "announced", "labels from 0 to 2"),
        (AskedAgain, "asked about", "6 inputs were asked about"),
        (LabelledTest, "asked about", "whose label had been shown"),
        (LabelFirst, "asked about", "had not been asked about"),
        (LeftOpen, "taken back", "more"),
        (LabelColumn, "gives its label away", "input 2"),
        (NoCard, "card", "shortcuts"),
        (LongSmoke, "smoke", "30"),
        (Raises, "same seed", "KeyError"),
    ],
)
def test_a_broken_promise_is_found_and_named(made: type[Honest], promise: str, said: str) -> None:
    broken = {finding.promise: finding.said for finding in check(made()) if not finding.kept}
    assert any(promise in p and said in s for p, s in broken.items()), broken


def test_ends_too_close_and_stages_too_dear_are_found() -> None:
    floor, ceiling = Measured(0.4, 1, 1, 1.0), Measured(0.6, 1, 1, 1.0)
    kept = [finding.kept for finding in check_measured(floor, ceiling, floor)]
    assert kept == [False, True]
    dear = Measured(0.1, 1, 1, 100.0)
    assert [f.kept for f in check_measured(dear, ceiling, dear)] == [True, False]


# -- files of one's own ------------------------------------------------------------------

SOURCE = """
from cambrian.benchmarks import Benchmark, Card, Outcome, TaskSpec

class Mine(Benchmark):
    name, version, sealed_only = "NAME", "1", False
    card = Card("t", "d", "h", "f", "c", "s", "r")
    def stream(self, stage): return TaskSpec("classification", (1,), 2)
    def run(self, channel, stage, seed): return Outcome(0.5)
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for files of one's own; what they register is forgotten again."""
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    monkeypatch.setattr(plugins, "_loaded", {})
    monkeypatch.setattr(registry, "_ALL", dict(registry._ALL))
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def _file(folder: Path, name: str, source: str = SOURCE) -> Path:
    path = folder / f"{name}.py"
    path.write_text(source.replace("NAME", name), encoding="utf-8")
    return path


def test_a_file_is_loaded_once_and_told_to_the_workers(own: Path) -> None:
    path = _file(own, "mine")
    assert plugins.load(path) is plugins.load(path)
    assert plugins.named(str(path)) == "mine" == benchmarks.benchmark("mine").name
    assert os.environ[plugins.ENVIRONMENT] == str(path)
    assert benchmarks.search_names(["mine"]) == ["mine"]


def test_the_environment_names_files(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = os.pathsep.join(str(_file(own, name)) for name in ("first", "second"))
    monkeypatch.setenv(plugins.ENVIRONMENT, both)
    monkeypatch.setattr(plugins, "_discovered", False)
    assert {"first", "second"} <= set(benchmarks.names())


def test_what_cannot_be_loaded_says_why(own: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        plugins.load(own / "nothing.py")
    with pytest.raises(UsageError, match="cannot be imported: ZeroDivisionError"):
        plugins.load(_file(own, "broken", "1 / 0"))
    with pytest.raises(UsageError, match="expected one subclass"):
        plugins.load(_file(own, "empty", "class Other: pass"))
    with pytest.raises(UsageError, match="found: Mine, Second"):
        plugins.load(_file(own, "two", SOURCE + "\nclass Second(Mine): pass\n"))
    with pytest.raises(UsageError, match="name that no benchmark has"):
        plugins.load(_file(own, "taken", SOURCE.replace("NAME", "split-mnist")))
