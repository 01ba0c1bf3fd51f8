"""Who a container, a cgroup or a folder belongs to, and whether that process still lives.

A process id alone is used again by the kernel; with the start time, the boot and the process
namespace it names one process for ever, so a reaper can tell the things of the dead.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PREFIX = "cambrian-"


@dataclass(frozen=True)
class Owner:
    """One process: `pid:start:boot:namespace` (start in clock ticks since the boot)."""

    pid: int
    start: int
    boot: str
    namespace: int

    def __str__(self) -> str:
        return f"{self.pid}:{self.start}:{self.boot}:{self.namespace}"

    @property
    def slug(self) -> str:
        """The same as part of a file name."""
        return str(self).replace(":", "-")

    @classmethod
    def parse(cls, text: str) -> Owner | None:
        """From `str(owner)` or its slug; None for anything else."""
        parts = text.replace("-", ":").split(":")
        if len(parts) != 4 or not all(parts[place].isdigit() for place in (0, 1, 3)):
            return None
        return cls(int(parts[0]), int(parts[1]), parts[2], int(parts[3]))

    def dead(self) -> bool:
        """Whether the process is certainly gone: unsure (another namespace) means no."""
        if self.boot != _boot():
            return True
        if self.namespace != _namespace():
            return False
        return _start(self.pid) != self.start


def me() -> Owner:
    """This process."""
    return _owner(os.getpid())


@cache
def _owner(pid: int) -> Owner:  # by pid: after a fork the child is another owner
    return Owner(pid, _start(pid) or 0, _boot(), _namespace())


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", "")[:12]


def _namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _start(pid: int) -> int | None:
    """When a process started; None when there is none (a zombie is none)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    return None if fields[0] in "ZX" else int(fields[19])


def folder() -> Path:
    """A new private folder that is known by its name to be this process's."""
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{me().slug}-"))


def of_name(name: str) -> Owner | None:
    """The owner in the name of a folder or cgroup that `me().slug` went into."""
    if not name.startswith(PREFIX):
        return None
    return Owner.parse("-".join(name.removeprefix(PREFIX).split("-")[:4]))


def reap_folders() -> int:
    """Remove the folders of dead owners (of this user, in this temporary directory)."""
    removed = 0
    for place in Path(tempfile.gettempdir()).glob(PREFIX + "*-*-*-*-*"):
        owner = of_name(place.name)
        if owner is None or not owner.dead() or place.is_symlink():
            continue
        if place.stat().st_uid == os.getuid():
            shutil.rmtree(place, ignore_errors=True)
            removed += 1
    return removed
