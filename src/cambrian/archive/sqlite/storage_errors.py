"""What SQLite and the system say about a disk, in our words: `StorageTrouble`.

Constraint errors and mistakes in SQL are not storage, and pass through as they are.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cambrian.errors import StorageLocked, StorageReason, StorageTrouble

# Primary result codes (https://sqlite.org/rescode.html).
_REASONS: dict[int, StorageReason] = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_IOERR: "failing",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_CANTOPEN: "missing",
}

_ERRNOS: dict[int, StorageReason] = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "read-only",
    errno.EACCES: "read-only",
    errno.EPERM: "read-only",
    errno.EIO: "failing",
}

_ADVICE: dict[StorageReason, str] = {
    "full": "the disk is full: free some space, and the same step can be done again",
    "read-only": "the archive cannot be written: it is on a read-only file system, or belongs "
    "to another user",
    "failing": "the disk did not do what it was asked: look at it (dmesg, free space, quota)",
    "locked": "another process has been writing to the archive for too long; stop it and try again",
    "damaged": "the archive is damaged: `cambrian db check` says where, `cambrian db restore` "
    "brings back a backup",
    "missing": "the archive's file cannot be opened: is its disk still mounted?",
}


def told(error: Exception) -> StorageTrouble | None:
    """The `StorageTrouble` that an error amounts to; None if it is something else."""
    reason: StorageReason | None = None
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        # Not NULL but absent where the module itself complains (a closed connection).
        reason = None if code is None else _REASONS.get(code & 0xFF)
    elif isinstance(error, OSError):
        reason = _ERRNOS.get(error.errno or 0)
    return None if reason is None else of(reason, str(error))


def said(words: str) -> StorageReason | None:
    """The reason that a program gave in the system's own words (in English); None if none."""
    known = ((os.strerror(number), reason) for number, reason in _ERRNOS.items())
    return next((reason for text, reason in known if text in words), None)


def of(reason: StorageReason, detail: str) -> StorageTrouble:
    """The error for a reason, with what to do about it."""
    kept = "" if reason == "damaged" else "; nothing recorded is lost"
    message = f"{_ADVICE[reason]} ({detail}){kept}"
    return StorageLocked(message) if reason == "locked" else StorageTrouble(message, reason)


def explained(error: StorageTrouble, where: Path) -> StorageTrouble:
    """The same trouble; where SQLite only says "disk I/O error", with what the file system of
    `where` says: a log that finds no room, or was made read-only under an open file."""
    if error.reason != "failing":
        return error
    try:
        system = os.statvfs(where)
    except OSError:
        return error
    detail = str(error.__cause__ or error)
    if system.f_flag & os.ST_RDONLY:
        return of("read-only", detail)
    return of("full", detail) if system.f_bavail == 0 else error


@contextmanager
def storage(where: Path | None = None) -> Iterator[None]:
    """Turn what a disk does to us into `StorageTrouble`.

    Args:
        where: a file or folder on the disk, to be asked what is wrong with it.

    Raises:
        StorageTrouble: see its reasons; every other error passes through as it is.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        trouble = told(error)
        if trouble is None:
            raise
        raise (trouble if where is None else explained(trouble, where)) from error
