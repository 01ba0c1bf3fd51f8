"""Whether a database's file has something in it, before SQLite opens it.

SQLite takes an empty file for a new database. So a database is made under another name and renamed
once it is complete; an empty one under its own name has lost what was in it. (One that was cut off
SQLite finds out by itself.)

The file is never opened here: to close it would give up the locks that SQLite holds on it for other
connections of this process (https://www.sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

from pathlib import Path

from cambrian.errors import UsageError


def draft(path: Path) -> Path:
    """Where the database that is to be `path` is made."""
    return path.with_name(f"{path.name}.draft")


def unfinished(path: Path) -> bool:
    """Whether a file is such a draft."""
    return path.suffix == ".draft"


def expect(path: Path) -> None:
    """Refuse an empty file. One that cannot be looked at is SQLite's to explain.

    Raises:
        UsageError: it is empty.
    """
    try:
        size = path.stat().st_size
    except OSError:
        return
    if not size and not unfinished(path):
        raise UsageError(
            f"{path} is empty (0 bytes), so it is no archive: restore it from a backup"
        )
