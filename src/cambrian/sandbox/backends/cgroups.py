"""Control groups: reading what a sandbox used, and bounding one, on version 1 and version 2.

A `Usage` reads the counters of the group that a process is in. A `Group` is one that we made (as
root, for bubblewrap), with its bounds, below `cambrian/` in each hierarchy; its name says whose.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from cambrian.errors import SandboxBroken
from cambrian.sandbox.backends import owner
from cambrian.sandbox.session.limits import Limits

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000
NEARLY = 0.98
V1_CONTROLLERS = ("memory", "pids", "cpu", "cpuacct")
V2_CONTROLLERS = ("memory", "pids", "cpu")


@dataclass(frozen=True)
class OomKills:
    """Kills for want of memory: at the sandbox's own bound, or because the host had none left."""

    own: int
    host: int


def unified() -> bool:
    """Whether this host has version 2 only."""
    return (ROOT / "cgroup.controllers").exists()


@dataclass(frozen=True)
class Usage:
    """The counters of a process's groups.

    Attributes:
        memory, cpu: the folders with the counters; None where the host does not show them.
    """

    memory: Path | None
    cpu: Path | None

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Of a running process, by its id on this host."""
        found = places(pid)
        if unified():
            return cls(*(2 * [_existing(found.get(""))]))
        return cls(_existing(found.get("memory")), _existing(found.get("cpuacct")))

    def oom_kills(self) -> OomKills | None:
        """None where nothing is counted, or the group is gone."""
        if self.memory is None:
            return None
        if (self.memory / "memory.events").exists():
            events = _table(self.memory / "memory.events")
            kills, reached = events.get("oom_kill"), events.get("oom", 0) > 0
        else:
            kills = _table(self.memory / "memory.oom_control").get("oom_kill")
            reached = self._was_full(self.memory)
        if kills is None:
            return None
        # A group that never reached its bound was killed in because the host's memory ran out.
        return OomKills(kills, 0) if reached else OomKills(0, kills)

    @staticmethod
    def _was_full(memory: Path) -> bool:
        """Version 1: whether usage ever came to the bound (recent kernels count no failures)."""
        bound = _number(memory / "memory.limit_in_bytes")
        most = _number(memory / "memory.max_usage_in_bytes")
        return bound is not None and most is not None and most >= NEARLY * bound

    def cpu_s(self) -> float | None:
        """Processor seconds of all its processes, past ones included."""
        if self.cpu is None:
            return None
        nanoseconds = _number(self.cpu / "cpuacct.usage")
        if nanoseconds is not None:
            return nanoseconds / 1e9
        microseconds = _table(self.cpu / "cpu.stat").get("usage_usec")
        return None if microseconds is None else microseconds / 1e6


class Group:
    """A group of our own with a session's bounds; `remove()` kills all that is in it."""

    def __init__(self, limits: Limits) -> None:
        self.name = f"{owner.PREFIX}{owner.me().slug}-{secrets.token_hex(4)}"
        self.folders = {name: base / self.name for name, base in _bases().items()}
        try:
            for folder in self.folders.values():
                folder.mkdir()
            _bound(self.folders, limits)
        except OSError as error:
            self.remove()
            raise SandboxBroken(f"expected to bound a control group; got: {error}") from None

    @property
    def entries(self) -> list[str]:
        """The files that a process writes its id to, to enter."""
        return [str(folder / "cgroup.procs") for folder in self.folders.values()]

    @property
    def usage(self) -> Usage:
        """Where to read what the group used: one folder (version 2) or one for each controller."""
        if "" in self.folders:
            return Usage(self.folders[""], self.folders[""])
        return Usage(self.folders["memory"], self.folders["cpuacct"])

    def remove(self) -> None:
        """Kill everything inside and remove the group. Idempotent; never raises."""
        for folder in self.folders.values():
            _empty_and_remove(folder)


def places(pid: int) -> dict[str, Path]:
    """The folders of a process's groups by controller; "" is the one of version 2."""
    found: dict[str, Path] = {}
    for line in _lines(Path(f"/proc/{pid}/cgroup")):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for name in controllers.split(",") if controllers else [""]:
            base = ROOT if number == "0" and not name else ROOT / name
            found[name] = base / path.lstrip("/")
    return found


def usable() -> bool:
    """Whether groups can be made here (by root, with the controllers that we need)."""
    if os.geteuid() != 0:
        return False
    try:
        return all(os.access(base, os.W_OK) for base in _bases().values())
    except OSError:
        return False


def reap() -> int:
    """Remove the groups of dead owners; returns how many sessions they belonged to."""
    if not usable():
        return 0
    names: set[str] = set()
    for base in _bases().values():
        for folder in base.glob(owner.PREFIX + "*"):
            of = owner.of_name(folder.name)
            if of is not None and of.dead():
                _empty_and_remove(folder)
                names.add(folder.name)
    return len(names)


def _bases() -> dict[str, Path]:
    """The folder for our groups in each hierarchy, made when missing.

    Raises:
        OSError: the hierarchies are not there, or not ours to change.
    """
    if unified():
        base = ROOT / "cambrian"
        wanted = " ".join(f"+{name}" for name in V2_CONTROLLERS)
        (ROOT / "cgroup.subtree_control").write_text(wanted)
        base.mkdir(exist_ok=True)
        (base / "cgroup.subtree_control").write_text(wanted)
        return {"": base}
    bases = {name: ROOT / name / "cambrian" for name in V1_CONTROLLERS}
    for name, base in bases.items():
        if not base.exists():
            base.mkdir(exist_ok=True)
        if name == "memory":
            (base / "memory.use_hierarchy").write_text("1")
    return bases


def _bound(folders: dict[str, Path], limits: Limits) -> None:
    quota = max(1000, int(limits.cpus * PERIOD_US))
    if "" in folders:
        place = folders[""]
        (place / "memory.max").write_text(str(limits.memory_bytes))
        if (place / "memory.swap.max").exists():
            (place / "memory.swap.max").write_text("0")
        (place / "pids.max").write_text(str(limits.processes))
        (place / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        return
    (folders["memory"] / "memory.limit_in_bytes").write_text(str(limits.memory_bytes))
    swap = folders["memory"] / "memory.memsw.limit_in_bytes"
    if swap.exists():
        swap.write_text(str(limits.memory_bytes))
    (folders["pids"] / "pids.max").write_text(str(limits.processes))
    (folders["cpu"] / "cpu.cfs_period_us").write_text(str(PERIOD_US))
    (folders["cpu"] / "cpu.cfs_quota_us").write_text(str(quota))


def _empty_and_remove(folder: Path, within_s: float = 3.0) -> None:
    deadline = time.monotonic() + within_s
    while folder.exists():
        try:
            folder.rmdir()
            return
        except OSError:
            if time.monotonic() > deadline:
                return  # the reaper comes back to it
        for line in _lines(folder / "cgroup.procs"):
            try:
                os.kill(int(line), signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        time.sleep(0.01)


def _existing(folder: Path | None) -> Path | None:
    return folder if folder is not None and folder.is_dir() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("ascii").split("\n")[:-1]
    except OSError:
        return []


def _number(path: Path) -> int | None:
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _table(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in _lines(path))
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
