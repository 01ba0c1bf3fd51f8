"""Cambrian: an open-ended archive of self-improving learning algorithms."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cambrian.archive.reader import Reader

__version__ = "0.1.0"


def open(path: Path | str) -> Reader:  # noqa: A001 - as in `gzip.open`, `shelve.open`
    """An archive for reading only: `agents()`, `evaluations()`, `sql()`, pandas frames.

    Raises:
        NotFound: no archive there. UsageError, Refused: see `Archive.open`.
    """
    # Imported here: the sandbox imports this package, and has no archive.
    from cambrian.archive.reader import Reader

    return Reader(path)
