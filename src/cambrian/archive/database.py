"""One SQLite connection: its settings, its transactions, its clock and the append-only events.

Every noun of the archive (`agents`, `proposals`, `jobs`, ...) shares one `Database`. Reads
return whole lists, so no cursor stays open across a write; `stream` is for checks that walk
everything. All methods may be called from several threads: one lock serialises them.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cambrian.archive import trouble
from cambrian.errors import CambrianError, Refused, StorageLocked, UsageError

if TYPE_CHECKING:
    import sqlite_utils

Clock = Callable[[], float]
Durability = Literal["normal", "full"]
Parameters = tuple[Any, ...] | dict[str, Any]
Row = dict[str, Any]

BUSY_TIMEOUT_MS = 30_000
CACHE_KIB = 65_536
"""Pages kept in memory at most, once they were read: the inner nodes of a big archive's indexes."""

# "Camb" in ASCII: tells our file from another program's database (PRAGMA application_id).
APPLICATION_ID = 0x43616D62


class Database:
    """A connection with explicit transactions.

    Args:
        connection: opened with `isolation_level=None`, so that nothing commits by itself.
        clock: seconds since the epoch.
        read_only: refuse transactions with a clear message instead of SQLite's.
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
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nested blocks are savepoints of the outermost one.

        Raises:
            Refused: the archive is open for reading only.
            StorageTrouble: the disk is full, read-only or failing, the file is damaged, or
                another process has been writing for too long. Nothing of this block is kept, and
                what was recorded before stands, so the block may be run again later.
        """
        with self._lock:
            if self.read_only:
                raise Refused(
                    "the archive is open for reading only; open it for writing to change it"
                )
            if self._inside():
                with trouble.storage(), self.utils.atomic():
                    yield
                return
            self._begin()
            try:
                yield
                with trouble.storage():
                    self.connection.execute("COMMIT")
            except BaseException:
                if self._inside():  # a full disk makes SQLite roll back by itself
                    self.connection.execute("ROLLBACK")
                raise

    def _inside(self) -> bool:
        return self.connection.in_transaction

    def _begin(self) -> None:
        try:
            with trouble.storage():
                # IMMEDIATE: wait for the write lock now, not in the middle of the work.
                self.connection.execute("BEGIN IMMEDIATE")
        except StorageLocked as error:
            raise StorageLocked(
                f"expected to be the archive's only writer, but another process has been writing "
                f"for {BUSY_TIMEOUT_MS // 1000} s; stop it and try again"
            ) from error

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement that returns no rows; the number of rows it changed."""
        with self._lock, trouble.storage():
            return self.connection.execute(sql, _storable(parameters)).rowcount

    def execute_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run one statement for each row of parameters: numbers, and texts that are our own."""
        with self._lock, trouble.storage():
            self.connection.executemany(sql, rows)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query, as dictionaries."""
        with self._lock, trouble.storage():
            return list(self._cursor(sql, parameters))

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row, or None."""
        with self._lock, trouble.storage():
            found = self.connection.execute(sql, parameters).fetchone()
        return found[0] if found else None

    def stream(self, sql: str, parameters: Parameters = ()) -> Iterator[Row]:
        """Rows one at a time, for walks over everything; do not write while it is open."""
        with trouble.storage():
            yield from self._cursor(sql, parameters)

    def tuples(self, sql: str, parameters: Parameters = ()) -> Iterator[tuple[Any, ...]]:
        """The same without names: a million rows go into an array in a second."""
        with trouble.storage():
            yield from self.connection.execute(sql, parameters)

    def _cursor(self, sql: str, parameters: Parameters) -> Iterator[Row]:
        cursor = self.connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description or ()]
        for values in cursor:
            yield dict(zip(names, values, strict=True))

    def insert(self, table: str, row: Mapping[str, Any]) -> int:
        """Insert one row inside an open transaction; its rowid."""
        names, places = ", ".join(row), ", ".join("?" * len(row))
        with self._lock, trouble.storage():
            # Not through sqlite-utils, which looks the table up again for every row.
            sql = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 -- our own names
            return self.connection.execute(sql, _storable(tuple(row.values()))).lastrowid or 0

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
        self.insert(
            "events",
            {
                "at": self.now(),
                "kind": kind,
                "run_id": run_id,
                "agent_id": agent_id,
                "proposal_id": proposal_id,
                "job_id": job_id,
                "data": encode(data),
            },
        )

    def take_over(self, fresh: Database) -> None:
        """Go on with another one's connection, and close ours: after trouble with the storage."""
        with self._lock:
            old, self.connection, self.utils = self.connection, fresh.connection, fresh.utils
            with suppress(sqlite3.Error):
                old.close()

    def close(self) -> None:
        """Close the connection; the last one to close folds the write-ahead log back."""
        with self._lock:
            self.connection.close()


def _storable(parameters: Any) -> Any:
    """The same values; in prose (a model wrote it), what UTF-8 cannot hold becomes "?"."""
    if isinstance(parameters, Mapping):
        return {name: _text(value) for name, value in parameters.items()}
    return tuple(_text(value) for value in parameters)


def _text(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def encode(value: Any) -> str:
    """JSON text with sorted keys, in ASCII: what a model writes may hold lone surrogates.

    Raises:
        UsageError: NaN, infinity or something JSON has no word for.
    """
    try:
        return json.dumps(value, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"expected plain JSON with finite numbers, came {value!r}: {error}"
        ) from error


def decode(text: str | None) -> Any:
    """The value of JSON text; None for a missing one."""
    return None if text is None else json.loads(text)


def connect(
    path: Path, clock: Clock, *, read_only: bool = False, durability: Durability = "normal"
) -> Database:
    """Open the file, set it up, and refuse one that is not ours.

    `durability` is what a power cut may cost: "normal" (the last transactions, never
    consistency) or "full" (nothing). A killed process costs nothing in either.

    Raises:
        UsageError: the file is damaged or another program's, or `durability` is unknown.
        StorageTrouble: it is to be written and cannot be, or its disk gives trouble.
    """
    if durability not in ("normal", "full"):
        raise UsageError(f'expected durability "normal" or "full", came {durability!r}')
    if not read_only and not os.access(path.parent, os.W_OK):
        # SQLite would only say that it cannot open the file.
        raise trouble.of("read-only", str(path.parent))
    connection = _open(path, read_only)
    try:
        _recognise(connection, path)
        with trouble.storage():
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            if not read_only:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA synchronous = {durability}")
        return Database(connection, clock, read_only=read_only)
    except BaseException:
        connection.close()
        raise


def _open(path: Path, read_only: bool) -> sqlite3.Connection:
    mode = "?mode=ro" if read_only else "?mode=rwc"
    log = path.with_name(path.name + "-wal")
    if read_only and not log.exists() and not os.access(path.parent, os.W_OK):
        # A write-ahead log needs a file beside it even to read; on read-only media with
        # nothing in the log, SQLite may take the file as it is.
        mode += "&immutable=1"
    try:
        connection = sqlite3.connect(
            path.resolve().as_uri() + mode,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_TIMEOUT_MS / 1000,
        )
    except sqlite3.Error as error:
        raise CambrianError(f"cannot open {path}: {error}; check its permissions") from error
    return connection


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    try:
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = trouble.told(error)
        if found is not None and found.reason != "damaged":
            raise found from error
        raise UsageError(
            f"{path} cannot be read as an archive ({error}): expected a SQLite file that Cambrian "
            f"wrote; restore it from a backup, or choose another archive"
        ) from error
    # A file without any table is one whose creation was cut off: it is completed.
    if mark != APPLICATION_ID and tables:
        raise UsageError(
            f"{path} is another program's database (application id {mark:#x}, expected "
            f"{APPLICATION_ID:#x}); choose another archive"
        )


def copy_database(database: Database, target: Path) -> None:
    """A copy of the file as of one moment, on disk when this returns."""
    partial = target.with_name(f"{target.name}.partial")
    with trouble.storage():
        partial.unlink(missing_ok=True)
        with closing(sqlite3.connect(partial)) as copy:
            database.connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(target)
