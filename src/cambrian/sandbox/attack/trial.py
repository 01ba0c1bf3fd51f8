"""Run a hostile program in real sessions of a backend, and say what did not hold."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.sandbox.attack.program import Program
from cambrian.sandbox.backends.process import Backend
from cambrian.sandbox.runner.frames import Array
from cambrian.sandbox.session.channel import Channel
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.pool import SessionPool
from cambrian.sandbox.session.report import Report
from cambrian.sandbox.session.session import Session

LIMITS = Limits(memory_bytes=640 << 20, request_s=3.0, job_s=25.0, unbounded_memory=True)
PAIRED = Limits(memory_bytes=640 << 20, request_s=10.0, job_s=60.0, unbounded_memory=True)
GROWTH = 64 << 20
"""Bytes by which this process may grow."""
LONGEST_S = 30.0
OPENING = 4
"""So much longer may a pair take, whose two sessions are opened meanwhile."""
GUESSED = 0.5
"""Accuracy on three classes that nobody can know, which chance passes once in a billion runs."""

HONEST = """
import torch
from cambrian.agents.contract import Learner as Contract

class Learner(Contract):
    def __init__(self, spec, *, seed, device="cpu"):
        super().__init__(spec, seed=seed, device=device)
        torch.manual_seed(seed)
        self.layer = torch.nn.Linear(spec.inputs, spec.outputs)
        self.step = torch.optim.SGD(self.layer.parameters(), lr=0.1)

    def observe(self, x, y, task=None):
        self.step.zero_grad()
        torch.nn.functional.cross_entropy(self.layer(x), y).backward()
        self.step.step()

    def predict(self, x, task=None):
        with torch.no_grad():
            return self.layer(x)
"""
"""What the hostile ones are derived from (`from honest import Learner`) and held against."""


@dataclass(frozen=True)
class Outcome:
    """`scored`, or the cause of a failure; and what could be seen of it."""

    verdict: str
    score: float
    said: str
    message: str
    report: Report | None


@dataclass(frozen=True)
class Canaries:
    """Things of the host that nothing in a sandbox may find."""

    file: Path
    abstract: str

    def untouched(self) -> bool:
        """Whether the host's file still says what it said, and nothing lies beside it."""
        alone = [entry.name for entry in self.file.parent.iterdir()] == [self.file.name]
        return alone and self.file.read_text("ascii") == CANARY


CANARY = "HOST-CANARY"
SECRET = "SECRET_CANARY"  # noqa: S105 - a name, and a value that nobody may find


@contextmanager
def canaries() -> Iterator[Canaries]:
    """A file, a socket and a variable of the host, for the length of a block."""
    name = f"cambrian-host-canary-{os.getpid()}"  # other runs have their own
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        file = Path(folder, "canary")
        file.write_text(CANARY, "ascii")
        file.chmod(0o644)
        listener.bind("\0" + name)
        listener.listen()
        before = os.environ.get(SECRET)
        os.environ[SECRET] = SECRET
        try:
            yield Canaries(file, name)
        finally:
            del os.environ[SECRET]
            if before is not None:
                os.environ[SECRET] = before


def stream() -> tuple[Array, Array]:
    """Inputs (240, 6) float32 and labels (240,) of three classes, which can be learned."""
    draw = np.random.default_rng(7)
    x = draw.normal(size=(240, 6)).astype(np.float32)
    y = (x @ draw.normal(size=(6, 3))).argmax(1)
    return x, y.astype(np.int64)


def course(channel: Channel) -> float:
    """A span with probes, then a few prequential steps; the mean accuracy."""
    x, y = stream()
    order = np.arange(160).repeat(2)
    channel.start(TaskSpec("classification", (6,), 3, observations=320, batch_size=16), seed=1)
    channel.publish("train", {"x": x[:160], "y": y[:160], "order": order})
    channel.publish("probe", {"x": x[160:]})
    span = channel.span("train", 0, 320, 16, probe="probe", probe_every=10)
    hits = [float((scores.argmax(1) == y[160:]).mean()) for scores in span]
    channel.task_boundary()
    scores = channel.predict(x[160:168])
    for start in range(160, 224, 8):
        hits.append(float((scores.argmax(1) == y[start : start + 8]).mean()))
        scores = channel.reveal_and_predict(y[start : start + 8], x[start + 8 : start + 16])
    channel.finish()
    return float(np.mean(hits))


def unknowable(channel: Channel, steps: int = 40) -> float:
    """Prequential steps with labels that have nothing to do with the inputs; the accuracy on what
    only somebody who is ahead can tell."""
    draw = np.random.default_rng(11)
    x = draw.normal(size=(8 * (steps + 1), 6)).astype(np.float32)
    y = draw.integers(3, size=8 * (steps + 1))
    channel.start(TaskSpec("classification", (6,), 3, batch_size=8), seed=1)
    hits = []
    scores = channel.predict(x[:8])
    for start in range(0, 8 * steps, 8):
        hits.append(float((scores.argmax(1) == y[start : start + 8]).mean()))
        scores = channel.reveal_and_predict(y[start : start + 8], x[start + 8 : start + 16])
    channel.finish()
    return float(np.mean(hits[1:]))


class Lender:
    """A live session of one backend, rebuilt whenever the last one is spent."""

    def __init__(self, backend: Backend, limits: Limits = LIMITS) -> None:
        self.backend = backend
        self.pool = SessionPool(backend, limits)
        self._session: Session | None = None

    def session(self) -> Session:
        """A session that is not spent: the last one, or a fresh one."""
        if self._session is None or self._session.spent:
            if self._session is not None:
                self._session.close()
            self._session = self.pool.acquire()
            self.pool.prepare()
        return self._session

    def run(
        self, learner: str, files: Mapping[str, str] | None = None, *, request_s: float = 0.0
    ) -> Outcome:
        """One whole job of a learner (`from honest import Learner` works in it)."""
        session = self.session()
        session.limits = replace(session.limits, request_s=request_s or self.pool.limits.request_s)
        session.install({"honest.py": HONEST, "learner.py": learner, **(files or {})})
        return _outcome(session, course)

    def pair(self, learner: str) -> tuple[Outcome, Outcome]:
        """Two sessions of a learner at the same time, on one stream that nobody can know."""
        with Session(self.backend, PAIRED) as one, Session(self.backend, PAIRED) as two:
            for session in (one, two):
                session.install({"honest.py": HONEST, "learner.py": learner})
            with ThreadPoolExecutor(2) as together:
                runs = [together.submit(_outcome, each, unknowable) for each in (one, two)]
                return runs[0].result(), runs[1].result()

    def close(self) -> None:
        """End the session and the spare one."""
        self.pool.close()
        if self._session is not None:
            self._session.close()
            self._session = None


def _outcome(session: Session, drive: Callable[[Channel], float]) -> Outcome:
    try:
        with session.job() as channel:
            score = drive(channel)
    except LearnerFailed as failure:
        said = failure.trace + (session.report.output if session.report else "")
        return Outcome(failure.cause, 0.0, said, str(failure), session.report)
    said = session.report.output if session.report else ""
    return Outcome("scored", score, said, "", session.report)


class Trial:
    """Hostile programs against one backend, beside what the honest learner does there."""

    def __init__(self, lender: Lender, traps: Canaries) -> None:
        self.lender = lender
        self.traps = traps
        self._honest: float | None = None

    def honest(self) -> float:
        """The honest learner's score.

        Raises:
            ValueError: it does not learn here, so nothing could be told.
        """
        if self._honest is None:
            outcome = self.lender.run(HONEST)
            if outcome.verdict != "scored" or outcome.score <= 0.7:
                raise ValueError(f"expected the honest learner to learn, got {outcome}")
            self._honest = outcome.score
        return self._honest

    def faults(self, program: Program) -> list[str]:
        """Run a program as its header says; every way in which the sandbox did not hold."""
        self.honest()
        source = program.filled(self.traps.file, self.traps.abstract)
        before, began = _resident(), time.monotonic()
        if program.pair:
            found = [f for out in self.lender.pair(source) for f in self._seen(program, out, True)]
        else:
            found = []
            for _ in range(program.times):
                session = self.lender.session()
                outcome = self.lender.run(source, request_s=program.request_s)
                found += self._seen(program, outcome, False)
            found += self._after(outcome, session)
        took = time.monotonic() - began
        if took > LONGEST_S * max(program.times, OPENING if program.pair else 1):
            found.append(f"it took {took:.0f} s")
        if _resident() - before > GROWTH:
            found.append(f"this process grew by {(_resident() - before) >> 20} MiB")
        if not self.traps.untouched():
            found.append("the host's file was changed")
        return found

    def _seen(self, program: Program, outcome: Outcome, paired: bool) -> Iterator[str]:
        name = self.lender.backend.name
        if "BREACH" in outcome.said and not program.inside(name):
            with suppress(StopIteration):
                yield next(line for line in outcome.said.splitlines() if "BREACH" in line)
        if outcome.verdict not in program.expected(name):
            yield f"verdict {outcome.verdict}: {outcome.message}"
        bound = GUESSED if paired else self.honest() + 1e-9
        if outcome.score > bound:
            yield f"score {outcome.score:.3f}, over {bound:.3f}"

    def _after(self, outcome: Outcome, session: Session) -> Iterator[str]:
        """A failed job ends its session; where it lives on, the honest learner scores the same."""
        if outcome.verdict != "scored":
            if not session.spent:
                yield "the session of a failed job is used again"
        elif not session.spent:
            again = self.lender.run(HONEST)
            if (again.verdict, again.score) != ("scored", self.honest()):
                yield f"the next job inherits: {again.verdict} {again.score:.3f}"


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
