"""The schema as a list of numbered migrations, each applied with its record in one transaction.

A migration that was ever released is frozen, and so is its SQL in `migrations/`: to change the
schema, append one to `MIGRATIONS` and refresh `tests/archive/schema.sql`, which pins the result.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from importlib import resources

from cambrian.archive import suites
from cambrian.archive.schema import views
from cambrian.archive.sqlite.connection import APPLICATION_ID
from cambrian.archive.sqlite.database import Database
from cambrian.archive.tables import clades
from cambrian.archive.tables.series import unpack
from cambrian.errors import Refused
from cambrian.measurement import digest_of

Migration = Callable[[Database], None]


def m001_tables(database: Database) -> None:
    """Every table, its indexes and triggers; marks the file as ours."""
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    _run(database, "m001_tables")


def m002_views(database: Database) -> None:
    """The views that are a public interface."""
    for name, select in views.VIEWS.items():
        database.utils.create_view(name, select.strip())


def m003_steering(database: Database) -> None:
    """Back-off of jobs, standing orders, intents, approvals, meters; spend that is an estimate."""
    _run(database, "m003_steering")


def m004_nodes(database: Database) -> None:
    """The tree in numbers: clade counts, behaviours, and tallies of why agents were admitted."""
    _run(database, "m004_nodes")
    clades.fill(database, suites=False)


def m005_predictions(database: Database) -> None:
    """What learners answered; and each time that sealed data was used, and for whom."""
    _run(database, "m005_predictions")


def m006_more_views(database: Database) -> None:
    """What clades have shown, and what was evaluated by what."""
    for name, select in views.LATER.items():
        database.utils.create_view(name, select.strip())


def m007_views_that_scale(database: Database) -> None:
    """One agent's lineage costs one agent's; the tree is walked in numbers."""
    for name, select in views.AGAIN.items():
        database.utils.create_view(name, select.strip(), replace=True)


def m008_said_once(database: Database) -> None:
    """Rules of gates, and what events point to, are said once; one index where two overlapped."""
    _run(database, "m008_said_once")


def m009_files_with_agents(database: Database) -> None:
    """An agent's files are in its row; no index that nothing asks."""
    _run(database, "m009_files_with_agents")


def m010_events_by_their_number(database: Database) -> None:
    """Events without a sequence beside them."""
    _run(database, "m010_events_by_their_number")


def m011_fingerprints(database: Database) -> None:
    """What agents do, as their syntax says it; filled at the next run's start, in batches. Failures
    in a race are no outcomes of clades any more."""
    _run(database, "m011_fingerprints")
    raced = "SELECT 1 FROM evaluations WHERE stage = 'race' AND verdict = 'failed' LIMIT 1"
    if database.value(raced) is not None:
        clades.fill(database, suites=False)


def m012_suites(database: Database) -> None:
    """Suites, and a score for each agent in each."""
    _run(database, "m012_suites")
    suites.backfill(database)


def m013_answers(database: Database) -> None:
    """What tells the answers of agents from each other; fingerprints of the normal form of code."""
    _run(database, "m013_answers")
    screened = "SELECT id FROM evaluations WHERE stage = 'screen' AND verdict = 'scored'"
    for row in database.rows(screened):
        kept = database.rows("SELECT * FROM predictions WHERE evaluation_id = ?", (row["id"],))
        digest = digest_of({one["name"]: unpack(one) for one in kept})
        if digest is not None:
            database.insert("screen_answers", {"evaluation_id": row["id"], "digest": digest})


def m014_nulls(database: Database) -> None:
    """Null controls, apart from all that decides."""
    _run(database, "m014_nulls")


def m015_questions(database: Database) -> None:
    """What models were asked, and which changes of their answers could be made."""
    _run(database, "m015_questions")


def m016_trials(database: Database) -> None:
    """What came of trying a model's variants before they were recorded."""
    _run(database, "m016_trials")


def m017_calls(database: Database) -> None:
    """Which question of its proposal a model call was, and why it was not answered."""
    _run(database, "m017_calls")


def _run(database: Database, name: str) -> None:
    """Execute the statements of a migration's file."""
    script = resources.files(__package__).joinpath("migrations", f"{name}.sql")
    for statement in statements(script.read_text(encoding="utf-8")):
        database.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (
    m001_tables,
    m002_views,
    m003_steering,
    m004_nodes,
    m005_predictions,
    m006_more_views,
    m007_views_that_scale,
    m008_said_once,
    m009_files_with_agents,
    m010_events_by_their_number,
    m011_fingerprints,
    m012_suites,
    m013_answers,
    m014_nulls,
    m015_questions,
    m016_trials,
    m017_calls,
)


def statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one.

    `sqlite3.Connection.executescript` commits the open transaction first, and so could not be
    part of one.
    """
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
    if pending.strip():
        raise ValueError(f"expected a complete SQL statement, got {pending.strip()!r}")


def applied(database: Database) -> list[str]:
    """Names of the migrations this archive has seen, in order; empty for a fresh file."""
    if not database.value(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'migrations'"
    ):
        return []
    return [str(row["name"]) for row in database.rows("SELECT name FROM migrations ORDER BY rowid")]


def pending(
    database: Database, migrations: Sequence[Migration] = MIGRATIONS
) -> Sequence[Migration]:
    """The migrations still to be applied.

    Raises:
        Refused: the archive has seen a migration that this version does not know.
    """
    seen = applied(database)
    known = [migration.__name__ for migration in migrations]
    if seen != known[: len(seen)]:
        unknown = [name for name in seen if name not in known] or seen
        raise Refused(
            f"the archive was written by a newer Cambrian: expected migrations {known}, got "
            f"{', '.join(unknown)}; upgrade Cambrian to open it"
        )
    return migrations[len(seen) :]


def migrate(database: Database, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the schema up to date; each migration and its record are one transaction.

    Raises:
        Refused: the archive is newer than this version.
    """
    while waiting := pending(database, migrations):
        with database.transaction():
            # Another process may have migrated between the look and the lock.
            if pending(database, migrations)[:1] != waiting[:1]:
                continue
            database.execute(
                "CREATE TABLE IF NOT EXISTS migrations "
                "(name TEXT PRIMARY KEY, applied_at REAL NOT NULL) STRICT"
            )
            waiting[0](database)
            database.insert(
                "migrations", {"name": waiting[0].__name__, "applied_at": database.now()}
            )
