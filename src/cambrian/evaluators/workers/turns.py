"""Two agents never run the same stream with the same seed at the same time.

Else one could leave the other word of the hidden answers through whatever both can sense of the
machine: how busy a core is, how warm. A turn is a lock on a file, one per stream and seed, for
every process of this user on this machine: workers of all daemons, `cambrian-evaluate`, replays,
sealed runs. The kernel gives it back when its holder ends, however that is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cambrian.errors import SandboxBroken
from cambrian.evaluators.benchmarks.base import stem

HOMES = (Path("/dev/shm"), Path("/tmp"))  # noqa: S108 - the folder in it is made sure to be ours
"""Where the locks lie: the same for everything that this user runs, whatever its TMPDIR says."""
WAIT_S = 1800.0
"""Longer than any evaluation: a process that holds a turn for so long has been stopped."""
LOOK_S, TELL_S = 0.05, 5.0

Waiting = Callable[[], None]
"""Called every `TELL_S` seconds while another agent has the turn."""


class StreamBusy(SandboxBroken):
    """Another agent had this stream and seed for longer than any evaluation takes."""


@contextmanager
def turn(
    benchmark: str, stage: str, seed: int, waiting: Waiting | None = None, wait_s: float = WAIT_S
) -> Iterator[None]:
    """Hold a stream with a seed, however it is probed, while the block runs.

    Raises:
        StreamBusy: it did not become free within `wait_s` seconds.
        SandboxBroken: no lock can be taken here.
    """
    salt = "sealed" if stage == "sealed" else "search"
    path = home() / hashlib.sha256(f"{stem(benchmark)}/{salt}/{seed}".encode()).hexdigest()[:32]
    began = told = time.monotonic()
    before = ""
    try:
        while (descriptor := _taken(path)) is None:
            now = time.monotonic()
            if (holder := _holder(path)) != before:  # those in front of us get on
                began, before = now, holder
            if now - began >= wait_s:
                raise StreamBusy(
                    f"expected {benchmark} with seed {seed} to be free within {wait_s:g} s; "
                    f"process {holder} still runs another agent on it: end that process, "
                    "or let it go on"
                )
            if waiting is not None and now - told >= TELL_S:
                told = now
                waiting()
            time.sleep(LOOK_S)
    except OSError as error:
        raise SandboxBroken(f"expected to lock {path}: {error}") from error
    try:
        yield
    finally:
        os.close(descriptor)


def home(places: Sequence[Path] = HOMES) -> Path:
    """The folder of the locks, in the first of these places that has room for it: this user's, and
    closed to everybody else.

    Raises:
        SandboxBroken: somebody else made it, or it is a link.
    """
    refused: list[SandboxBroken] = []
    for place in places:
        try:
            return _home(place / f"cambrian-turns-{os.geteuid()}")
        except SandboxBroken as error:
            refused.append(error)
    raise refused[-1]


def _home(folder: Path) -> Path:
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise SandboxBroken(f"expected {folder} to be a folder of ours; remove it")
        if stat.S_IMODE(found.st_mode) != 0o700:
            folder.chmod(0o700)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SandboxBroken(f"expected to write in {folder}")
    except OSError as error:
        raise SandboxBroken(f"expected a private folder {folder}: {error}") from error
    return folder


def _taken(path: Path) -> int | None:
    """A descriptor that holds the lock, with our process id in the file; None if it is held."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _same(path, descriptor):  # somebody cleaned up: another may hold the new file
            os.close(descriptor)
            return None
        with suppress(OSError):  # no room: it only tells people who holds it
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _same(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        text = path.read_text("ascii", "replace")[:20].strip()
    except OSError:
        return "(unknown)"
    return text if text.isdigit() else "(unknown)"
