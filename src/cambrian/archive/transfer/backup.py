"""Backups: the database and its lineage as one consistent pair, taken during a run.

A backup is a directory that is an archive itself, with `backup.json` beside it: what made it, when,
and the database's sha256. It is written under another name and renamed at the end, so that what
has the right name is whole.

**Consistent.** The database is copied in one read transaction (SQLite's backup; a writer goes on
meanwhile). The lineage is a projection that may be behind the database and never ahead of it, so
it is copied first: its map from agents to commits at one moment, then every object (there are
only ever more), then refs made from that map. `db check` finds nothing wrong with the result.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cambrian._version import __version__
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.schema import schema
from cambrian.archive.sqlite import lock, storage_errors
from cambrian.archive.sqlite.connection import connect, copy_database
from cambrian.archive.store import CONTROL, DATABASE, LINEAGE, LOCK, Archive
from cambrian.errors import CambrianError, NotFound, Refused, UsageError

MANIFEST = "backup.json"
FORMAT = 1


@dataclass(frozen=True)
class Backup:
    """A backup that was made: where, what is in it, how big."""

    path: Path
    agents: int
    commits: int
    size: int


def backup(archive: Archive, destination: Path) -> Backup:
    """Copy an archive, and the control's inside it; readers and the writer go on meanwhile.

    Raises:
        UsageError: the destination is there and is not an empty directory.
        StorageTrouble: no room, no leave to write, or the archive is damaged.
    """
    _expect_free(destination)
    partial = destination.with_name(f"{destination.name}.partial")
    with storage_errors.storage(destination.parent):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            made = _copy(archive, partial)
            if (archive.path / CONTROL / DATABASE).is_file():
                with Archive.open(archive.path / CONTROL, read_only=True) as control:
                    (partial / CONTROL).mkdir()
                    _copy(control, partial / CONTROL)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        if destination.is_dir():
            destination.rmdir()
        partial.rename(destination)
    size = sum(file.stat().st_size for file in destination.rglob("*") if file.is_file())
    return Backup(destination, made["agents"], made["commits"], size)


def _expect_free(destination: Path) -> None:
    if destination.exists() and not destination.is_dir():
        raise UsageError(f"expected a directory for the backup, but {destination} is a file")
    if destination.is_dir() and any(destination.iterdir()):
        raise UsageError(f"expected a new or empty directory, but {destination} is not empty")


def _copy(archive: Archive, home: Path) -> dict[str, Any]:
    lineage = Lineage(archive)
    objects = lineage.copy_objects(home / LINEAGE)
    copy_database(archive.database, home / DATABASE)
    with Archive.open(home, read_only=True) as copy:
        copied = Lineage(copy)
        commits = copied.restore_refs() if objects else copied.rebuild()
        made = {
            "format": FORMAT,
            "cambrian": __version__,
            "made_at": time.time(),
            "migrations": schema.applied(copy.database),
            "agents": copy.counts()["agents"],
            "commits": commits,
            "sha256": _digest(home / DATABASE),
        }
    for left in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (home / left).unlink(missing_ok=True)
    (home / MANIFEST).write_text(json.dumps(made, indent=2) + "\n")
    return made


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def restore(source: Path, home: Path, *, force: bool = False) -> Path | None:
    """Put a backup in the place of an archive.

    Args:
        force: an archive that is there is moved aside, never deleted.

    Returns:
        Where what was there before is now; None if nothing was.

    Raises:
        NotFound: `source` is no backup.
        Refused: it is damaged or from a newer Cambrian; an archive is there and `force` is not
            given; a process holds that archive.
    """
    _expect_sound(source)
    aside = None
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        if not force:
            raise Refused(f"{home} is there already; --force moves it aside first")
        if (pid := lock.holder(home / LOCK)) is not None:
            raise Refused(f"{home} is held by process {pid}; stop that one first")
        aside = home.with_name(f"{home.name}.before-restore-{time.strftime('%Y%m%d-%H%M%S')}")
    partial = home.with_name(f"{home.name}.partial")
    with storage_errors.storage(home.parent):
        shutil.rmtree(partial, ignore_errors=True)
        try:
            shutil.copytree(source, partial, symlinks=True)
        except shutil.Error as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise CambrianError(f"cannot copy {source}: {error}") from error
        for manifest in partial.rglob(MANIFEST):
            manifest.unlink()
        if aside is not None:
            home.rename(aside)
        elif home.is_dir():
            home.rmdir()
        partial.rename(home)
    return aside


def _expect_sound(source: Path) -> None:
    try:
        made = json.loads((source / MANIFEST).read_text())
        format_, digest, cambrian_ = made["format"], made["sha256"], made["cambrian"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotFound(
            f"{source} is not a backup: expected {MANIFEST} in it, as `cambrian db backup` makes it"
        ) from error
    if format_ != FORMAT:
        raise Refused(f"{source} was made by Cambrian {cambrian_}, which is newer; upgrade first")
    file = source / DATABASE
    if not file.is_file() or _digest(file) != digest:
        raise Refused(f"{source} is damaged: {DATABASE} is not the file that was backed up")
    database = connect(file, time.time, read_only=True)
    try:
        schema.pending(database)
    finally:
        database.close()


@dataclass(frozen=True)
class Compacted:
    """Bytes of database and lineage, before and after."""

    before: int
    after: int


def compact(archive: Archive) -> Compacted:
    """Give back what is not needed: free pages, the write-ahead log, small packs, loose refs.

    The caller holds `archive.lock()`.
    """
    before = _size(archive.path)
    Lineage(archive).update()
    Lineage(archive).compact()
    archive.database.execute("VACUUM")
    archive.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    archive.database.rows("PRAGMA optimize")
    return Compacted(before, _size(archive.path))


def _size(home: Path) -> int:
    parts = [*home.glob(f"{DATABASE}*"), *(home / LINEAGE).rglob("*")]
    return sum(part.stat().st_size for part in parts if part.is_file())
