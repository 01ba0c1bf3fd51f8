"""Sessions for the tests: every backend, one live session each, and a small honest stream."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from cambrian.sandbox import backends, cgroups, image, owner
from cambrian.sandbox.bubblewrap import BubblewrapBackend
from cambrian.sandbox.channel import Channel, Stream
from cambrian.sandbox.docker import OWNER_LABEL, DockerBackend, engine
from cambrian.sandbox.failures import LearnerFailed
from cambrian.sandbox.limits import Limits
from cambrian.sandbox.plain import PlainBackend
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


@dataclass(frozen=True)
class Outcome:
    """`scored`, or the cause of a failure; and what could be seen of it."""

    verdict: str
    score: float
    said: str
    message: str
    report: Report | None


def _stream() -> tuple[Array, Array]:
    draw = np.random.default_rng(7)
    x = draw.normal(size=(240, 6)).astype(np.float32)
    y = (x @ draw.normal(size=(6, 3))).argmax(1)
    return x, y.astype(np.int64)


def _run(channel: Channel) -> float:
    """A span with probes, then a few prequential steps; the mean accuracy."""
    x, y = _stream()
    order = np.arange(160).repeat(2)
    channel.start(Stream("classification", (6,), 3, observations=320, batch_size=16), seed=1)
    channel.publish("train", {"x": x[:160], "y": y[:160], "order": order})
    channel.publish("probe", {"x": x[160:]})
    span = channel.span("train", 0, 320, 16, probe="probe", probe_every=10)
    hits = [float((scores.argmax(1) == y[160:]).mean()) for scores in span]
    channel.boundary()
    scores = channel.predict(x[160:168])
    for start in range(160, 224, 8):
        hits.append(float((scores.argmax(1) == y[start : start + 8]).mean()))
        scores = channel.reveal_and_predict(y[start : start + 8], x[start + 8 : start + 16])
    channel.finish()
    return float(np.mean(hits))


class Lender:
    """A live session of one backend, made anew whenever the last one is spent."""

    def __init__(self, backend: Backend, limits: Limits = LIMITS) -> None:
        self.backend = backend
        self.pool = SessionPool(backend, limits)
        self._session: Session | None = None

    def session(self) -> Session:
        if self._session is None or self._session.spent:
            if self._session is not None:
                self._session.close()
            self._session = self.pool.acquire()
            self.pool.prepare()
        return self._session

    def run(self, learner: str, files: Mapping[str, str] | None = None) -> Outcome:
        """One whole job of a learner (`from honest import Learner` works in it)."""
        session = self.session()
        session.install({"honest.py": HONEST, "learner.py": learner, **(files or {})})
        try:
            with session.job() as channel:
                score = _run(channel)
        except LearnerFailed as failure:
            said = failure.trace + (session.report.output if session.report else "")
            return Outcome(failure.cause, 0.0, said, str(failure), session.report)
        assert session.report is not None
        return Outcome("scored", score, session.report.output, "", session.report)

    def close(self) -> None:
        self.pool.close()
        if self._session is not None:
            self._session.close()
            self._session = None


def _docker() -> Backend:
    image.ensure()
    return DockerBackend()


def _gvisor() -> Backend:
    image.ensure()
    return backends.gvisor()


MAKERS: dict[str, Callable[[], Backend]] = {
    "docker": _docker,
    "gvisor": _gvisor,
    "bubblewrap": BubblewrapBackend,
    "bubblewrap-user": lambda: BubblewrapBackend(as_root=False),
    "none": PlainBackend,
}
DOCKER = pytest.param("docker", marks=pytest.mark.docker)
GVISOR = pytest.param("gvisor", marks=[pytest.mark.docker, pytest.mark.gvisor])
# For an ordinary user bubblewrap is one thing only (test_ordinary.py runs these as one).
FULL = [DOCKER, "bubblewrap"] if os.geteuid() == 0 else ["bubblewrap-user"]
SANDBOXED = [*FULL, GVISOR] if os.geteuid() == 0 else FULL


@pytest.fixture(scope="session", params=[DOCKER, "bubblewrap", "bubblewrap-user", "none"])
def anywhere(request: pytest.FixtureRequest) -> Iterator[Lender]:
    """Every backend that there is, but for gVisor, which is slow."""
    yield from _lent(request)


@pytest.fixture(scope="session", params=FULL)
def walled(request: pytest.FixtureRequest) -> Iterator[Lender]:
    """The backends with full isolation (for an ordinary user: the one there is)."""
    yield from _lent(request)


@pytest.fixture(scope="session")
def gvisor() -> Iterator[Lender]:
    lender = Lender(_gvisor(), replace(LIMITS, request_s=4.0, memory_bytes=1 << 30))
    yield lender
    lender.close()


@pytest.fixture(scope="session", params=SANDBOXED)
def sandboxed(request: pytest.FixtureRequest) -> Iterator[Lender]:
    """Every backend that is a sandbox."""
    yield from _lent(request)


@pytest.fixture(scope="session")
def plain() -> Iterator[Lender]:
    """For what the host's side alone decides."""
    lender = Lender(PlainBackend())
    yield lender
    lender.close()


def _lent(request: pytest.FixtureRequest) -> Iterator[Lender]:
    lender = Lender(MAKERS[str(request.param)]())
    yield lender
    lender.close()


@pytest.fixture(scope="session")
def honest() -> str:
    return HONEST


@dataclass(frozen=True)
class Canaries:
    """Things of the host that nothing in a sandbox may find."""

    file: Path
    abstract: str


@pytest.fixture(scope="session")
def canaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canaries]:
    file = tmp_path_factory.mktemp("host") / "canary"
    file.write_text("HOST-CANARY")
    file.chmod(0o644)
    name = f"cambrian-host-canary-{os.getpid()}"  # other runs have their own
    with pytest.MonkeyPatch.context() as patch, socket.socket(socket.AF_UNIX) as listener:
        patch.setenv("SECRET_CANARY", "SECRET_CANARY")
        listener.bind("\0" + name)
        listener.listen()
        yield Canaries(file, name)


@dataclass(frozen=True)
class Traces:
    """What this process's sandboxes have on this machine at a moment."""

    containers: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    processes: frozenset[str] = frozenset()

    @classmethod
    def now(cls, backend: str) -> Traces:
        pid, root = os.getpid(), cgroups.ROOT
        containers: frozenset[str] = frozenset()
        if backend in ("docker", "gvisor"):
            with engine() as client:
                found = client.containers(all=True, filters={"label": OWNER_LABEL})
            mine = [each["Id"] for each in found if each["Labels"][OWNER_LABEL] == str(owner.me())]
            containers = frozenset(mine)
        groups = [*root.glob(f"*/cambrian/cambrian-{pid}-*"), *root.glob(f"cambrian/*-{pid}-*")]
        folders = Path(tempfile.gettempdir()).glob(f"cambrian-{owner.me().slug}-*")
        return cls(
            containers,
            frozenset(map(str, groups)),
            frozenset(map(str, folders)),
            frozenset(_sandboxed(f"/cambrian-{owner.me().slug}-")),
        )

    def __sub__(self, other: Traces) -> Traces:
        return Traces(
            self.containers - other.containers,
            self.groups - other.groups,
            self.folders - other.folders,
            self.processes - other.processes,
        )


def _sandboxed(folder: str) -> Iterator[str]:
    """Processes that have one of our session folders mounted."""
    for place in Path("/proc").iterdir():
        try:
            mounts = (place / "mountinfo").read_text()
        except OSError:
            continue
        if folder in mounts:
            yield place.name


SETUP = Path(__file__).parent.parent.parent / "scripts" / "gvisor"
NO_PACKAGE = 3
_deselected: list[pytest.Item] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """gVisor is a package of few distributions: elsewhere its tests are left out, and counted."""
    wanting = [item for item in items if item.get_closest_marker("gvisor")]
    if not wanting or _says("status") == 0 or _says("package") != NO_PACKAGE:
        return  # where it could be there and is not, they fail
    _deselected.extend(wanting)
    config.hook.pytest_deselected(items=wanting)
    items[:] = [item for item in items if item not in wanting]


def _says(what: str) -> int:
    return subprocess.run([SETUP, what], capture_output=True, check=False).returncode


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _deselected:
        terminalreporter.write_line(
            f"gVisor: {len(_deselected)} tests deselected, for this distribution has no package "
            "runsc (see scripts/gvisor)",
            yellow=True,
        )
