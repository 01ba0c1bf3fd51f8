"""The archive's lock: one process writes, and its id can be read from the file.

`flock` belongs to the open file: it ends with the process, however that ends, so a killed
daemon leaves no stale lock. A child made by a bare `fork` would inherit it; children started
with `exec` (subprocess, spawn) do not.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cambrian.errors import Refused


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock while the block runs.

    Raises:
        Refused: another process (or another holder in this one) has it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not _take(descriptor, tries=5):
            raise _refusal(path, _pid(descriptor))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder(path: Path) -> int | None:
    """The process that holds the lock; 0 if it is held but the id cannot be read; None if free."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _take(descriptor, shared=True) else _pid(descriptor) or 0
    finally:
        os.close(descriptor)


def require_free(path: Path) -> None:
    """Say before anything is begun what `hold` would say.

    Raises:
        Refused: another process has it.
    """
    if (pid := holder(path)) is not None:
        raise _refusal(path, pid)


def _refusal(path: Path, pid: int | None) -> Refused:
    held_by = f"process {pid}" if pid else "another process"
    return Refused(
        f"expected {path} to be free, but it is held by {held_by}; "
        f"stop that one, or use another archive"
    )


def _take(descriptor: int, *, shared: bool = False, tries: int = 1) -> bool:
    # More than one try: `holder` takes the lock for an instant to see whether it is free.
    for attempt in range(tries):
        if attempt:
            time.sleep(0.02)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def _pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None
