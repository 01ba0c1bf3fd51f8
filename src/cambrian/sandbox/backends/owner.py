"""Who a container, a cgroup or a folder belongs to, and whether that process still lives.

A process id alone is used again by the kernel; with the start time, the boot and the process
namespace it names one process for ever, so a reaper can tell the things of the dead.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PREFIX = "cambrian-"
SHORT = (Path("/tmp"),)  # noqa: S108 - private folders with names that nobody can guess
SOCKET_BYTES = 107
"""What the path of a local socket may take."""
WITHIN = 8 + len("/") + len("/s/0123456789ab.sock")
"""Of it, what comes after a folder's prefix: its own name's end, and a socket's name in it."""


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
    """A new private folder that is known by its name to be this process's.

    In the temporary directory, or in `/tmp` where its path is too long for a socket's.

    Raises:
        OSError: no folder can be made there.
    """
    prefix = f"{PREFIX}{me().slug}-"
    usual = temporary()
    for place in (usual, *SHORT):
        if len(os.fsencode(place)) + len(prefix) + WITHIN <= SOCKET_BYTES:
            return Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    raise OSError(f"expected a temporary directory with a shorter path, got {usual}; set TMPDIR")


def temporary() -> Path:
    """The temporary directory, as an absolute path: what is made there is mounted elsewhere."""
    return Path(tempfile.gettempdir()).absolute()


def of_name(name: str) -> Owner | None:
    """The owner in the name of a folder or cgroup that `me().slug` went into."""
    if not name.startswith(PREFIX):
        return None
    return Owner.parse("-".join(name.removeprefix(PREFIX).split("-")[:4]))


def _left(pattern: str) -> Iterator[Path]:
    for place in dict.fromkeys((temporary(), *SHORT)):
        yield from place.glob(pattern)


def reap_folders() -> int:
    """Remove the folders of dead owners (of this user, where `folder` makes them)."""
    removed = 0
    for place in _left(PREFIX + "*-*-*-*-*"):
        owner = of_name(place.name)
        if owner is None or not owner.dead() or place.is_symlink():
            continue
        try:
            ours = place.stat().st_uid == os.getuid()
        except OSError:  # another process was faster
            continue
        if ours:
            shutil.rmtree(place, ignore_errors=True)
            removed += 1
    return removed
