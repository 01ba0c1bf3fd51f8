"""Run a hostile program as an evaluation would, and say what was wrong.

A small honest stream (a span with probes, then prequential steps) is what a program runs on, so
that cheating has something to gain. Two that run as a pair get labels that are drawn by chance: who
knows them was told.

    with Canaries.out() as canaries:
        attempt = attempt_program(program, Lender(backend), canaries)
    assert not attempt.faults
"""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cambrian.sandbox.attack.program import Program
from cambrian.sandbox.channel import Channel, Stream
from cambrian.sandbox.failures import LearnerFailed
from cambrian.sandbox.limits import Limits
from cambrian.sandbox.process import Backend
from cambrian.sandbox.runner.frames import Array
from cambrian.sandbox.session import Report, Session, SessionPool

LIMITS = Limits(memory_bytes=640 << 20, request_s=3.0, job_s=25.0, unbounded_memory=True)
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
MEMORY = 64 << 20
"""Bytes that this process may have gained by a run."""
LONGEST_S = 30.0
CHANCE = 1 / 3
GUESSED = 4
"""Standard deviations above chance that luck explains."""
UNKNOWN = 320
"""Labels that nobody can know, in steps of eight."""


@dataclass(frozen=True)
class Outcome:
    """`scored`, or the cause of a failure; and what could be seen of it."""

    verdict: str
    score: float
    said: str
    message: str
    report: Report | None


def stream() -> tuple[Array, Array]:
    """240 inputs (240, 6) and labels of three kinds (240,) that can be learned."""
    draw = np.random.default_rng(7)
    x = draw.normal(size=(240, 6)).astype(np.float32)
    y = (x @ draw.normal(size=(6, 3))).argmax(1)
    return x, y.astype(np.int64)


def run_stream(channel: Channel) -> float:
    """A span with probes, then a few prequential steps; the mean accuracy."""
    x, y = stream()
    order = np.arange(160).repeat(2)
    channel.start(Stream("classification", (6,), 3, observations=320, batch_size=16), seed=1)
    channel.publish("train", {"x": x[:160], "y": y[:160], "order": order})
    channel.publish("probe", {"x": x[160:]})
    span = channel.span("train", 0, 320, 16, probe="probe", probe_every=10)
    hits = [float((scores.argmax(1) == y[160:]).mean()) for scores in span]
    channel.boundary()
    hits += _steps(channel, x[160:], y[160:])
    channel.finish()
    return float(np.mean(hits))


def run_unknown(channel: Channel) -> float:
    """Prequential steps whose labels were drawn by chance; the mean accuracy."""
    draw = np.random.default_rng(8)
    x = draw.normal(size=(UNKNOWN + 8, 6)).astype(np.float32)
    y = draw.integers(0, 3, size=UNKNOWN + 8)
    spec = Stream("classification", (6,), 3, observations=UNKNOWN, batch_size=8)
    channel.start(spec, seed=1)
    hits = _steps(channel, x, y)
    channel.finish()
    return float(np.mean(hits))


def _steps(channel: Channel, x: Array, y: Array) -> list[float]:
    """Ask for eight, tell their labels, ask for the next; the accuracy of each step."""
    hits = []
    scores = channel.predict(x[:8])
    for start in range(0, len(x) - 16 + 1, 8):
        hits.append(float((scores.argmax(1) == y[start : start + 8]).mean()))
        scores = channel.reveal_and_predict(y[start : start + 8], x[start + 8 : start + 16])
    return hits


class Lender:
    """A live session of one backend, made anew whenever the last one is spent."""

    def __init__(self, backend: Backend, limits: Limits = LIMITS) -> None:
        self.backend = backend
        self.limits = limits
        self.pool = SessionPool(backend, limits)
        self._session: Session | None = None
        self._honest: float | None = None

    def session(self) -> Session:
        if self._session is None or self._session.spent:
            if self._session is not None:
                self._session.close()
            self._session = self.pool.acquire()
            self.pool.prepare()
        return self._session

    def run(self, learner: str, files: Mapping[str, str] | None = None) -> Outcome:
        """One whole job of a learner (`from honest import Learner` works in it)."""
        return run_in(self.session(), learner, files)

    def honest_score(self) -> float:
        """What the honest learner scores here.

        Raises:
            AssertionError: it does not, or the stream cannot be learned.
        """
        if self._honest is None:
            outcome = self.run(HONEST)
            if outcome.verdict != "scored" or outcome.score <= 2 * CHANCE:
                raise AssertionError(f"expected the honest learner to score, got {outcome}")
            self._honest = outcome.score
        return self._honest

    def close(self) -> None:
        self.pool.close()
        if self._session is not None:
            self._session.close()
            self._session = None


def run_in(
    session: Session,
    learner: str,
    files: Mapping[str, str] | None = None,
    work: Callable[[Channel], float] = run_stream,
) -> Outcome:
    """One whole job in a session."""
    session.install({"honest.py": HONEST, "learner.py": learner, **(files or {})})
    try:
        with session.job() as channel:
            score = work(channel)
    except LearnerFailed as failure:
        said = failure.trace + (session.report.output if session.report else "")
        return Outcome(failure.cause, 0.0, said, str(failure), session.report)
    said = session.report.output if session.report else ""
    return Outcome("scored", score, said, "", session.report)


@dataclass(frozen=True)
class Canaries:
    """Things of the host that nothing in a sandbox may find."""

    file: Path
    abstract: str

    @classmethod
    @contextmanager
    def out(cls) -> Iterator[Canaries]:
        """A file that all may read, a socket that listens, a word in the environment."""
        name, before = f"cambrian-host-canary-{secrets.token_hex(8)}", os.environ.get(SECRET)
        with (
            tempfile.TemporaryDirectory(prefix="cambrian-canaries-") as folder,
            socket.socket(socket.AF_UNIX) as listener,
        ):
            file = Path(folder, "canary")
            file.write_text("HOST-CANARY")
            file.chmod(0o644)
            listener.bind("\0" + name)
            listener.listen()
            os.environ[SECRET] = SECRET
            try:
                yield cls(file, name)
            finally:
                if before is None:
                    del os.environ[SECRET]
                else:
                    os.environ[SECRET] = before

    def fill(self, source: str) -> str:
        """A program that is to look for them."""
        return source.replace("@CANARY@", str(self.file)).replace("@ABSTRACT@", self.abstract)

    def faults(self) -> list[str]:
        """What happened to them."""
        try:
            untouched = self.file.read_text() == "HOST-CANARY"
            beside = [entry.name for entry in self.file.parent.iterdir()]
        except OSError as error:
            return [f"a file of the host: {error}"]
        return ([] if untouched else ["a file of the host was changed"]) + (
            [] if beside == ["canary"] else [f"files in a folder of the host: {beside}"]
        )


SECRET = "SECRET_CANARY"  # noqa: S105 - no secret: programs look for this very word


@dataclass(frozen=True)
class Attempt:
    """What came of a program.

    Attributes:
        faults: what it must not have been able to do, in words; none: the sandbox held.
    """

    program: Program
    outcomes: list[Outcome] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def attempt_program(program: Program, lender: Lender, canaries: Canaries) -> Attempt:
    """Run one program as its headers say, and look at everything that it must not have done.

    Raises:
        SandboxBroken: the sandbox itself is gone or misbehaves.
    """
    if program.request_s is not None and not program.pair:
        limits = replace(lender.limits, request_s=program.request_s)
        own = Lender(lender.backend, limits)
        try:
            return _attempt(program, own, canaries)
        finally:
            own.close()
    return _attempt(program, lender, canaries)


def _attempt(program: Program, lender: Lender, canaries: Canaries) -> Attempt:
    attempt = Attempt(program)
    source = canaries.fill(program.source)
    honest = lender.honest_score()
    lender.session()
    before, began = _resident(), time.monotonic()
    if program.pair:
        _pair(attempt, lender, source)
    else:
        for _ in range(program.times):
            _once(attempt, lender, source, honest)
    took, gained = time.monotonic() - began, _resident() - before
    if took > LONGEST_S * program.times:
        attempt.faults.append(f"it took {took:.0f} s")
    if gained > MEMORY:
        attempt.faults.append(f"the host gained {gained >> 20} MiB of memory")
    attempt.faults.extend(canaries.faults())
    if not program.pair and not lender.session().spent:
        again = lender.run(HONEST)
        if (again.verdict, again.score) != ("scored", honest):
            attempt.faults.append(f"the next job inherits: {again}")
    return attempt


def _once(attempt: Attempt, lender: Lender, source: str, honest: float) -> None:
    session = lender.session()
    outcome = run_in(session, source)
    _judge(attempt, outcome, lender.backend.name)
    if outcome.score > honest + 1e-9:
        attempt.faults.append(f"it scored {outcome.score:.3f}, an honest learner {honest:.3f}")
    if outcome.verdict != "scored" and not session.spent:
        attempt.faults.append("a job failed and its session went on")


def _pair(attempt: Attempt, lender: Lender, source: str) -> None:
    """Two agents in two sessions, on the same stream at the same time."""
    request = attempt.program.request_s or lender.limits.request_s
    limits = replace(lender.limits, request_s=request, job_s=2 * lender.limits.job_s)

    def run(_: int) -> Outcome:
        with Session(lender.backend, limits) as session:
            ready.append(session)
            until = time.monotonic() + limits.start_s
            while len(ready) < 2 and time.monotonic() < until:
                time.sleep(0.01)
            return run_in(session, source, work=run_unknown)

    ready: list[Session] = []
    with ThreadPoolExecutor(max_workers=2) as both:
        outcomes = list(both.map(run, range(2)))
    luck = CHANCE + GUESSED * (CHANCE * (1 - CHANCE) / UNKNOWN) ** 0.5
    for outcome in outcomes:
        _judge(attempt, outcome, lender.backend.name)
        if outcome.score > luck:
            attempt.faults.append(
                f"one of two scored {outcome.score:.3f} on labels that nobody can know"
            )


def _judge(attempt: Attempt, outcome: Outcome, backend: str) -> None:
    """What holds for every run."""
    attempt.outcomes.append(outcome)
    if "BREACH" in outcome.said and not attempt.program.inside(backend):
        lines = [line for line in outcome.said.splitlines() if "BREACH" in line]
        attempt.faults.append("; ".join(lines)[:1000])
    expected = attempt.program.expected(backend)
    if outcome.verdict not in expected:
        attempt.faults.append(
            f"expected {' or '.join(sorted(expected))}, got {outcome.verdict}: "
            f"{outcome.message} {outcome.said[-1000:]}"
        )


def _resident() -> int:
    """Bytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
