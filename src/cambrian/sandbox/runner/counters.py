"""Numbers that the kernel counts up for a sandbox and that nobody can set back.

A job can use some of them up and the next one can read them, so each is a message. They are looked
at between jobs: one that used up more than a few has the session thrown away.
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from pathlib import Path

USED_UP = 64
"""So many of each leave no more than a few bits: a job's own threads and files."""

_RECORD = struct.Struct("<QqHB")  # inode, offset, size and type of a directory's entry
_BUFFER = 4096
_LAST = (1 << 31) - 1
"""Offsets from here on mark the end of a folder."""


@dataclass(frozen=True)
class Counters:
    """What was given out last: a process id, an inode of the scratch place, a place in its folder
    (tmpfs of Linux 6.6 and later numbers the names that a folder ever had)."""

    process: int
    inode: int
    place: int

    @classmethod
    def now(cls, scratch: Path) -> Counters:
        """Look, by using up one of each.

        Raises:
            OSError: no process or folder could be made.
        """
        probe = scratch / "counter"
        probe.mkdir()
        inode, place = probe.stat().st_ino, _last_place(scratch)
        probe.rmdir()
        return cls(_next_process(), inode, place)

    def since(self, before: Counters) -> bool:
        """Whether next to nothing was used up since `before`, and no counter has come round."""
        pairs = zip(
            (self.process, self.inode, self.place),
            (before.process, before.inode, before.place),
            strict=True,
        )
        return all(0 <= now - then <= USED_UP for now, then in pairs)


def _next_process() -> int:
    """The id of a process that does nothing; spawned, for a fork would copy all page tables."""
    try:
        process = os.posix_spawn("/bin/true", ["true"], {})
    except OSError:  # a small system without it
        process = os.fork()
        if process == 0:
            os._exit(0)
    os.waitpid(process, 0)
    return process


def _last_place(folder: Path) -> int:
    """The largest offset that a folder's listing names."""
    listing = ctypes.create_string_buffer(_BUFFER)
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        size = libc.getdents64(descriptor, listing, _BUFFER)
    finally:
        os.close(descriptor)
    if size < 0:
        raise OSError(ctypes.get_errno(), "a folder could not be listed")
    places, at = [0], 0
    while at < size:
        _, place, length, _ = _RECORD.unpack_from(listing.raw, at)
        places.append(place)
        at += length
    return max(place for place in places if place < _LAST)
