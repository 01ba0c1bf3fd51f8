"""Whether a database's file is whole, before SQLite opens it.

SQLite takes an empty file for a new database, and misses the end of one that was cut off only when
it comes to it. So a database is made under another name and renamed once it is complete; an empty
one under its own name has lost what was in it.
"""

from __future__ import annotations

from pathlib import Path

from cambrian.errors import UsageError

HEADER = 100
MAGIC = b"SQLite format 3\0"


def draft(path: Path) -> Path:
    """Where the database that is to be `path` is made."""
    return path.with_name(f"{path.name}.draft")


def unfinished(path: Path) -> bool:
    """Whether a file is such a draft."""
    return path.suffix == ".draft"


def expect(path: Path) -> None:
    """Refuse a file that is empty or was cut off. One that cannot be read is SQLite's to explain.

    Raises:
        UsageError: it is empty, or shorter than it says of itself.
    """
    if unfinished(path):
        return
    try:
        size, stated = _sizes(path)
        if size < stated:  # or a writer was just folding its log back: then not again
            size, stated = _sizes(path)
    except OSError:
        return
    if not size:
        raise UsageError(
            f"{path} is empty (0 bytes), so it is no archive: restore it from a backup"
        )
    if size < stated:
        raise UsageError(
            f"{path} was cut off: expected {stated} bytes, got {size}; restore it from a backup"
        )


def _sizes(path: Path) -> tuple[int, int]:
    """Bytes of a file, and those that its header states; 0 where its end may lie in a log, or where
    it is no SQLite file, which SQLite says better."""
    log = path.with_name(path.name + "-wal")
    before = _has_something(log)
    with path.open("rb") as file:
        header = file.read(HEADER)
    size = path.stat().st_size
    open_end = before or _has_something(log) or not header.startswith(MAGIC)
    return size, 0 if open_end else _stated(header)


def _has_something(log: Path) -> bool:
    try:
        return log.stat().st_size > 0
    except FileNotFoundError:
        return False


def _stated(header: bytes) -> int:
    """The size in bytes that a header states (https://sqlite.org/fileformat2.html, 1.3.2, 1.3.8);
    0 where an old program has written and the statement may not hold."""
    if len(header) < HEADER:
        return HEADER
    page = int.from_bytes(header[16:18], "big")
    pages, changed, stated_at = (int.from_bytes(header[n : n + 4], "big") for n in (28, 24, 92))
    return (65536 if page == 1 else page) * pages if changed == stated_at else 0
