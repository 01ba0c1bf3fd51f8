"""Opening the archive's file, and copying it whole.

A file that is missing, damaged, another program's or on a disk that gives trouble is told apart
here, so that a `Database` starts on a file that is ours.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

from cambrian.archive.sqlite import database, storage_errors
from cambrian.archive.transfer import whole
from cambrian.errors import CambrianError, StorageTrouble, UsageError

Durability = Literal["normal", "full"]

CACHE_KIB = 65_536
"""Pages kept in memory at most, once they were read: the inner nodes of a big archive's indexes."""
CHECKPOINT_PAGES = 4_000
"""The write-ahead log (16 MB then) is folded back after so many: each time costs two waits for the
disk, and a page that was changed ten times meanwhile is copied once. What a power cut may cost is
what the system has not written by itself yet: half a minute, as a rule."""

# "Camb" in ASCII: tells our file from another program's database (PRAGMA application_id).
APPLICATION_ID = 0x43616D62


def connect(
    path: Path, clock: database.Clock, *, read_only: bool = False, durability: Durability = "normal"
) -> database.Database:
    """Open the file, set it up, and refuse one that is not ours.

    `durability` is what a power cut may cost: "normal" (the last transactions, never
    consistency) or "full" (nothing). A killed process costs nothing in either.

    Raises:
        UsageError: the file is damaged or another program's, or `durability` is unknown.
        StorageTrouble: it is to be written and cannot be, or its disk gives trouble.
    """
    if durability not in ("normal", "full"):
        raise UsageError(f'expected durability "normal" or "full", got {durability!r}')
    if not read_only and not os.access(path.parent, os.W_OK):
        # SQLite would only say that it cannot open the file.
        raise storage_errors.of("read-only", str(path.parent))
    connection = _connection(path, read_only)
    try:
        with storage_errors.storage(path):
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            if not read_only:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
                connection.execute(f"PRAGMA synchronous = {durability}")
        return database.Database(connection, clock, read_only=read_only)
    except BaseException:
        connection.close()
        raise


def _connection(path: Path, read_only: bool) -> sqlite3.Connection:
    """An open connection to a file that is ours, or that is being made."""
    whole.expect(path)
    log = path.with_name(path.name + "-wal")
    settled = not log.exists() or log.stat().st_size == 0
    # A write-ahead log needs a file beside it even to read; with nothing in the log, SQLite may
    # take the file as it is where that cannot be made: on read-only media, and on a full disk.
    immutable = read_only and not log.exists() and not os.access(path.parent, os.W_OK)
    connection = _open(path, read_only, immutable)
    try:
        _recognise(connection, path)
    except StorageTrouble as error:
        connection.close()
        if not (read_only and settled and error.reason == "failing"):
            raise storage_errors.explained(error, path) from error
        connection = _open(path, read_only, immutable=True)
        _recognise(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _open(path: Path, read_only: bool, immutable: bool) -> sqlite3.Connection:
    mode = "?mode=ro" if read_only else "?mode=rwc" if whole.unfinished(path) else "?mode=rw"
    mode += "&immutable=1" if immutable else ""
    try:
        connection = sqlite3.connect(
            path.resolve().as_uri() + mode,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=database.BUSY_TIMEOUT_MS / 1000,
            cached_statements=database.STATEMENTS,
        )
    except sqlite3.Error as error:
        raise CambrianError(f"cannot open {path}: {error}; check its permissions") from error
    return connection


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    try:
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = storage_errors.told(error)
        if found is not None and found.reason != "damaged":
            raise found from error
        raise UsageError(
            f"{path} cannot be read as an archive ({error}): expected a SQLite file that Cambrian "
            f"wrote; restore it from a backup, or choose another archive"
        ) from error
    if mark != APPLICATION_ID and (tables or not whole.unfinished(path)):
        raise UsageError(
            f"{path} is another program's database (application id {mark:#x}, expected "
            f"{APPLICATION_ID:#x}); choose another archive"
        )


def copy_database(source: database.Database, target: Path) -> None:
    """A copy of the file as of one moment, on disk when this returns."""
    partial = target.with_name(f"{target.name}.partial")
    with storage_errors.storage(target.parent):
        partial.unlink(missing_ok=True)
        with closing(sqlite3.connect(partial)) as copy:
            source.connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(target)
