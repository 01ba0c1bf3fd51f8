"""What only Docker does: the container's settings, and an engine that fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cambrian.agents.spec import TaskSpec
from cambrian.errors import NotFound, SandboxBroken, Unreachable
from cambrian.sandbox.backends.docker import DockerBackend
from cambrian.sandbox.backends.engine import connect, engine
from cambrian.sandbox.backends.process import MEMORY, SIGNALS, USERS
from cambrian.sandbox.image import image
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.session import Session

pytestmark = pytest.mark.docker

LIMITS = Limits(memory_bytes=512 << 20, processes=40, cpus=0.75, request_s=15.0)


@pytest.fixture(scope="module")
def backend() -> DockerBackend:
    image.ensure()
    return DockerBackend()


@pytest.fixture(scope="module")
def session(backend: DockerBackend) -> Iterator[Session]:
    with Session(backend, LIMITS) as opened:
        yield opened


def _inspect(session: Session) -> dict[str, Any]:
    process: Any = session._process
    with engine() as client:
        found: dict[str, Any] = client.inspect_container(process._container)
    return found


def test_the_container_is_what_the_threat_model_says(session: Session) -> None:
    container = _inspect(session)
    host, config = container["HostConfig"], container["Config"]
    assert host["NetworkMode"] == "none"
    assert host["IpcMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert not host["Devices"]
    assert not host["Binds"]
    assert host["AutoRemove"] is True
    assert (host["Memory"], host["MemorySwap"]) == (LIMITS.memory_bytes, LIMITS.memory_bytes)
    assert host["PidsLimit"] == 40
    assert host["NanoCpus"] == 750_000_000
    assert {"no-new-privileges:true"} < set(host["SecurityOpt"])
    assert {each["Name"]: each["Hard"] for each in host["Ulimits"]} == {
        "nofile": LIMITS.open_files,
        "fsize": LIMITS.file_bytes,
        "core": 0,
        "sigpending": SIGNALS,
    }
    assert list(host["Tmpfs"]) == ["/tmp"]
    assert f"size={LIMITS.scratch_bytes}" in host["Tmpfs"]["/tmp"]
    assert "noexec" in host["Tmpfs"]["/tmp"]
    masked = set(host["MaskedPaths"])
    assert {"/sys", "/dev/mqueue", "/dev/pts", "/proc/kcore", "/proc/sys", "/proc/stat"} <= masked
    assert host["LogConfig"]["Config"]["max-size"] == "1m"
    user, _, group = config["User"].partition(":")
    assert user == group
    assert int(user) in USERS, "one that nobody else has"
    assert not config["OpenStdin"]
    assert not config["Tty"]
    mounts = [(each["Destination"], each["RW"]) for each in container["Mounts"]]
    assert mounts == [("/session", False)], "the only thing of the host, and it is read-only"


def test_the_environment_holds_nothing_of_the_hosts(session: Session) -> None:
    names = {entry.split("=")[0] for entry in _inspect(session)["Config"]["Env"]}
    allowed = {"HOME", "LANG", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "PATH", "PYTHONHASHSEED"}
    assert names <= allowed | {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", *MEMORY}


def test_provenance_names_the_image_by_digest_and_the_engine(backend: DockerBackend) -> None:
    named = backend.provenance()
    assert named["image"].startswith("sha256:")
    assert named["engine"]
    assert named["runtime"] == "runc"
    assert backend.isolation == "full"


def test_an_engine_that_ends_the_container_in_mid_job_is_broken_not_failed(
    backend: DockerBackend,
) -> None:
    with Session(backend, LIMITS) as session:
        process: Any = session._process
        session.install({"learner.py": "import time\ntime.sleep(60)"})
        with engine() as client:
            kill = threading.Timer(0.5, client.kill, [process._container])
            kill.start()
            with pytest.raises(SandboxBroken, match="gone"), session.job() as channel:
                channel.start(TaskSpec("classification", (2,), 2), seed=0)
            kill.join()
        assert session.spent


def test_a_container_out_of_memory_that_is_gone_is_still_the_learners_doing(
    backend: DockerBackend,
) -> None:
    """The engine's log remembers when the control group is no more."""
    with Session(backend, LIMITS) as session:
        process: Any = session._process
        session.install({"learner.py": "x = []\nwhile True: x.append(bytearray(b'1' * (8 << 20)))"})
        with pytest.raises(Exception, match="needed more than"), session.job() as channel:
            channel.start(TaskSpec("classification", (2,), 2), seed=0)
        with engine() as client:
            client.kill(process._container)
        process._usage = type(process._usage)(None, None)
        kills = process.oom_kills()
        assert kills is not None
        assert kills.own >= 1


def test_counters_are_read_without_the_control_group_too(session: Session) -> None:
    process: Any = session._process
    usage, process._usage = process._usage, type(process._usage)(None, None)
    try:
        counted = process.cpu_s()
        kills = process.oom_kills()
    finally:
        process._usage = usage
    assert counted == pytest.approx(process.cpu_s(), abs=0.5)
    assert kills == process.oom_kills()


def test_no_engine_is_unreachable_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(Unreachable, match="DOCKER_HOST"):
        connect()


def test_an_engine_that_goes_away_breaks_the_next_session(
    backend: DockerBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    with pytest.raises(SandboxBroken, match="Docker engine"):
        Session(backend, LIMITS)


def test_an_image_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound, match="image build"):
        DockerBackend("cambrian-sandbox:no-such-image")


def test_an_unknown_runtime_breaks_the_session_with_the_engines_words() -> None:
    with pytest.raises(SandboxBroken, match="runtime"):
        Session(DockerBackend(runtime="no-such-runtime"), LIMITS)


def test_a_flood_of_output_does_not_reach_the_engines_log(session: Session) -> None:
    session.install(
        {
            "learner.py": "import sys\nsys.stdout.write('A' * (20 << 20))\n"
            "class Learner:\n"
            "    def __init__(self, spec, *, seed, device): pass\n"
            "    def predict(self, x, task=None): return [[0.0, 0.0]] * len(x)\n"
        }
    )
    process: Any = session._process
    with session.job() as channel:
        channel.start(TaskSpec("classification", (2,), 2), seed=0)
        assert channel.predict(np.zeros((1, 2), np.float32)).shape == (1, 2)
    assert session.report is not None
    assert session.report.output_bytes == 20 << 20
    assert len(session.report.output) <= 16_384
    assert "A" not in process.log()
