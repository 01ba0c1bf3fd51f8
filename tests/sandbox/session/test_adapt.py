"""Copies adapted inside the sandbox: the original stays as it is, and cheating is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cambrian.agents.spec import TaskSpec
from cambrian.sandbox.session.channel import Channel
from cambrian.sandbox.session.failures import LearnerFailed

FEW = TaskSpec("classification", (2,), 2, support=4)
X = np.array([[1, 0], [0, 1], [2, 0], [0, 3]], np.float32)
Y = np.array([0, 1, 0, 1], np.int64)

CENTROIDS = """
import copy
import torch

class Learner:
    def __init__(self, spec, *, seed, device="cpu"):
        self.means = torch.zeros(spec.outputs, *spec.input_shape)
        self.episodes = 0
    def adapt(self, x, y, steps=1):
        copied = copy.copy(self)
        copied.means = steps * torch.stack([x[y == label].mean(0) for label in range(2)])
        return copied
    def new_episode(self): self.episodes += 1
    def observe(self, x, y, task=None): self.means = self.means + x.mean(0)
    def predict(self, x, task=None): return x @ self.means.T + self.episodes
"""

REGRESSION = """
import torch

class Learner:
    def __init__(self, spec, *, seed, device="cpu"): self.weights = torch.zeros(1, 3)
    def adapt(self, x, y):
        copied = Learner(None, seed=0)
        copied.weights = torch.linalg.lstsq(x, y).solution
        return copied
    def predict(self, x, task=None): return x @ self.weights
"""

HOSTILE = """
import os, socket, struct, torch
from honest import Learner as Base

class Learner(Base):
    def adapt(self, x, y, steps=None):
        {adapt}
"""

ANSWERING = "return type('C', (), dict(predict=lambda s, x, t: {}))()"


def _start(lender: Any, learner: str, honest: str = "") -> Any:
    session = lender.session()
    session.install({"honest.py": honest, "learner.py": learner})
    return session


def test_a_copy_is_adapted_and_the_original_is_as_it_was(anywhere: Any) -> None:
    with _start(anywhere, CENTROIDS).job() as channel:
        channel.start(FEW, seed=0)
        before, state = channel.predict(X), channel.finish().state_bytes
        channel.adapt(X, Y)
        assert channel.predict_copy(X).tolist() == [[1.5, 0], [0, 2], [3, 0], [0, 6]]
        channel.adapt(X, Y, steps=3)
        assert channel.predict_copy(X[:1]).tolist() == [[4.5, 0]]
        channel.discard_copy()
        assert np.array_equal(channel.predict(X), before)
        assert channel.finish().state_bytes == state


def test_an_episode_is_revealed_pair_by_pair(plain: Any) -> None:
    with _start(plain, CENTROIDS).job() as channel:
        channel.start(FEW, seed=0)
        channel.new_episode()
        assert channel.predict(X[:1]).tolist() == [[1, 1]]
        assert channel.reveal_and_predict(Y[:1], X[1:2]).tolist() == [[1, 1]]
        channel.reveal(Y[1:2])
        channel.new_episode()
        assert channel.predict(X[:1]).tolist() == [[3, 3]]


def test_targets_may_be_real_numbers(plain: Any) -> None:
    true = np.arange(3, dtype=np.float32).reshape(1, 3)
    x = np.array([[1.0], [2.0]], np.float32)
    with _start(plain, REGRESSION).job() as channel:
        channel.start(TaskSpec("regression", (1,), 3, support=2), seed=0)
        channel.adapt(x, x @ true)
        assert np.allclose(channel.predict_copy(x), x @ true)


def test_the_contracts_own_adapt_copies_and_observes(plain: Any, honest: str) -> None:
    with _start(plain, honest).job() as channel:
        channel.start(FEW, seed=0)
        before = channel.predict(X)
        channel.adapt(X, Y, steps=0)
        assert np.array_equal(channel.predict_copy(X), before)
        channel.adapt(X, Y, steps=20)
        assert (channel.predict_copy(X).argmax(1) == Y).all()
        assert np.array_equal(channel.predict(X), before)


def _once(channel: Channel) -> None:
    channel.adapt(X, Y)
    channel.predict_copy(X)


def _twice(channel: Channel) -> None:
    _once(channel)
    channel.discard_copy()
    channel.predict(X)


def _without(channel: Channel) -> None:
    channel.predict_copy(X)


@pytest.mark.parametrize(
    ("adapt", "cause", "said"),
    [
        ("raise RuntimeError('no copy')", "exception", "no copy"),
        ("return None", "exception", "NoneType"),
        ("return dict(predict=1)", "exception", "predict"),
        ("os._exit(7)", "crash", "exit status 7"),
        ("import time; time.sleep(30)", "timeout", "no answer"),
        (ANSWERING.format("torch.zeros(1)"), "protocol", "shape"),
        (ANSWERING.format("torch.full((4, 2), torch.nan)"), "nonfinite", "NaN"),
    ],
    ids=["raises", "none", "object", "exits", "hangs", "shape", "nan"],
)  # fmt: skip
def test_what_goes_wrong_in_a_copy_is_the_agents_fault(
    plain: Any, honest: str, adapt: str, cause: str, said: str
) -> None:
    with (
        pytest.raises(LearnerFailed, match=said) as caught,
        _start(plain, HOSTILE.format(adapt=adapt), honest).job() as channel,
    ):
        channel.start(FEW, seed=0)
        _once(channel)
    assert caught.value.cause == cause


EARLY = """
        body = b"\\0" * 32
        for fd in range(3, 20):
            try: s = socket.socket(fileno=os.dup(fd))
            except OSError: continue
            for sequence in range(64):
                fields = (b"CBR1", 65, 1, 2, 0, sequence, 0, 32, 4, 2, 0, 0)
                head = struct.pack("<4sBBBBIIQ4I", *fields)
                try: s.send(head + body)
                except OSError: break
        return self
"""
HOARD = "self.hoard = bytearray(1 << 30); return self"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("adapt", "drive", "causes"),
    [
        (EARLY, _twice, {"protocol"}),
        (HOARD, _twice, {"memory", "timeout"}),
        ("return self", _without, {"exception"}),
    ],
    ids=["early", "hoards", "no-copy"],
)
def test_a_hostile_copy_gets_the_verdict_it_deserves(
    walled: Any, honest: str, adapt: str, drive: Callable[[Channel], None], causes: set[str]
) -> None:
    session = _start(walled, HOSTILE.format(adapt=adapt), honest)
    with pytest.raises(LearnerFailed) as caught, session.job() as channel:
        channel.start(FEW, seed=0)
        drive(channel)
        channel.finish()
    assert caught.value.cause in causes
    assert session.spent
