"""Every verb of the contract, on every backend: the right answer comes through, no other does."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cambrian.agents.contract import Learner
from cambrian.agents.spec import KINDS, TaskSpec
from cambrian.evaluators.conformance import Watching
from cambrian.evaluators.transcript import Neutral, Playback, Transcript
from cambrian.sandbox.runner.verbs import BOOLEAN, VERBS, dtype_of, shape_of
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.learner_channel import LearnerChannel

ROWS = 5
SPECS = {
    "classification": TaskSpec("classification", (2, 3), 4),
    "regression": TaskSpec("regression", (2, 3), 2),
    "sequence": TaskSpec("sequence", (3, 2), 4),
    "active": TaskSpec("active", (2, 3), 4, pool=ROWS, label_budget=3),
    "optimisation": TaskSpec("optimisation", (2,), 1, label_budget=9),
    "control": TaskSpec("control", (4,), 0, actions=3, environments=ROWS),
    "continuous": TaskSpec("control", (4,), 0, action_shape=(2,), environments=ROWS),
}
USED = {
    "classification": ("observe", "predict", "adapt", "new_episode", "task_boundary", "forget"),
    "regression": ("observe", "predict", "adapt", "compress"),
    "sequence": ("observe", "predict", "forget"),
    "active": ("query", "observe", "predict"),
    "optimisation": ("suggest", "observe"),
    "control": ("act", "feedback", "new_episode", "task_boundary"),
    "continuous": ("act", "feedback"),
}
NUMBERS = {"count": 3, "bytes": 1000, "steps": 2, "task": 1}
CASES = [(kind, verb) for kind, verbs in USED.items() for verb in verbs]

ECHO = '''
import torch

class Learner:
    """Answers with what it was told, so that both ways of each array can be looked at."""
    def __init__(self, spec, *, seed, device="cpu"):
        self.spec, self.told = spec, torch.zeros(())
    def _add(self, *given):
        self.told = self.told + sum(g.double().sum() if hasattr(g, "double") else g for g in given)
    def observe(self, x, y, task=0): self._add(x, y, task or 0)
    def predict(self, x, task=0):
        shape = (len(x), self.spec.input_shape[0]) if self.spec.kind == "sequence" else (len(x),)
        return torch.full((*shape, self.spec.outputs), float(self.told + (task or 0)))
    def adapt(self, x, y, steps=0):
        copied = Learner(self.spec, seed=0)
        copied._add(x, y, steps or 0)
        return copied
    def new_episode(self): self._add(1000)
    def task_boundary(self): self._add(2000)
    def act(self, observations):
        if self.spec.actions: return (observations.sum(1).long() + self.told.long()) % 3
        return torch.full((len(observations), *self.spec.action_shape), 0.5)
    def feedback(self, rewards, terminated, truncated, next_observations):
        assert terminated.dtype == truncated.dtype == torch.bool
        self._add(rewards, terminated, truncated, next_observations)
    def query(self, pool, count): return list(range(len(pool) - count, len(pool)))
    def suggest(self, count): return torch.full((count, *self.spec.input_shape), 0.25)
    def forget(self, x, y, task=0): self._add(-x, -y, -(task or 0))
    def compress(self, bytes): self._add(bytes)
'''


def given(spec: TaskSpec, verb: str) -> tuple[list[Any], dict[str, int]]:
    """Arrays and numbers that a verb may be called with."""
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, 2, shape_of(name, spec, ROWS)).astype(dtype_of(name, spec))
        for name in VERBS[verb].arrays
    ]
    return arrays, {name: NUMBERS[name] for name in VERBS[verb].numbers}


def test_a_verb_is_one_row_and_one_method() -> None:
    for name, row in VERBS.items():
        parameters = list(inspect.signature(getattr(Learner, name)).parameters)
        assert parameters == ["self", *row.arrays, *row.numbers], name
        assert inspect.getdoc(getattr(Learner, name)), f"{name} says nothing"
        if name not in ("predict",):
            asked = list(inspect.signature(getattr(LearnerChannel, name)).parameters)
            assert asked == parameters, name
    verbs = {n for n, m in vars(Learner).items() if callable(m) and not n.startswith("_")}
    assert verbs == set(VERBS)
    assert {spec.kind for spec in SPECS.values()} == set(KINDS)
    assert {verb for verbs in USED.values() for verb in verbs} == set(VERBS)


@pytest.mark.parametrize(("kind", "verb"), CASES)
def test_what_a_verb_is_given_arrives_and_what_it_gives_comes_back(
    anywhere: Any, kind: str, verb: str
) -> None:
    spec = SPECS[kind]
    arrays, numbers = given(spec, verb)
    session = anywhere.session()
    session.install({"learner.py": ECHO})
    with session.job() as channel:
        channel.listener = transcript = Transcript(spec)
        channel.start(spec, seed=0)
        found = channel.call(verb, *arrays, **numbers)
        told = _told(spec, verb, arrays, numbers)
        if kind not in ("control", "continuous", "optimisation"):
            x = arrays[0] if verb != "compress" and arrays else given(spec, "predict")[0][0]
            scores = channel.predict_copy(x) if verb == "adapt" else channel.predict(x)
            assert scores.shape == spec.scores_shape(len(x)) and (scores == told).all()
        channel.finish()
    row = VERBS[verb]
    assert (found is None) == (row.answer is None)
    if found is None or row.answer is None:
        return
    shape = row.answer.shape(spec, ROWS, numbers)
    assert (found.shape, found.dtype) == (shape, row.answer.dtype(spec))
    expected = {"query": [2, 3, 4], "suggest": 0.25, "predict": 1.0}
    if kind == "control":
        assert (found == arrays[0].sum(1) % 3).all()
    elif kind == "continuous":
        assert (found == 0.5).all()
    else:
        assert (found == np.array(expected[verb])).all()
    _plays_back(spec, verb, arrays, numbers, transcript, found)


def _told(spec: TaskSpec, verb: str, arrays: list[Any], numbers: dict[str, int]) -> float:
    """What the learner, or its copy, has been told in all."""
    total = float(sum(a.sum() for a in arrays)) + float(sum(numbers.values()))
    if verb in ("predict", "query", "suggest", "act"):
        return 0.0
    extra = {"new_episode": 1000.0, "task_boundary": 2000.0}.get(verb, 0.0)
    return -total if verb == "forget" else total + extra


def _plays_back(
    spec: TaskSpec,
    verb: str,
    arrays: list[Any],
    numbers: dict[str, int],
    transcript: Transcript,
    found: Any,
) -> None:
    """A record answers as the learner did; the watcher and nobody answer in the same shape."""
    record = Playback(transcript.packed())
    record.start(spec)
    again = record.call(verb, *arrays, **numbers)
    assert again is not None and again.shape == found.shape and again.dtype == found.dtype
    if verb == "predict" and spec.kind in ("classification", "sequence", "active"):
        assert (again.argmax(-1) == found.argmax(-1)).all()
    else:
        assert (again == found).all()
    nobody = Neutral()
    nobody.start(spec)
    others: tuple[LearnerChannel, ...] = (nobody, Watching(spec))
    for other in others:
        said = other.call(verb, *arrays, **numbers)
        assert said is not None and (said.shape, said.dtype) == (found.shape, found.dtype)


BAD = {
    "act: one too many": ("control", "act", "torch.zeros(len(observations) + 1).long()"),
    "act: no such action": ("control", "act", "torch.full((len(observations),), 3)"),
    "act: below the first": ("control", "act", "torch.full((len(observations),), -1)"),
    "act: half an action": ("control", "act", "torch.full((len(observations),), 0.5)"),
    "act: out of range": ("continuous", "act", "torch.full((len(observations), 2), 1.5)"),
    "act: no number": ("continuous", "act", "torch.full((len(observations), 2), float('nan'))"),
    "act: nothing": ("control", "act", "None"),
    "query: twice the same": ("active", "query", "[0, 0, 1]"),
    "query: past the end": ("active", "query", "[0, 1, len(pool)]"),
    "query: too few": ("active", "query", "[0]"),
    "query: a text": ("active", "query", "'012'"),
    "suggest: infinite": ("optimisation", "suggest", "torch.full((count, 2), float('inf'))"),
    "suggest: another shape": ("optimisation", "suggest", "torch.zeros(count, 3)"),
    "predict: no number": ("sequence", "predict", "torch.full((len(x), 3, 4), float('nan'))"),
    "predict: flat": ("sequence", "predict", "torch.zeros(len(x), 4)"),
    "compress: raises": ("regression", "compress", "1 / 0"),
    "forget: raises": ("classification", "forget", "1 / 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_answer_that_does_not_fit_is_the_learners_fault(plain: Any, case: str) -> None:
    kind, verb, expression = BAD[case]
    spec = SPECS[kind]
    arrays, numbers = given(spec, verb)
    names = ", ".join(("self", *VERBS[verb].arrays, *VERBS[verb].numbers))
    code = f"{ECHO}\n    def {verb}({names}): return {expression}\n"
    session = plain.session()
    session.install({"learner.py": code})
    with pytest.raises(LearnerFailed), session.job() as channel:
        channel.start(spec, seed=0)
        channel.call(verb, *arrays, **numbers)


def test_a_verb_that_a_learner_does_not_have_is_named(plain: Any) -> None:
    code = "class Learner:\n    def __init__(self, spec, *, seed, device='cpu'): pass\n"
    session = plain.session()
    session.install({"learner.py": code})
    with pytest.raises(LearnerFailed, match="suggest"), session.job() as channel:
        channel.start(SPECS["optimisation"], seed=0)
        channel.suggest(2)


def test_a_learner_of_version_1_runs_unchanged(plain: Any, honest: str) -> None:
    session = plain.session()
    session.install({"learner.py": honest})
    with session.job() as channel:
        spec = replace(SPECS["classification"], input_shape=(3,))
        channel.start(spec, seed=0)
        x, y = np.zeros((4, 3), np.float32), np.zeros(4, np.int64)
        channel.observe(x, y)
        assert channel.predict(x).shape == (4, 4)


WRONG: dict[str, Callable[[LearnerChannel], object]] = {
    "an unknown verb": lambda channel: channel.call("dance"),
    "too few arrays": lambda channel: channel.call("observe"),
    "an unknown number": lambda channel: channel.call("compress", bits=1),
    "another type": lambda channel: channel.observe(np.zeros((1, 2, 3)), np.zeros(1, np.int64)),
    "another shape": lambda channel: channel.forget(
        np.zeros((1, 9), np.float32), np.zeros(1, np.int64)
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_benchmark_that_calls_a_verb_wrongly_is_told_what_was_expected(wrong: str) -> None:
    channel = Watching(SPECS["classification"])
    with pytest.raises(ValueError, match="expected"):
        WRONG[wrong](channel)


def test_flags_arrive_as_booleans_and_leave_as_bytes() -> None:
    assert all(dtype_of(name, SPECS["control"]) == np.uint8 for name in BOOLEAN)
