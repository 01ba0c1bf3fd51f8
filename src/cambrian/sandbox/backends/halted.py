"""Whether this machine holds a sandbox up: then that no answer comes is not the learner's doing.

An operator can freeze a control group (`docker pause` does) or stop a sandbox's process 1 with a
signal. A job can do neither: it reaches no control group, and the kernel keeps process 1 of a
namespace from stop signals that come from inside of it. gVisor's does not; but there the sandbox is
then seen to be idle, while one that this machine is too slow for is seen to want a processor.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from cambrian.sandbox.backends import cgroups

CROWD = 4
"""Processes for each processor."""


class Halts:
    """Looks at a sandbox's first process, by its id on this side of the wall.

    Args:
        pid: 0 where it is not known; then nothing is ever seen.
        protected: whether the kernel keeps a job from stopping that process.
    """

    def __init__(self, pid: int, *, protected: bool) -> None:
        self._stat = Path(f"/proc/{pid}/stat") if pid and protected else None
        self._freezers = _freezers(pid) if pid else ()
        self.seen = ""

    def look(self) -> None:
        """Keep in `seen` what is in force now, in words; what was seen stays."""
        if any(_says(file, *words) for file, words in self._freezers):
            self.seen = "its control group was frozen"
        elif self._stat is not None and _state(self._stat) in ("T", "t"):
            self.seen = "its process 1 was stopped"


def idle(pid: int, seconds: float = 1.0) -> bool:
    """Whether no thread in the control group of a process runs, wants to, or waits for a disk, for
    so long. False where that cannot be told."""
    places = cgroups.places(pid) if pid else {}
    place = places.get("pids") or places.get("")
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        states = _states(place) if place is not None else set()
        if not states or states & {"R", "D"}:
            return False
        time.sleep(0.02)
    return True


def crowded() -> bool:
    """Whether so many processes want to run on this machine that some wait long for it."""
    return os.getloadavg()[0] > CROWD * (os.cpu_count() or 1)


def _states(place: Path) -> set[str]:
    """The states of all threads of a control group."""
    try:
        pids = (place / "cgroup.procs").read_text("ascii").split()
    except OSError:
        return set()
    tasks = (task for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/stat"))
    return {_state(task) for task in tasks} - {""}


def _freezers(pid: int) -> tuple[tuple[Path, tuple[str, ...]], ...]:
    """The files that say whether a process is frozen, with the words that say yes."""
    places = cgroups.places(pid)
    found: list[tuple[Path, tuple[str, ...]]] = []
    if "freezer" in places:
        found.append((places["freezer"] / "freezer.state", ("FROZEN", "FREEZING")))
    if "" in places:
        found.append((places[""] / "cgroup.events", ("frozen 1",)))
    return tuple(found)


def _says(file: Path, *words: str) -> bool:
    try:
        lines = file.read_text("ascii").splitlines()
    except OSError:
        return False
    return any(line in words for line in lines)


def _state(stat: Path) -> str:
    """A process's state, a letter; the name before it may hold anything, brackets too."""
    try:
        return stat.read_text("utf-8", "replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""
