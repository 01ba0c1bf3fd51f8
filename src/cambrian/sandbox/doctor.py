"""What is enforced here: every wall, tried from the inside of a real session.

`checks` opens two sessions and takes a few seconds. A wall that cannot be tried counts as one that
does not stand.
"""

from __future__ import annotations

import json
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cambrian.sandbox.channel import Channel
from cambrian.sandbox.failures import LearnerFailed
from cambrian.sandbox.limits import Limits
from cambrian.sandbox.process import Backend
from cambrian.sandbox.session import Session
from cambrian.sandbox.text import neutralise

PROBE = Path(__file__).with_name("probe.py")
LIMITS = Limits(memory_bytes=512 << 20, request_s=20.0, job_s=30.0)
PATIENCE_S = 0.5
NAMES = (
    *("network", "host files", "root file system", "capabilities", "seccomp", "process 1"),
    *("processes", "open files", "memory", "cpu", "scratch size", "shared memory"),
    *("output", "time", "between jobs", "gpu"),
)
"""Every check there is, in the order of a table."""


@dataclass(frozen=True)
class Check:
    """One wall.

    Attributes:
        enforced: whether it stands; None where there is nothing to enforce, or
            it could not be told.
        detail: what was seen.
    """

    name: str
    enforced: bool | None
    detail: str


def checks(backend: Backend) -> list[Check]:
    """Try every wall of a backend.

    Raises:
        SandboxBroken: no session could be opened.
    """
    with ThreadPoolExecutor(max_workers=2) as both:
        timed = both.submit(_time, backend)
        found = {check.name: check for check in [*_walls(backend), *timed.result()]}
    found["gpu"] = Check("gpu", None, "no session is given one unless it is asked for")
    missing = "the probe did not come to it"
    return [found.get(name, Check(name, False, missing)) for name in NAMES]


def _walls(backend: Backend) -> list[Check]:
    """All but time, in one session: the last two probes end its job."""
    findings: dict[str, Any] = {}

    def ask(messages: list[dict[str, str]]) -> str:
        findings.update(json.loads(messages[0]["content"]))
        return ""

    with _host() as given, Session(backend, LIMITS) as session:
        session.install({"improver.py": PROBE.read_text("utf-8")})
        given |= {"probe": "walls", "scratch": "/tmp"}  # noqa: S108 - inside
        given |= {name: getattr(LIMITS, name) for name in LIMITS.__dataclass_fields__}
        try:
            with session.job("improver") as channel:
                channel.improve(given, ask)
            output = Check("output", False, "256 MiB could be printed")
        except LearnerFailed as failure:
            output = Check("output", failure.cause == "output", str(failure))
    return [*(Check(*_finding(name, seen)) for name, seen in findings.items()), output]


def _finding(name: str, seen: Any) -> tuple[str, bool | None, str]:
    enforced, detail = seen
    stands = None if enforced is None else enforced is True
    return neutralise(name), stands, neutralise(str(detail))[:300]


def _time(backend: Backend) -> list[Check]:
    """The host's deadline, and that nothing of one job is there in the next."""
    limits = Limits(request_s=PATIENCE_S, job_s=PATIENCE_S)
    with Session(backend, limits) as session:
        session.install({"improver.py": PROBE.read_text("utf-8"), "learner.py": ""})
        clean = _leftovers(session)
        began = time.monotonic()
        try:
            with session.job("improver") as channel:
                _sleep(channel)
            timed = Check("time", False, "a job slept through its deadline")
        except LearnerFailed as failure:
            took = time.monotonic() - began
            enforced = failure.cause == "timeout" and took < PATIENCE_S + 3
            timed = Check("time", enforced, f"{failure}; over after {took:.1f} s")
    return [timed, clean]


def _leftovers(session: Session) -> Check:
    """An empty job ends regularly: nothing was left, and the session goes on."""
    with session.job("improver"):
        pass
    report = session.report
    stands = report is not None and report.clean and not session.spent
    return Check("between jobs", stands, "no process and no file is left" if stands else "unclean")


def _sleep(channel: Channel) -> None:
    channel.improve({"probe": "time"}, lambda _: "")


@contextmanager
def _host() -> Iterator[dict[str, Any]]:
    """Things of the host that a sandbox must not find: a file, a socket, an abstract socket."""
    abstract = f"cambrian-{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory(prefix="cambrian-doctor-") as folder:
        file, local = Path(folder, "file"), Path(folder, "socket")
        file.write_text("of the host", "ascii")
        with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as hidden:
            named.bind(str(local))
            hidden.bind("\0" + abstract)
            named.listen()
            hidden.listen()
            yield {"file": str(file), "socket": str(local), "abstract": abstract}
