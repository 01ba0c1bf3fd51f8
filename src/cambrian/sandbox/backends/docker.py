"""Docker: a container per session, with nothing in it that a learner does not need.

The container is removed by the engine when its process 1 ends, and process 1 ends when the
session's control socket closes: a session whose owner was killed leaves nothing behind. Whether the
kernel killed it for want of memory is read from its control group while that is there, and from the
engine's event log afterwards.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.errors import NotFound, Refused, SandboxBroken, Unreachable
from cambrian.sandbox.backends import owner, seccomp
from cambrian.sandbox.backends.cgroups import OomKills, Usage
from cambrian.sandbox.backends.engine import connect, engine
from cambrian.sandbox.backends.process import (
    COUNTERS,
    ENVIRONMENT,
    MACHINE_DIRECTORIES,
    MACHINE_FILES,
    SIGNALS,
    USERS,
    USERS_MAPPED,
    ZYGOTE,
    draw_user,
    kernel_lacks,
)
from cambrian.sandbox.session.limits import Limits, require_bound_memory

if TYPE_CHECKING:
    from docker import APIClient  # type: ignore[attr-defined,unused-ignore]

LABEL = "cambrian"
OWNER_LABEL = "cambrian.owner"
TORCH_LABEL = "io.cambrian.torch"
DIED_S = 3.0
"""Seconds to wait for the engine to log the end of a container that is gone."""

FOLLOWS = {"MemoryLimit": "memory", "PidsLimit": "processes", "CpuCfsQuota": "cpu"}

GVISOR_THREADS = 128
"""What gVisor's kernel needs for itself: with less than about 96 threads it does not start, or ends
when its guest is busy; each process of the guest needs two more. The guest's own are bounded by
RLIMIT_NPROC, which gVisor's kernel counts by itself."""

GVISOR = {
    "seccomp": "gVisor's own kernel takes the calls; the filter is not in force in front of it",
    "machine": "gVisor's own kernel answers, of itself",
    "shared files": "gVisor's own kernel keeps locks and waits, which no other session has",
    "process 1": "gVisor lets a job end its process 1: the session is lost, the job has failed",
    "between jobs": "gVisor leaves a job ways to write to the next: each gets a fresh container",
}
"""Walls that do not stand inside gVisor; they would protect its own kernel, not the host's."""

# The engine's own lists, and what outlives a job: /sys (the control groups' counters are readable
# there), /dev/mqueue (writable), and what the zygote's jobs took together.
MASKED = (
    *(f"/proc/{name}" for name in ("asound", *MACHINE_DIRECTORIES, *MACHINE_FILES)),
    *("/sys", "/dev/mqueue", "/dev/pts"),
    *COUNTERS,
)


class DockerProcess:
    """A running container. Its client is its own: the SDK's clients are not for several threads."""

    def __init__(self, client: APIClient, container: str, *, protected: bool = True) -> None:
        self._client = client
        self._container = container
        self._protected = protected
        self._began = int(time.time()) - 1
        self._usage = Usage(None, None)
        self._kills: OomKills | None = None
        self._last = ""
        self._closed = False

    def start(self) -> None:
        """Raises what the SDK raises."""
        self._client.start(self._container)
        pid = int(self._client.inspect_container(self._container)["State"]["Pid"])
        if pid:
            self._usage = Usage.of(pid)

    def kill(self) -> None:
        """Kill and remove the container, whatever state it is in; an engine that is gone is no
        error."""
        if self._closed:
            return
        with _quiet():
            self._last = self.log()
        # No grace: `kill` alone, and removing also where removing by the engine has not begun.
        with _quiet():
            self._client.kill(self._container, "SIGKILL")
        with _quiet():
            self._client.remove_container(self._container, force=True, v=True)
        with _quiet():
            self._wait_until_gone()
        self._closed = True
        self._client.close()

    def _wait_until_gone(self) -> None:
        """The engine removes it in the background; wait, so that a closed session is closed."""
        for _ in range(200):
            self._client.inspect_container(self._container)  # NotFound ends the wait
            time.sleep(0.02)

    def alive(self) -> bool:
        """Whether the engine says that the container runs; not while it does not answer."""
        try:
            return bool(self._client.inspect_container(self._container)["State"]["Running"])
        except _broken():
            return False

    def oom_kills(self) -> OomKills | None:
        """As the control group counts them or, where its files are not ours to read, the
        engine's events."""
        counted = self._usage.oom_kills()
        if counted is None and not self._closed:
            counted = self._logged_kills()
        if counted is not None:
            self._kills = counted
        return self._kills

    def ended_from_inside(self) -> bool:
        """Whether a job ended process 1: where it can, and it died by nobody else's hand."""
        if self._protected or self._closed:
            return False
        deadline = time.monotonic() + DIED_S
        while time.monotonic() < deadline:
            try:
                happened = self._events()
            except _broken():
                return False
            if "die" in happened:
                return not {"kill", "oom"} & set(happened)
            time.sleep(0.05)
        return False

    def _logged_kills(self) -> OomKills | None:
        """From the engine's event log: what it saw before it saw the container end."""
        deadline = time.monotonic() + DIED_S
        while True:
            try:
                happened = self._events()
                running = not happened.count("die") and self.alive()
            except _broken():
                return None
            if running or "die" in happened or time.monotonic() > deadline:
                return OomKills(happened.count("oom"), 0)
            time.sleep(0.05)

    def _events(self) -> list[str]:
        stream = self._client.events(
            since=self._began,
            until=f"{time.time():.6f}",  # what has happened; the stream would wait for more
            filters={"container": self._container, "event": ["oom", "die", "kill"]},
            decode=True,
        )
        with contextlib.closing(stream):
            return [str(event.get("Action", event.get("status"))) for event in stream]

    def cpu_s(self) -> float | None:
        """Processor seconds by the control group or the engine; None if neither says."""
        counted = self._usage.cpu_s()
        if counted is not None or self._closed:
            return counted
        try:
            stats = self._client.stats(self._container, stream=False, one_shot=True)
        except _broken():
            return None
        used = stats.get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage")
        return None if used is None else int(used) / 1e9

    def log(self) -> str:
        """The last 8,000 bytes that the container wrote; kept after `kill`."""
        if self._closed:
            return self._last
        try:
            said: bytes = self._client.logs(self._container, tail=100)
        except _broken():
            return self._last
        return said[-8000:].decode("utf-8", "replace")


class DockerBackend:
    """Containers of the local engine.

    Args:
        image: name or digest of the sandbox image; None: the one built from this source.
        runtime: as in `docker run --runtime` (say, "runsc"); None: the engine's default.

    Raises:
        Unreachable: no engine answers.
        NotFound: there is no such image.
    """

    def __init__(self, image: str | None = None, runtime: str | None = None) -> None:
        self.runtime = runtime
        with engine() as client:
            found = _inspect(client, image or _built())
            self.image = str(found["Id"])
            self._labels: dict[str, str] = (found.get("Config") or {}).get("Labels") or {}
            self._info: dict[str, Any] = client.info()
            self._version: dict[str, Any] = client.version()

    @property
    def name(self) -> str:
        """One of "docker" and "gvisor", by its runtime."""
        return "gvisor" if self.gvisor else "docker"

    @cached_property
    def gvisor(self) -> bool:
        """Whether the runtime is gVisor, under whatever name the engine knows it."""
        path = (self._info.get("Runtimes") or {}).get(self._runtime, {}).get("path", "")
        return Path(path).name == "runsc"

    @cached_property
    def reduced(self) -> Mapping[str, str]:
        """What this engine, kernel or runtime cannot enforce, and why."""
        cannot = {
            what: "this engine cannot bound it"
            for key, what in FOLLOWS.items()
            if not self._info.get(key)
        }
        return {**cannot, **(GVISOR if self.gvisor else kernel_lacks())}

    @property
    def isolation(self) -> str:
        """Whether it enforces everything: "full" or "reduced"."""
        return "reduced" if self.reduced else "full"

    @property
    def shares_memory(self) -> bool:
        """Not under gVisor, whose kernel keeps pages of its own."""
        return not self.gvisor

    @cached_property
    def _users(self) -> range:
        """Which ids its containers' users may have: an engine that maps them knows 65,536."""
        said = " ".join(self._info.get("SecurityOptions") or ())
        return USERS_MAPPED if "name=userns" in said or "name=rootless" in said else USERS

    @property
    def _runtime(self) -> str:
        return self.runtime or str(self._info.get("DefaultRuntime", ""))

    def launch(self, share: Path, limits: Limits) -> DockerProcess:
        """Start a container on the folder `share`.

        Raises:
            Refused: a GPU is wanted and the image's torch has none, or memory that cannot be
                bounded.
            SandboxBroken: the engine does not start it.
        """
        if "memory" in self.reduced:
            require_bound_memory(limits)
        if limits.gpu is not None and self._labels.get(TORCH_LABEL, "").endswith("+cpu"):
            raise Refused(
                "expected a sandbox image whose torch can use a GPU; this one holds torch "
                f"{self._labels[TORCH_LABEL]}. Build another (`make image TORCH_INDEX=...` with a "
                "CUDA index), or use `--device cpu`"
            )
        try:
            client = connect()
        except Unreachable as error:
            raise SandboxBroken(str(error)) from None
        try:
            made = client.create_container_from_config(self._settings(client, share, limits))
            process = DockerProcess(client, made["Id"], protected=not self.gvisor)
        except _broken() as error:
            client.close()
            raise SandboxBroken(f"the engine made no container: {error}") from None
        try:
            process.start()
        except _broken() as error:
            process.kill()
            raise SandboxBroken(f"the engine could not start a container: {error}") from None
        return process

    def _settings(self, client: APIClient, share: Path, limits: Limits) -> dict[str, Any]:
        """All of the container's settings, in the engine's own words."""
        from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

        user = draw_user(self._users)
        gpu = DeviceRequest(device_ids=[limits.gpu], capabilities=[["gpu"]])
        nproc = [Ulimit(name="nproc", soft=limits.processes, hard=limits.processes)]
        nproc = nproc if self.gvisor else []  # elsewhere it counts a user's processes everywhere
        scratch = f"size={limits.scratch_bytes},nr_inodes=4096,noexec,nosuid,nodev,mode=0700"
        host = client.create_host_config(
            auto_remove=True,
            network_mode="none",
            ipc_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=[
                "no-new-privileges:true",
                seccomp.docker_option(gpu=limits.gpu is not None),
            ],
            mem_limit=limits.memory_bytes,
            memswap_limit=limits.memory_bytes,
            pids_limit=2 * limits.processes + GVISOR_THREADS if self.gvisor else limits.processes,
            nano_cpus=int(limits.cpus * 1e9),
            ulimits=[
                Ulimit(name="nofile", soft=limits.open_files, hard=limits.open_files),
                Ulimit(name="fsize", soft=limits.file_bytes, hard=limits.file_bytes),
                Ulimit(name="core", soft=0, hard=0),
                Ulimit(name="sigpending", soft=SIGNALS, hard=SIGNALS),
                *nproc,
            ],
            tmpfs={"/tmp": f"{scratch},uid={user},gid={user}"},  # noqa: S108 - inside
            mounts=[Mount("/session", str(share), type="bind", read_only=True)],
            log_config=LogConfig(
                type="local", config={"max-size": "1m", "max-file": "1", "compress": "false"}
            ),
            device_requests=[gpu] if limits.gpu else None,
            runtime=self.runtime,
        )
        host |= {"MaskedPaths": list(MASKED), "ReadonlyPaths": []}
        settings: dict[str, Any] = client.create_container_config(
            image=self.image,
            entrypoint=["python3", "-s", "-P", "-m", ZYGOTE],
            command=["/session", "/tmp"],  # noqa: S108 - inside
            user=f"{user}:{user}",
            working_dir="/",
            environment=dict(ENVIRONMENT),
            labels={LABEL: "1", OWNER_LABEL: str(owner.me())},
            hostname="sandbox",
            stdin_open=False,
            tty=False,
            host_config=host,
        )
        return settings

    def provenance(self) -> Mapping[str, str]:
        """Backend, isolation, image digest, engine version and runtime."""
        return {
            "backend": self.name,
            "isolation": self.isolation,
            "image": self.image,
            "engine": str(self._version.get("Version", "")),
            "runtime": self._runtime,
        }

    def reap(self) -> int:
        """Remove the containers and folders of dead owners; never what lacks our label."""
        removed = owner.reap_folders()
        with engine() as client:
            for found in client.containers(all=True, filters={"label": OWNER_LABEL}):
                of = owner.Owner.parse(found["Labels"].get(OWNER_LABEL, ""))
                if of is None or not of.dead():
                    continue
                with _quiet():
                    client.remove_container(found["Id"], force=True, v=True)
                    removed += 1
        return removed


def _built() -> str:
    from cambrian.sandbox.image import image

    found = image.show()
    if found is None:
        raise NotFound(
            "expected the sandbox image; it is not built. Build it with "
            "`python -m cambrian.sandbox.image.image build`"
        )
    return found.id


def _inspect(client: APIClient, name: str) -> dict[str, Any]:
    import docker.errors

    try:
        found: dict[str, Any] = client.inspect_image(name)
        return found
    except docker.errors.NotFound:
        raise NotFound(
            f"expected an image {name}; the engine has none. Build it with "
            "`python -m cambrian.sandbox.image.image build`"
        ) from None


def _broken() -> tuple[type[Exception], ...]:
    """What the SDK raises when the engine refuses or is gone."""
    import docker.errors

    return (docker.errors.DockerException, OSError)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Go on whatever the engine says: it is being cleaned up after, or is gone."""
    with contextlib.suppress(*_broken()):
        yield
