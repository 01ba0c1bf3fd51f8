"""Sessions for the tests: every backend, one live session each, and a small honest stream."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cambrian.sandbox.attack import trial
from cambrian.sandbox.attack.trial import HONEST, LIMITS, Canaries, Lender
from cambrian.sandbox.backends import cgroups, owner, registry
from cambrian.sandbox.backends.bubblewrap import BubblewrapBackend
from cambrian.sandbox.backends.docker import OWNER_LABEL, DockerBackend
from cambrian.sandbox.backends.engine import engine
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.backends.process import Backend
from cambrian.sandbox.image import image


def _docker() -> Backend:
    image.ensure()
    return DockerBackend()


def _gvisor() -> Backend:
    image.ensure()
    return registry.gvisor()


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


@pytest.fixture(scope="session")
def canaries() -> Iterator[Canaries]:
    with trial.canaries() as found:
        yield found


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
