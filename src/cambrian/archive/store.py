"""The archive: a directory with `archive.db`, the projection `lineage.git/` and `archive.lock`."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from cambrian.archive import references
from cambrian.archive.nulls import Nulls
from cambrian.archive.questions import Questions
from cambrian.archive.records import Agent, Event, Gate, Member
from cambrian.archive.schema import schema
from cambrian.archive.sqlite import lock
from cambrian.archive.sqlite.cache import RowCache
from cambrian.archive.sqlite.connection import Durability, connect, copy_database
from cambrian.archive.sqlite.database import Clock, Database
from cambrian.archive.sqlite.storage_errors import storage
from cambrian.archive.suites import Suites
from cambrian.archive.tables.agents import Agents
from cambrian.archive.tables.clades import Nodes
from cambrian.archive.tables.evaluations import Evaluations
from cambrian.archive.tables.gates import Gates
from cambrian.archive.tables.jobs import Jobs
from cambrian.archive.tables.ledger import Ledger
from cambrian.archive.tables.proposals import Proposals
from cambrian.archive.tables.runs import Runs
from cambrian.archive.tables.sealings import Sealings
from cambrian.archive.tables.series import array_json
from cambrian.archive.tables.sources import Sources
from cambrian.archive.tables.steering import Steering
from cambrian.archive.transfer import whole
from cambrian.archive.trials import Trials
from cambrian.errors import CambrianError, NotFound, Refused, StorageTrouble, UsageError

DATABASE = "archive.db"
LOCK = "archive.lock"
CONTROL = "control"
"""The archive of a run's control, inside its own."""
LINEAGE = "lineage.git"

_COUNTED = {
    "proposals": (
        *("open", "proposed", "ready", "admitted", "rejected"),
        *("duplicate", "invalid", "failed_smoke", "parked"),
    ),
    "evaluations": ("scored", "failed", "broken"),
    "sealed_evaluations": ("scored", "failed", "broken"),
}


def _migrate(database: Database, home: Path, migrations: Sequence[schema.Migration]) -> None:
    """Bring the schema up to date; an archive that has been used is backed up first."""
    waiting = schema.pending(database, migrations)
    if waiting and schema.applied(database):
        if (pid := lock.holder(home / LOCK)) is not None:
            raise Refused(
                f"{home} was written by an older Cambrian, and process {pid} still holds it: stop "
                f"that one, and it can be brought up to date"
            )
        copy_database(database, home / f"{DATABASE}.before-{waiting[0].__name__}")
    schema.migrate(database, migrations)


def waiting(home: Path, migrations: Sequence[schema.Migration] = schema.MIGRATIONS) -> list[str]:
    """Names of the migrations that an archive still lacks; opening it for writing applies them.

    Raises:
        NotFound: no archive there. Refused: it was written by a newer Cambrian.
    """
    _expect_archive(home)
    database = connect(home / DATABASE, time.time, read_only=True)
    try:
        return [migration.__name__ for migration in schema.pending(database, migrations)]
    finally:
        database.close()


def _expect_archive(home: Path) -> None:
    if not (home / DATABASE).is_file():
        raise NotFound(
            f"{home} is not a Cambrian archive: no {DATABASE}; `cambrian init` makes one"
        )


def _expect_empty(home: Path) -> None:
    """Refuse a directory in which something is, but for what a making that was cut off left."""
    if not home.is_dir():
        return
    unfinished = whole.draft(home / DATABASE).name
    others = sorted(
        entry.name
        for entry in home.iterdir()
        if entry.name != LOCK and not entry.name.startswith(unfinished)
    )
    if LINEAGE in others or f"{DATABASE}-wal" in others:
        raise UsageError(
            f"{home} is an archive whose {DATABASE} is gone: restore it from a backup "
            f"(`cambrian db restore`), or choose another directory"
        )
    if others:
        raise UsageError(
            f"expected a new or empty directory, but {home} holds {', '.join(others[:3])}; "
            f"choose another"
        )


def _make(home: Path, clock: Clock) -> None:
    """Make the database, whole before it has its name."""
    unfinished = whole.draft(home / DATABASE)
    for left in home.glob(f"{unfinished.name}*"):
        left.unlink()
    database = connect(unfinished, clock)
    try:
        schema.migrate(database)
    finally:
        database.close()
    with storage(home):
        unfinished.rename(home / DATABASE)


class Archive:
    """Everything that is remembered, by noun; each verb is one transaction with its event.

    Attributes:
        runs, suites, agents, proposals, evaluations, sealings, nulls, jobs, ledger, questions,
            trials, steering: the verbs on each noun.
        path: the archive's directory.
    """

    def __init__(self, path: Path, database: Database) -> None:
        self.path = path
        self.database = database
        self.runs = Runs(database)
        self.nodes = Nodes(database)
        self.suites = Suites(database)
        self.agents = Agents(database, Sources(database), self.nodes, self.suites)
        self.jobs = Jobs(database)
        self._gates = Gates(database)
        self.steering = Steering(database)
        self.proposals = Proposals(
            database, self.agents, self.jobs, self.nodes, self._gates, self.steering
        )
        self.evaluations = Evaluations(database, self.agents, self.nodes)
        self.sealings = Sealings(database)
        self.nulls = Nulls(database)
        self.ledger = Ledger(database)
        self.questions = Questions(database)
        self.trials = Trials(database)
        self._counts: RowCache[int, dict[str, int]] = RowCache(database, 1)

    @classmethod
    def create(
        cls,
        path: Path | str,
        *,
        clock: Clock = time.time,
        durability: Durability = "normal",
    ) -> Self:
        """Make an archive in a directory that is new or empty.

        Raises:
            Refused: there is an archive already.
            UsageError: the directory holds something else, or the path is a file.
        """
        home = Path(path)
        if (home / DATABASE).exists():
            raise Refused(f"{home} is an archive already; open it, or choose another directory")
        if home.exists() and not home.is_dir():
            raise UsageError(f"expected a directory for the archive, but {home} is a file")
        _expect_empty(home)
        try:
            home.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise UsageError(
                f"expected a directory for the archive, but {home} is a link that leads nowhere; "
                f"remove it, or choose another"
            ) from error
        except OSError as error:
            raise CambrianError(
                f"cannot make {home}: {error.strerror}; choose another with --archive"
            ) from error
        _make(home, clock)
        return cls._open(home, clock, read_only=False, durability=durability)

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        read_only: bool = False,
        clock: Clock = time.time,
        durability: Durability = "normal",
        migrations: Sequence[schema.Migration] = schema.MIGRATIONS,
    ) -> Self:
        """Open an archive; for writing, its schema (and its control's) is brought up to date first.

        Args:
            migrations: that make it up to date.

        Raises:
            NotFound: no archive there.
            UsageError: the file is damaged, or another program's.
            Refused: it was written by a newer Cambrian, or is older and opened for reading only.
        """
        home = Path(path)
        _expect_archive(home)
        found = cls._open(
            home, clock, read_only=read_only, durability=durability, migrations=migrations
        )
        control = home / CONTROL
        older = not read_only and (control / DATABASE).is_file() and waiting(control, migrations)
        if older:
            try:
                cls.open(control, clock=clock, migrations=migrations).close()
            except BaseException:
                found.close()
                raise
        return found

    @classmethod
    def open_or_create(
        cls,
        path: Path | str,
        *,
        clock: Clock = time.time,
        durability: Durability = "normal",
    ) -> Self:
        """Open the archive for writing, or make it where there is none. Raises as those two do."""
        make = cls.open if (Path(path) / DATABASE).exists() else cls.create
        return make(path, clock=clock, durability=durability)

    @classmethod
    def _open(
        cls,
        home: Path,
        clock: Clock,
        *,
        read_only: bool,
        durability: Durability,
        migrations: Sequence[schema.Migration] = schema.MIGRATIONS,
    ) -> Self:
        database = connect(home / DATABASE, clock, read_only=read_only, durability=durability)
        try:
            if not read_only:
                _migrate(database, home, migrations)
            elif schema.pending(database, migrations):
                raise Refused(
                    f"{home} was written by an older Cambrian; open it for writing once "
                    f"(any `cambrian run`) to bring it up to date"
                )
        except StorageTrouble as error:
            database.close()
            if error.reason != "damaged":
                raise
            raise UsageError(
                f"{home / DATABASE} is damaged ({error.__cause__}); restore it from a backup"
            ) from error
        except sqlite3.DatabaseError as error:
            database.close()
            raise UsageError(
                f"{home / DATABASE} is damaged ({error}); restore it from a backup"
            ) from error
        except BaseException:
            database.close()
            raise
        database.connection.create_function("array_json", 3, array_json, deterministic=True)
        return cls(home, database)

    def close(self) -> None:
        """Close the connection; closing again does nothing."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the archive's lock while a block runs: needed to write more than a single verb.

        Raises (on entering):
            Refused: another process holds it; the message names it.
        """
        with lock.hold(self.path / LOCK), self.database.alone():
            yield

    def lock_holder(self) -> int | None:
        """The process id of the lock's holder (0 if unreadable); None if it is free."""
        return lock.holder(self.path / LOCK)

    def transaction(self) -> AbstractContextManager[None]:
        """Several verbs as one: all of them, or none. The verbs inside are savepoints."""
        return self.database.transaction()

    def resolve(self, reference: str) -> str:
        """The full id behind a prefix, `#12`, `@best`, `ID^`, `ID~3`; see `ids`."""
        return references.resolve(self.database, self.agents, reference)

    def members(self, through: int | None = None) -> list[Member]:
        """The tree as decided through a proposal; see `Agents.members`."""
        return self.agents.members(through)

    def champion(self) -> Agent | None:
        """The member with the best lower bound; see `Agents.champion`."""
        return self.agents.champion()

    def gates(self, *, agent_id: str | None = None, proposal_id: int | None = None) -> list[Gate]:
        """The gates of an agent or of a proposal, in the order they were passed.

        Raises:
            UsageError: not exactly one of the two is given.
        """
        if (agent_id is None) == (proposal_id is None):
            raise UsageError("expected either an agent_id or a proposal_id")
        if agent_id is not None:
            return self._gates.of_agent(agent_id)
        assert proposal_id is not None
        return self._gates.of_proposal(proposal_id)

    def events(self, after: int = 0, limit: int = 1000) -> list[Event]:
        """Events with a sequence number above `after`, oldest first."""
        rows = self.database.rows(
            "SELECT * FROM event_log WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        )
        return [Event.of(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many there are, at the same cost for any size (triggers keep the tallies).

        Keys: every proposal state; `judged` (admitted + rejected); `proposals`; `agents`,
        `seeds`, `members`, `candidates`; and `evaluations_VERDICT`, `sealed_evaluations_VERDICT`.
        """
        known = self._counts.known(self.database.writes)
        if known is None:
            known = self._count()
            self._counts.keep(self.database.writes, known)
        return known

    def _count(self) -> dict[str, int]:
        tallies = {row["name"]: row["n"] for row in self.database.rows("SELECT * FROM tallies")}
        proposals = {s: tallies.get(f"proposals.{s}", 0) for s in _COUNTED["proposals"]}
        statuses = ("seed", "candidate", "admitted", "rejected")
        agents = {status: tallies.get(f"agents.{status}", 0) for status in statuses}
        verdicts = {
            f"{table}_{verdict}": tallies.get(f"{table}.{verdict}", 0)
            for table in ("evaluations", "sealed_evaluations")
            for verdict in _COUNTED[table]
        }
        return {
            **proposals,
            "judged": proposals["admitted"] + proposals["rejected"],
            "proposals": sum(proposals.values()),
            "agents": sum(agents.values()),
            "seeds": agents["seed"],
            "members": agents["seed"] + agents["admitted"],
            "candidates": agents["candidate"],
            **verdicts,
        }
