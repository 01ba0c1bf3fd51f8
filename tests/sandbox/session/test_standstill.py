"""Time in which somebody did not run is nobody's fault: a stopped worker, a stopped sandbox."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from tests.sandbox.conftest import MAKERS

from cambrian.agents.spec import TaskSpec
from cambrian.errors import SandboxBroken
from cambrian.sandbox.backends.engine import engine
from cambrian.sandbox.runner.frames import (
    LAST_LOOK_S,
    DeadlinePassed,
    Expect,
    FrameSocket,
    Kind,
)
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.session import Session

WAITING = """
import time, torch
class Learner:
    def __init__(self, spec, *, seed, device="cpu"): pass
    def observe(self, x, y, task=None): pass
    def predict(self, x, task=None):
        time.sleep(float(x[0, 0]))
        return torch.ones(len(x), 2)
"""
SMALL = TaskSpec("classification", (2,), 2)

# What a worker does, in a process that can be stopped: ask and say what came of it.
WORKER = """
import sys, time
sys.path[:0] = sys.argv[2:]
import numpy as np
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.session import Session
from tests.sandbox.conftest import MAKERS
from tests.sandbox.session.test_standstill import SMALL, WAITING

limits = Limits(request_s=2.5, job_s=5.0, unbounded_memory=True)
with Session(MAKERS[sys.argv[1]](), limits) as session:
    session.install({"learner.py": WAITING})
    try:
        with session.job() as channel:
            channel.start(SMALL, 0)
            for seconds in (1.0, 60.0):
                print("asking", flush=True)
                began = time.monotonic()
                channel.predict(np.full((1, 2), seconds, np.float32))
                print("answered", flush=True)
    except LearnerFailed as failure:
        print(failure.cause, str(failure), flush=True)
"""

FRAME = Expect(frozenset({Kind.DONE}))


@contextmanager
def stopped(pid: int, seconds: float) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("name", ["bubblewrap", "none"])
def test_a_worker_that_was_stopped_takes_what_came_meanwhile(name: str) -> None:
    """Both times longer than a request's limit, and than a job's: an answer is taken, and a learner
    that hangs gets the time that is left and is condemned for it."""
    if name == "bubblewrap" and os.geteuid() != 0:
        name = "bubblewrap-user"
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, name, *sys.path],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert worker.stdout is not None
    with worker, worker.stdout as said:
        for expected in ("answered", "timeout no answer within 2.5 s"):
            assert said.readline().strip() == "asking"
            time.sleep(0.3)
            with stopped(worker.pid, 3.5):
                continued = time.monotonic()
            assert said.readline().strip() == expected
        assert 1.0 < time.monotonic() - continued < 20.0, "the time that was left, and no more"
    assert worker.returncode == 0


def test_what_lies_there_when_the_deadline_has_passed_is_taken() -> None:
    near, far = (FrameSocket(end) for end in socket.socketpair())
    far.send(Kind.DONE, 7)
    assert near.receive(FRAME, deadline=time.monotonic() - 0.1).sequence == 7
    far.send(Kind.DONE, 8)
    with pytest.raises(DeadlinePassed):
        near.receive(FRAME, deadline=time.monotonic() - 2 * LAST_LOOK_S)
    near.close()
    far.close()


def test_bytes_that_never_end_do_not_outlast_a_deadline() -> None:
    near, far = socket.socketpair()
    ended = threading.Event()

    def drip() -> None:
        far.sendall(b"CBR1")
        with far:
            while not ended.wait(0.002):
                far.send(b"\0")

    dripping = threading.Thread(target=drip)
    dripping.start()
    door, began = FrameSocket(near), time.monotonic()
    try:
        with pytest.raises(DeadlinePassed):
            door._until, door._seen = began + 0.2, began
            door._fill(memoryview(bytearray(1 << 24)))
        assert time.monotonic() - began < 0.2 + LAST_LOOK_S + 5.0
    finally:
        ended.set()
        dripping.join()
        door.close()


def _hanging(session: Session, hold: Any) -> None:
    """Ask a learner that sleeps far beyond the limit; `hold` what runs it after a moment."""
    session.install({"learner.py": WAITING})
    with session.job() as channel:
        channel.start(SMALL, 0)
        threading.Timer(0.3, hold).start()
        channel.predict(np.full((1, 2), 60.0, np.float32))


@pytest.mark.docker
@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's engine is tried as root")
def test_a_sandbox_that_the_host_has_paused_is_broken_and_not_a_learner_that_hangs() -> None:
    limits = Limits(request_s=2.5, job_s=25.0)
    with engine() as client, Session(MAKERS["docker"](), limits) as session:
        container = session._process._container  # type: ignore[union-attr]
        try:
            with pytest.raises(SandboxBroken, match="group was frozen"):
                _hanging(session, lambda: client.pause(container))
        finally:
            client.unpause(container)


@pytest.mark.skipif(os.geteuid() != 0, reason="the sandbox's processes are another user's")
def test_a_sandbox_whose_process_1_the_host_has_stopped_is_broken() -> None:
    limits = Limits(request_s=2.5, job_s=25.0)
    with Session(MAKERS["bubblewrap"](), limits) as session:
        first = session._peer
        assert first
        with pytest.raises(SandboxBroken, match="process 1 was stopped"):
            _hanging(session, lambda: os.kill(first, signal.SIGSTOP))


def test_a_learner_that_stops_itself_is_still_the_one_that_hangs(plain: Any) -> None:
    session: Session = plain.session()
    session.limits = Limits(request_s=1.5, job_s=25.0)
    itself = WAITING.replace("time.sleep", "__import__('os').kill(__import__('os').getpid(), 19), ")
    session.install({"learner.py": itself})
    with pytest.raises(LearnerFailed) as failed, session.job() as channel:
        channel.start(SMALL, 0)
        channel.predict(np.zeros((1, 2), np.float32))
    assert failed.value.cause == "timeout"
