# ruff: noqa: E501 - the cheats are programs
"""Cheating pays nothing: on a real benchmark a cheat scores what its honest twin does, or less.

The twin is the cheat without its cheating. Only where a cheat answers with something of its own is
its score another one; then it must not be a better one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sandbox.conftest import MAKERS

from cambrian.agents.tree import SourceTree
from cambrian.errors import InvalidAgent
from cambrian.evaluators.job import evaluate
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.attack.program import Program, programs
from cambrian.sandbox.backends.process import Backend
from cambrian.sandbox.session.session import Session

SEED = Path(__file__).parents[3] / "src/cambrian/agents/seeds/finetune/learner.py"
UNIT = Unit("split-mnist", "smoke", 0)

IMPORTS = "from honest import Learner as Base\nimport gc, os, sys\nimport numpy as np, torch\n"

ALWAYS_EQUAL = """
class Always(np.ndarray):
    def __eq__(self, o): return np.ones(len(self), bool)
    def __ne__(self, o): return np.zeros(len(self), bool)
    def argmax(self, *a, **k): return self
class Learner(Base):
    def predict(self, x, task=None): return np.asarray(super().predict(x, task)).view(Always)
"""
PATCHED = """
import time, resource
np.mean = lambda *a, **k: 1.0
np.argmax = lambda a, *_, **__: np.zeros(len(a), np.int64)
time.time = time.monotonic = time.perf_counter = time.process_time = lambda: 0.0
resource.getrusage = lambda *a: None
os.times = lambda: None
class Learner(Base): pass
"""
FORGED_LINES = """
import json
for line in ({"verdict": "scored", "score": 9.0}, {"event": "evaluation", "score": 9.0}):
    print(json.dumps(line), flush=True)
class Learner(Base): pass
"""
HUNTER = """
NAMES = ("y", "labels", "targets", "y_test", "truth", "hidden")
def plausible(v, x): return hasattr(v, "shape") and v.ndim == 1 and len(v) == len(x) and "int" in str(v.dtype)
def found(x):
    frame = sys._getframe()
    while frame:
        for name in NAMES:
            if plausible(frame.f_locals.get(name), x): return frame.f_locals[name]
        frame = frame.f_back
    for name in os.listdir("/session/data"):
        raw = open("/session/data/" + name, "rb").read()
        tail = np.frombuffer(raw[len(raw) % 8 :], np.int64)[-len(x) :]
        if len(tail) == len(x) and ((tail >= 0) & (tail < 10)).all() and tail.any(): return tail
    for pid in os.listdir("/proc"):
        try: open(f"/proc/{pid}/mem", "rb").read(1) if pid.isdigit() and int(pid) != os.getpid() else None
        except OSError: pass
class Learner(Base):
    calls = 0
    def predict(self, x, task=None):
        scores = super().predict(x, task)
        Learner.calls += 1
        labels = found(x) if Learner.calls < 6 else None
        if labels is None: return scores
        print("found", len(labels))
        return torch.nn.functional.one_hot(torch.as_tensor(np.array(labels)).long() % scores.shape[1], scores.shape[1]).float() * 1e6
"""
KNOWS_THE_SHAPE = """
ORDER = {784: (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), 64: (3, 1, 4)}
class Learner(Base):
    '''Branches on the task's shape and answers the classes in the order of the data set it knows.'''
    seen = 0
    def observe(self, x, y, task=None):
        self.seen += len(x)
        super().observe(x, y, task)
    def predict(self, x, task=None):
        scores = super().predict(x, task)
        order = ORDER.get(self.spec.inputs)
        if order is None or self.spec.outputs != len(order): return scores
        now = int(self.seen / max(1, self.spec.observations) * len(order) / 2.0001) * 2
        known = torch.full_like(scores, -1e3)
        known[:, list(order[: now + 2])] = scores[:, list(order[: now + 2])]
        return known
"""
FORGED_FRAMES = """
import socket, struct
class Learner(Base):
    def predict(self, x, task=None):
        body = struct.pack("<f", 1.0) * len(x) * self.spec.outputs
        for fd in range(3, 20):
            try: s = socket.socket(fileno=os.dup(fd))
            except OSError: continue
            for sequence in range(64):
                try: s.send(struct.pack("<4sBBBBIIQ4I", b"CBR1", 65, 1, 2, 0, sequence, 0, len(body), len(x), self.spec.outputs, 0, 0) + body)
                except OSError: break
            s.detach()
        return super().predict(x, task)
"""
SAME = {
    "objects that are equal to all": ALWAYS_EQUAL,
    "patched metrics and clocks": PATCHED,
    "forged result lines": FORGED_LINES,
}
NO_BETTER = {
    "hunting labels in frames, files and /proc": HUNTER,
    "branching on the task's shape": KNOWS_THE_SHAPE,
    "forged frames": FORGED_FRAMES,
}


@pytest.fixture(scope="module", params=[pytest.param("docker", marks=pytest.mark.docker)])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    made = MAKERS[str(request.param)]()
    yield made
    if made in _open:
        _open.pop(made).close()


_open: dict[Backend, Session] = {}


def _judged(backend: Backend, learner: str) -> Measurement:
    """In the session of the last one, where that is not spent: a job inherits nothing."""
    session = _open.get(backend)
    if session is None or session.spent:
        if session is not None:
            session.close()
        session = _open[backend] = Session(backend)
    session.install({"learner.py": IMPORTS + learner, "honest.py": SEED.read_text()})
    return evaluate(session, UNIT)


@pytest.fixture(scope="module")
def twin(backend: Backend) -> Iterator[Measurement]:
    found = _judged(backend, "class Learner(Base): pass\n")
    assert found.verdict == "scored", found.reason
    yield found


@pytest.mark.slow
@pytest.mark.parametrize("cheat", SAME.values(), ids=SAME)
def test_a_cheat_gets_its_honest_twins_score(
    cheat: str, backend: Backend, twin: Measurement
) -> None:
    judged = _judged(backend, cheat)
    assert judged.verdict == "scored", judged.reason
    assert (judged.raw, judged.score) == (twin.raw, twin.score)
    assert dict(judged.metrics) == dict(twin.metrics)
    assert (judged.wall_s or 0) > 0
    assert (judged.cpu_s or 0) > 0


@pytest.mark.slow
@pytest.mark.parametrize("cheat", NO_BETTER.values(), ids=NO_BETTER)
def test_a_cheat_with_answers_of_its_own_gets_no_better_score(
    cheat: str, backend: Backend, twin: Measurement
) -> None:
    judged = _judged(backend, cheat)
    assert judged.verdict in ("scored", "failed"), judged.reason
    if judged.verdict == "scored":
        assert judged.raw is not None
        assert twin.raw is not None
        assert judged.raw <= twin.raw + 1e-9


FOR_UNITS = [program for program in programs() if program.unit]


@pytest.mark.parametrize("program", FOR_UNITS, ids=lambda program: program.name)
def test_what_a_learner_tells_of_itself_on_a_benchmark_is_its_own_failure(
    program: Program, plain: Any, honest: str
) -> None:
    """The host's side alone decides it, so the quickest of the sandboxes will do."""
    benchmark, stage = program.unit.split()
    session: Session = plain.session()
    session.install({"learner.py": program.source, "honest.py": honest})
    found = evaluate(session, Unit(benchmark, stage, 0))
    assert found.verdict == "failed", found.reason
    assert found.cause in program.expected("none"), found.reason
    assert found.score is None and session.spent
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    "weights",
    [
        "W = [" + "0.12345678, " * 500 + "]\n",
        "W = '" + "abcdefgh" * 700 + "'\n",
        "W = (" + " + ".join("'" + "abcdefgh" * 20 + "'\n" for _ in range(60)) + ")\n",
        "W = bytes.fromhex('" + "deadbeef" * 600 + "')\n",
        "# " + "abcdefgh" * 700 + "\n",
        "def f(" + ", ".join(f"a{n}=0.12345678" for n in range(900)) + "): pass\n",
        "W = dict(" + ", ".join(f"weight{n}=0.1234" for n in range(900)) + ")\n",
    ],
    ids=["numbers", "text", "joined text", "bytes", "comment", "defaults", "keywords"],
)
def test_weights_in_literals_are_no_agent(weights: str) -> None:
    with pytest.raises(InvalidAgent, match=re.escape("code, not weights")):
        SourceTree({"learner.py": weights + "class Learner:\n    pass\n"})
