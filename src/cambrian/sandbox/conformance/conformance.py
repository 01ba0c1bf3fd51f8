"""The conformance suite: what a backend is to enforce, and whether it does so here.

Every wall is tried from the inside of a real session. A backend says itself what it cannot enforce
(`Backend.reduced`); all else it has to. Used by `cambrian doctor` and by the tests of every
backend, and of use to anyone who writes another one::

    results = conformance.run(backend)      # six sessions, some ten seconds
    assert all(result.met for result in results)
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from cambrian.errors import SandboxBroken
from cambrian.sandbox.backends import owner
from cambrian.sandbox.backends.process import Backend
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.session import Session
from cambrian.text import neutralise

PROBE = {
    "improver.py": Path(__file__).with_name("probe.py"),
    "parts/amounts.py": Path(__file__).with_name("amounts.py"),
}
LIMITS = Limits(memory_bytes=512 << 20, request_s=20.0, job_s=30.0, unbounded_memory=True)
PATIENCE_S = 0.5

CHECKS: dict[str, str] = {
    "network": "no interface but its own loopback; no socket of the host answers",
    "host files": "a file of the host is not to be found",
    "root file system": "nothing can be written but the scratch place",
    "capabilities": "none, an ordinary user, no new privileges",
    "seccomp": "dangerous system calls and sockets that are not local fail",
    "machine": "what the whole machine does is not told",
    "shared files": "files that sessions share tell no session of another: no lock, wait or count",
    "process 1": "can be neither read nor stopped by a job",
    "processes": "processes and threads together are bounded",
    "open files": "descriptors are bounded",
    "memory": "of all processes together is bounded",
    "cpu": "the share of the processors is bounded",
    "scratch size": "the only writable place is bounded",
    "shared memory": "there is none",
    "output": "a job that prints without end is ended",
    "time": "a job that takes too long is ended",
    "between jobs": "no process and no file is left",
    "gpu": "none is given unless it is asked for",
}
"""Every check there is, and what it means to pass it."""


class Expectation(StrEnum):
    """What is expected of a backend in one check."""

    ENFORCED = "enforced"
    REDUCED = "reduced"
    """It says that it cannot; what is run there is marked as of reduced isolation."""
    NOT_APPLICABLE = "not applicable"
    """There is nothing that could enforce it."""


@dataclass(frozen=True)
class Result:
    """One wall.

    Attributes:
        expected: of this backend.
        enforced: whether it stands; None where it could not be told.
        detail: what was seen, or why it cannot be enforced.
    """

    name: str
    expected: Expectation
    enforced: bool | None
    detail: str

    @property
    def met(self) -> bool:
        """Whether the backend is as good as it says."""
        return self.enforced is not False or self.expected is not Expectation.ENFORCED


def expectations(backend: Backend) -> dict[str, Expectation]:
    """What is expected of a backend, for every check."""
    lacking = Expectation.NOT_APPLICABLE if backend.isolation == "none" else Expectation.REDUCED
    return {name: lacking if name in backend.reduced else Expectation.ENFORCED for name in CHECKS}


def run(backend: Backend) -> list[Result]:
    """Try every wall of a backend, in the order of `CHECKS`.

    Raises:
        SandboxBroken: no session could be opened.
    """
    with ThreadPoolExecutor(max_workers=3) as together:
        parts = [together.submit(part, backend) for part in (_walls, *_ENDINGS)]
        found = {name: seen for part in parts for name, seen in part.result().items()}
    untold = (False, "the probe did not come to it")
    return [
        Result(name, expected, *_told(backend, name, found.get(name, untold)))
        for name, expected in expectations(backend).items()
    ]


Finding = tuple[bool | None, str]


def _told(backend: Backend, name: str, finding: Finding) -> Finding:
    """With the backend's own reason where a wall does not stand."""
    enforced, detail = finding
    why = backend.reduced.get(name)
    return enforced, detail if enforced or why is None else f"{why} ({detail})"


class _Burning:
    """The processor share that a busy job got, by the host's clock and counters."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._began, self._before = 0.0, self._used()

    def _used(self) -> float | None:
        return self._session.cpu_s()

    def begin(self) -> None:
        self._began, self._before = time.monotonic(), self._used()

    def end(self, told: float) -> Finding:
        """Args: told: processor seconds by the job's own count, for want of a better one."""
        took, now = time.monotonic() - self._began, self._used()
        counted = now is not None and self._before is not None
        used = now - self._before if now is not None and self._before is not None else told
        share, allowed = used / took, LIMITS.cpus
        by = "by the control group" if counted else "by its own count"
        detail = f"busy processes got {share:.2f} of {allowed:g} processors, {by}"
        if share < 0.8 * allowed:
            return None, f"{detail}; the host is too busy to tell"
        return share <= 1.2 * allowed, detail


def _walls(backend: Backend) -> dict[str, Finding]:
    """What a job can try and live."""
    findings: dict[str, Finding] = {}
    with _host() as (given, heard), Session(backend, LIMITS) as session:
        burning = _Burning(session)

        def take(told: dict[str, Any]) -> None:
            if "burning" in told:
                burning.begin()
            elif "burnt" in told:
                findings["cpu"] = burning.end(float(told["burnt"]))
            findings.update(_findings(told))

        _probe(session, "walls", take, given)
        if heard():
            findings["network"] = (False, "a packet came to the host")
    return findings


def _memory(backend: Backend) -> dict[str, Finding]:
    findings: dict[str, Finding] = {}
    with Session(backend, LIMITS) as session:
        try:
            _probe(session, "memory", lambda told: findings.update(_findings(told)))
        except LearnerFailed as failure:
            findings["memory"] = (failure.cause == "memory", str(failure))
    return findings


def _output(backend: Backend) -> dict[str, Finding]:
    with Session(backend, LIMITS) as session:
        try:
            _probe(session, "output")
        except LearnerFailed as failure:
            return {"output": (failure.cause == "output", str(failure))}
    return {"output": (False, "256 MiB could be printed")}


def _process_1(backend: Backend) -> dict[str, Finding]:
    findings: dict[str, Finding] = {}
    with Session(backend, LIMITS) as session:
        try:
            _probe(session, "process 1", lambda told: findings.update(_findings(told)))
        except (LearnerFailed, SandboxBroken) as ended:
            return {"process 1": (False, f"a job ended it: {ended}"[:300])}
    return findings


def _time(backend: Backend) -> dict[str, Finding]:
    """The host's deadline."""
    with Session(backend, replace(LIMITS, request_s=PATIENCE_S, job_s=PATIENCE_S)) as session:
        began = time.monotonic()
        try:
            _probe(session, "time")
        except LearnerFailed as failure:
            took = time.monotonic() - began
            enforced = failure.cause == "timeout" and took < PATIENCE_S + 3
            return {"time": (enforced, f"{failure}; over after {took:.1f} s")}
    return {"time": (False, "a job slept through its deadline")}


def _between(backend: Backend) -> dict[str, Finding]:
    """An ordinary job ends regularly: nothing was left, and the session goes on."""
    with Session(backend, LIMITS) as session:
        session.install({"improver.py": ""})
        with session.job("improver"):
            pass
        report = session.report
        stands = report is not None and report.clean and not session.spent
    return {"between jobs": (stands, "no process and no file is left" if stands else "unclean")}


_ENDINGS = (_memory, _output, _process_1, _time, _between)
"""Each in a session of its own: where the wall does not stand, that may be the end of it."""


def _probe(
    session: Session,
    name: str,
    take: Callable[[dict[str, Any]], None] = lambda _: None,
    given: Mapping[str, Any] | None = None,
) -> None:
    """Run one probe as a job; `take` is told what it says."""

    def ask(messages: list[dict[str, str]]) -> str:
        take(json.loads(messages[0]["content"]))
        return ""

    evidence = {"probe": name, "scratch": "/tmp", **(given or {})}  # noqa: S108 - inside
    evidence |= {field: getattr(LIMITS, field) for field in LIMITS.__dataclass_fields__}
    session.install({path: file.read_text("utf-8") for path, file in PROBE.items()})
    with session.job("improver") as channel:
        channel.improve(evidence, ask)


def _findings(told: Mapping[str, Any]) -> dict[str, Finding]:
    return {
        neutralise(name): (None if stands is None else stands is True, neutralise(str(said))[:300])
        for name, (stands, said) in told.get("findings", {}).items()
    }


@contextmanager
def _host() -> Iterator[tuple[dict[str, Any], Any]]:
    """Things of the host that a sandbox must not find: a file, sockets, a port of its loopback;
    and whether a packet came."""
    abstract = f"cambrian-{secrets.token_hex(8)}"
    folder = owner.folder()  # short enough for the path of a socket
    with contextlib.ExitStack() as leaving:
        leaving.callback(shutil.rmtree, folder, ignore_errors=True)
        file, local = folder / "file", folder / "socket"
        file.write_text("of the host", "ascii")
        with (
            socket.socket(socket.AF_UNIX) as named,
            socket.socket(socket.AF_UNIX) as hidden,
            socket.socket() as port,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets,
        ):
            named.bind(str(local))
            hidden.bind("\0" + abstract)
            port.bind(("127.0.0.1", 0))
            packets.bind(port.getsockname())
            for each in (named, hidden, port):
                each.listen()
            packets.setblocking(False)

            def heard() -> bool:
                try:
                    return bool(packets.recv(16))
                except BlockingIOError:
                    return False

            given = {"file": str(file), "socket": str(local), "abstract": abstract}
            yield given | {"port": port.getsockname()[1]}, heard
