"""An archive to look at: `cambrian.open(path)`, from a notebook or a script.

::

    with cambrian.open("archive") as archive:
        archive.agents()                          # rows, best first
        archive.evaluations().frame()             # a pandas frame
        archive.sql("SELECT * FROM leaderboard LIMIT ?", (10,))

Nothing can be changed through it: SQLite opens the file for reading only, and refuses every
statement that is not a question. A run may continue meanwhile.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from cambrian.archive.sqlite import storage_errors
from cambrian.archive.store import Archive
from cambrian.errors import CambrianError, Refused, UsageError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

STEPS = 10_000
"""SQLite looks at the clock after so many steps of its virtual machine."""

_AGENTS = """
SELECT a.number, a.id, a.status, a.kind, a.title, a.hypothesis, p.parent_id AS parent, a.depth,
       a.score, a.lower, a.upper, a.proposal_index AS proposal, a.created_at, a.decided_at
FROM agents a LEFT JOIN parents p ON p.child_id = a.id AND p.position = 0
"""
_MEMBERS = "WHERE a.status IN ('seed', 'admitted')"

_EVALUATIONS = """
SELECT e.id, a.number, e.agent_id, e.benchmark, e.version, e.stage, e.seed, e.verdict, e.score,
       e.raw, e.flops, e.cpu_s, e.wall_s, e.peak_bytes, e.state_bytes, e.reason, e.metrics,
       e.created_at
FROM evaluations e JOIN agents a ON a.id = e.agent_id
"""

# What a question may do; everything else (writing, attaching, loading) is refused by SQLite.
_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
_PRAGMAS = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "user_version"}


class Rows(Sequence[Mapping[str, Any]]):
    """Rows of an answer, each a mapping by column; `columns` are their names in order."""

    def __init__(self, columns: Sequence[str], values: Sequence[tuple[Any, ...]]) -> None:
        self.columns = tuple(columns)
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, at: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> Rows: ...
    def __getitem__(self, at: int | slice) -> Mapping[str, Any] | Rows:
        if isinstance(at, slice):
            return Rows(self.columns, self.values[at])
        return dict(zip(self.columns, self.values[at], strict=True))

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (dict(zip(self.columns, row, strict=True)) for row in self.values)

    def frame(self) -> pd.DataFrame:
        """The same as a pandas frame."""
        import pandas

        return pandas.DataFrame(list(self.values), columns=list(self.columns))


class Reader:
    """An archive opened for reading only; also a context manager."""

    def __init__(self, path: Path | str) -> None:
        self._archive = Archive.open(path, read_only=True)
        self._connection = self._archive.database.connection

    def agents(self, *, everyone: bool = False) -> Rows:
        """The members of the tree by number, or `everyone`: candidates and rejected ones too."""
        where = "" if everyone else _MEMBERS
        return self.sql(f"{_AGENTS} {where} ORDER BY a.number IS NULL, a.number")

    def evaluations(self, agent: str | None = None) -> Rows:
        """Evaluations (never sealed ones), of one agent by any of its names or of all.

        Raises:
            NotFound, UsageError: no such agent, or several (see `Archive.resolve`).
        """
        where = "" if agent is None else "WHERE e.agent_id = ?"
        given = () if agent is None else (self._archive.resolve(agent),)
        return self.sql(f"{_EVALUATIONS} {where} ORDER BY e.id", given)

    def series(self, evaluation: int) -> dict[str, np.ndarray]:
        """The curves (n,) and matrices (n, m) of an evaluation, by name."""
        return self._archive.evaluations.series(evaluation)

    def sql(
        self,
        query: str,
        parameters: tuple[Any, ...] | Mapping[str, Any] = (),
        *,
        limit: int | None = None,
        seconds: float | None = None,
    ) -> Rows:
        """Ask one question in SQL. The tables and views are documented in docs/archive.md.

        Args:
            limit: fetch so many rows at most. seconds: give up after so long.

        Raises:
            Refused: it would change something, or it took too long.
            UsageError: it is not one statement of SQL that SQLite understands.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        self._connection.set_authorizer(_authorize)
        self._connection.set_progress_handler(
            None if deadline is None else lambda: time.monotonic() > deadline, STEPS
        )
        try:
            with storage_errors.storage():
                cursor = self._connection.execute(query, parameters)
                found = cursor.fetchall() if limit is None else cursor.fetchmany(limit)
                columns = [name for name, *_ in cursor.description or ()]
                cursor.close()
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise _refusal(error, seconds) from error
        finally:
            self._connection.set_progress_handler(None, 0)
            self._connection.set_authorizer(None)
        return Rows(columns, found)

    def close(self) -> None:
        """Close the file; closing again does nothing."""
        self._archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    asks = action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS
    loads = action == sqlite3.SQLITE_FUNCTION and second == "load_extension"
    return sqlite3.SQLITE_OK if (action in _ALLOWED or asks) and not loads else sqlite3.SQLITE_DENY


def _refusal(error: Exception, seconds: float | None) -> CambrianError:
    said = str(error)
    if "interrupted" in said:
        return Refused(f"the query took longer than {seconds:g} s; ask for less, or allow more")
    if "not authorized" in said or "prohibited" in said or "readonly" in said:
        return Refused(f"only questions are allowed here, nothing that changes or loads: {said}")
    return UsageError(f"expected one SELECT that SQLite understands: {said}")


def open(path: Path | str) -> Reader:  # noqa: A001 - as in `gzip.open`, `shelve.open`
    """An archive for reading only: `agents()`, `evaluations()`, `sql()`, pandas frames.

    Raises:
        NotFound: no archive there. UsageError, Refused: see `Archive.open`.
    """
    return Reader(path)
