"""One SQLite connection: its settings, its transactions, its clock and the append-only events.

Every noun of the archive (`agents`, `proposals`, `jobs`, ...) shares one `Database`. Reads
return whole lists, so no cursor stays open across a write; `stream` is for checks that walk
everything. All methods may be called from several threads: one lock serialises them.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from cambrian.archive.sqlite import storage_errors
from cambrian.archive.sqlite.cache import RowCache
from cambrian.errors import Refused, StorageLocked, UsageError

if TYPE_CHECKING:
    import sqlite_utils

Clock = Callable[[], float]
Parameters = tuple[Any, ...] | dict[str, Any]
Row = dict[str, Any]

BUSY_TIMEOUT_MS = 30_000
STATEMENTS = 512
"""Statements kept prepared: more than there are."""


class Database:
    """A connection with explicit transactions.

    Args:
        connection: opened with `isolation_level=None`, so that nothing commits by itself.
        clock: seconds since the epoch.
        read_only: refuse transactions with a clear message instead of SQLite's.

    Attributes:
        sole_writer: whether this process is the only writer (the archive's lock is held).
        caches: what is kept of what was read, while it is.
        writes: how many statements have changed something; a tally read before is then of the past.
    """

    def __init__(
        self, connection: sqlite3.Connection, clock: Clock, *, read_only: bool = False
    ) -> None:
        # sqlite-utils imports pandas where it is installed (a third of a second), so it is
        # imported when an archive is opened and not with this module.
        import sqlite_utils

        self.connection = connection
        # No plugins: an archive means the same whatever else is installed beside it.
        self.utils: sqlite_utils.Database = sqlite_utils.Database(connection, execute_plugins=False)
        self.now = clock
        self.read_only = read_only
        self.sole_writer = False
        self._version = 0
        self.caches: list[RowCache[Any, Any]] = []
        self.writes = 0
        self.lock = threading.RLock()

    def register(self, cache: RowCache[Any, Any]) -> None:
        """Have a cache cleared whenever what was read may no longer be true."""
        self.caches.append(cache)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nested blocks are savepoints of the outermost one.

        Raises:
            Refused: the archive is open for reading only.
            StorageTrouble: the disk is full, read-only or failing, the file is damaged, or
                another process has been writing for too long. Nothing of this block is kept, and
                what was recorded before stands, so the block may be run again later.
        """
        with self.lock:
            if self.read_only:
                raise Refused(
                    "the archive is open for reading only; open it for writing to change it"
                )
            nested = self._inside()
            # One name for all, so that it is prepared once: SQLite ends the innermost of a name.
            begin, end, undo = _SAVEPOINT if nested else _TRANSACTION
            self._begin(begin)
            try:
                if self.sole_writer and not nested:
                    self._watch()
                yield
                self._control(end)
            except BaseException as error:
                self.forget()
                if self._inside():  # a full disk makes SQLite roll back by itself
                    for statement in undo:
                        self.connection.execute(statement)
                found = (
                    storage_errors.told(error)
                    if isinstance(error, (sqlite3.Error, OSError))
                    else None
                )
                if found is not None and nested:
                    raise found from error
                raise

    @contextmanager
    def durable(self) -> Iterator[None]:
        """A transaction that survives a power cut too, once it is committed, whatever the
        archive's durability; not to be nested.

        Raises: as `transaction` does.
        """
        with self.lock:
            (before,) = self.connection.execute("PRAGMA synchronous").fetchone()
            self._control("PRAGMA synchronous = FULL")
            try:
                with self.transaction():
                    yield
            finally:
                self._control(f"PRAGMA synchronous = {int(before)}")

    @contextmanager
    def step(self) -> Iterator[None]:
        """A transaction of its own, or part of the one that is open, and then no savepoint: for the
        small verbs of which several make one. They look before they write, so that one that is
        refused has written nothing; after any other error the whole has to be rolled back.

        Raises: as `transaction` does.
        """
        if self._inside():
            yield
        else:
            with self.transaction():
                yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside is of one moment; a writer goes on meanwhile."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.connection.execute("ROLLBACK")

    def _inside(self) -> bool:
        return self.connection.in_transaction

    def _begin(self, statement: str) -> None:
        try:
            self._control(statement)
        except StorageLocked as error:
            raise StorageLocked(
                f"expected to be the archive's only writer, but another process has been writing "
                f"for {BUSY_TIMEOUT_MS // 1000} s; stop it and try again"
            ) from error

    def _watch(self) -> None:
        """Forget what was kept if another connection has written after all: someone who changes
        rows with a program of their own does not know of our lock. It takes a microsecond."""
        (version,) = self.connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version = version
            self.forget()

    def _control(self, statement: str) -> None:
        try:
            self.connection.execute(statement)
        except (sqlite3.Error, OSError) as error:
            _fail(error)

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement that returns no rows; the number of rows it changed."""
        with self.lock:
            self.writes += 1
            try:
                return self.connection.execute(sql, _storable(parameters)).rowcount
            except (sqlite3.Error, OSError) as error:
                _fail(error)

    def execute_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for each row of parameters: numbers, and texts that are our own."""
        with self.lock, storage_errors.storage():
            self.writes += 1
            self.connection.executemany(sql, rows)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query, as dictionaries."""
        with self.lock:
            try:
                cursor = self.connection.execute(sql, parameters)
                found = cursor.fetchall()
            except (sqlite3.Error, OSError) as error:
                _fail(error)
            if not found:
                return []
            names = [column[0] for column in cursor.description]
        return [dict(zip(names, values, strict=True)) for values in found]

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def change(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """Run a statement that RETURNs what it changed; the first row of that, or None."""
        self.writes += 1
        return self.row(sql, _storable(parameters))

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row, or None."""
        with self.lock:
            try:
                found = self.connection.execute(sql, parameters).fetchone()
            except (sqlite3.Error, OSError) as error:
                _fail(error)
        return found[0] if found else None

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """Rows one at a time, for walks over everything; do not write while it is open."""
        with storage_errors.storage():
            yield from self._cursor(sql, parameters)

    def tuples(self, sql: str, parameters: Parameters = ()) -> Iterator[tuple[Any, ...]]:
        """The same without names: a million rows go into an array in a second."""
        with storage_errors.storage():
            yield from self.connection.execute(sql, parameters)

    def _cursor(self, sql: str, parameters: Parameters) -> Iterator[Row]:
        cursor = self.connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description or ()]
        for values in cursor:
            yield dict(zip(names, values, strict=True))

    def insert(self, table: str, row: Mapping[str, Any]) -> int:
        """Insert one row inside an open transaction; its rowid."""
        # Not through sqlite-utils, which looks the table up again for every row.
        sql = _insert(table, tuple(row))
        with self.lock:
            self.writes += 1
            try:
                return self.connection.execute(sql, _storable(tuple(row.values()))).lastrowid or 0
            except (sqlite3.Error, OSError) as error:
                _fail(error)

    def event(
        self,
        kind: str,
        /,
        *,
        run_id: int | None = None,
        agent_id: str | None = None,
        proposal_id: int | None = None,
        job_id: int | None = None,
        **data: Any,
    ) -> None:
        """Append an event; called inside the transaction of the transition that it tells of."""
        row = (self.now(), kind, run_id, agent_id, proposal_id, job_id, encode(data))
        self.execute(_EVENT, row)

    def take_over(self, fresh: Database) -> None:
        """Go on with another one's connection, and close ours: after trouble with the storage."""
        with self.lock:
            old, self.connection, self.utils = self.connection, fresh.connection, fresh.utils
            self._version = 0
            self.forget()
            with suppress(sqlite3.Error):
                old.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes while this block runs: what was read is kept meanwhile."""
        self.sole_writer = True
        try:
            yield
        finally:
            self.sole_writer = False
            self.forget()

    def forget(self) -> None:
        """Drop everything that was kept of what was read."""
        self.writes += 1
        for memory in self.caches:
            memory.clear()

    def close(self) -> None:
        """Close the connection; the last one to close folds the write-ahead log back."""
        with self.lock:
            self.connection.close()


# IMMEDIATE: wait for the write lock now, not in the middle of the work.
_TRANSACTION = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_SAVEPOINT = ("SAVEPOINT verb", "RELEASE verb", ("ROLLBACK TO verb", "RELEASE verb"))


@lru_cache(maxsize=STATEMENTS)
def _insert(table: str, columns: tuple[str, ...]) -> str:
    places = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 -- our own


_EVENT = _insert("events", ("at", "kind", "run_id", "agent_id", "proposal_id", "job_id", "data"))


def _fail(error: sqlite3.Error | OSError) -> NoReturn:
    """As `trouble.storage` does, without the price of a context for each statement."""
    found = storage_errors.told(error)
    if found is None:
        raise error
    raise found from error


def _storable(parameters: Any) -> Any:
    if isinstance(parameters, Mapping):
        return {name: storable(value) for name, value in parameters.items()}
    # Most are numbers or plain: a call for each would cost more than the statement's binding.
    return [
        storable(value) if isinstance(value, str) and not value.isascii() else value
        for value in parameters
    ]


def storable(value: Any) -> Any:
    """The same value; in prose (a model wrote it), what UTF-8 cannot hold becomes "?"."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "replace").decode("utf-8")


_JSON = json.JSONEncoder(allow_nan=False, sort_keys=True, separators=(",", ":"))


def encode(value: Any) -> str:
    """JSON text with sorted keys, in ASCII: what a model writes may hold lone surrogates.

    Raises:
        UsageError: NaN, infinity or something JSON has no word for.
    """
    try:
        return _JSON.encode(value)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"expected plain JSON with finite numbers, got {value!r}: {error}"
        ) from error


def decode(text: str | None) -> Any:
    """The value of JSON text; None for a missing one."""
    return None if text is None else json.loads(text)
