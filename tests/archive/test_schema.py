"""Migrations, the pinned schema, append-only events, the views, and indexes on the hot paths."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cambrian.archive import Archive, Database
from cambrian.archive.schema import schema
from cambrian.archive.sqlite.connection import connect
from cambrian.archive.store import CONTROL
from cambrian.archive.tables.agent_queries import CHAMPION, MEMBERS
from cambrian.archive.transfer import whole
from cambrian.errors import Refused

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture

PINNED = Path(__file__).with_name("schema.sql")


def test_the_schema_is_the_pinned_one(archive: Archive) -> None:
    assert archive.database.utils.schema + "\n" == PINNED.read_text()


def test_every_migration_is_recorded_once_and_applied_once(
    archive: Archive, tmp_path: Path
) -> None:
    names = [migration.__name__ for migration in schema.MIGRATIONS]
    assert schema.applied(archive.database) == names
    archive.close()
    with Archive.open(archive.path) as again:
        assert schema.applied(again.database) == names


def test_a_failing_migration_leaves_nothing(archive: Archive) -> None:
    def m003_torn(database: Database) -> None:
        database.execute("CREATE TABLE half (a INTEGER)")
        raise RuntimeError("the power went")

    before = archive.database.utils.schema
    with pytest.raises(RuntimeError):
        schema.migrate(archive.database, [*schema.MIGRATIONS, m003_torn])
    assert archive.database.utils.schema == before
    assert len(schema.applied(archive.database)) == len(schema.MIGRATIONS)


def test_a_newer_archive_is_refused_and_named(archive: Archive) -> None:
    with archive.transaction():
        archive.database.insert("migrations", {"name": "m999_future", "applied_at": 0.0})
    archive.close()
    for read_only in (False, True):
        with pytest.raises(Refused, match=r"newer Cambrian.*m999_future.*upgrade"):
            Archive.open(archive.path, read_only=read_only)


def test_an_older_archive_is_migrated_for_writing_and_refused_for_reading(
    archive: Archive,
) -> None:
    def m003_notes(database: Database) -> None:
        database.execute("CREATE TABLE notes (text TEXT) STRICT")

    archive.close()
    Archive.create(archive.path / CONTROL).close()
    newer = (*schema.MIGRATIONS, m003_notes)
    for path in (archive.path, archive.path / CONTROL):
        with pytest.raises(Refused, match="older Cambrian"):
            Archive.open(path, read_only=True, migrations=newer)
    with Archive.open(archive.path, migrations=newer) as migrated:
        assert migrated.database.value("SELECT count(*) FROM notes") == 0
    with Archive.open(archive.path / CONTROL, read_only=True, migrations=newer) as control:
        assert control.database.value("SELECT count(*) FROM notes") == 0


def test_what_is_said_once_now_is_told_as_it_was(tmp_path: Path) -> None:
    """An archive of before `m008_said_once` keeps all that it tells."""
    database = connect(whole.draft(tmp_path / "archive.db"), lambda: 5.0)
    schema.migrate(database, schema.MIGRATIONS[:7])
    one, two = "1" * 64, "2" * 64
    rows: list[tuple[str, dict[str, object]]] = [
        ("runs", {"seed": 0, "settings": "{}", "state": "finished", "target_proposals": 1}),
        ("agents", {"id": one, "number": 1, "status": "seed", "kind": "seed", "title": "one"}),
        ("agents", {"id": two, "number": 2, "status": "rejected", "title": "two"}),
        ("proposals", {"run_id": 1, "idx": 0, "seen_through": -1, "rewriter": "recombine"}),
        ("parents", {"child_id": two, "parent_id": one, "position": 0}),
        ("sources", {"hash": "a" * 64, "size": 1, "content": b"a"}),
        ("sources", {"hash": "b" * 64, "size": 1, "content": b"b"}),
        ("agent_files", {"agent_id": one, "path": "learner.py", "source_hash": "a" * 64}),
        ("agent_files", {"agent_id": two, "path": "NOTES.md", "source_hash": "b" * 64}),
        ("agent_files", {"agent_id": two, "path": "learner.py", "source_hash": "a" * 64}),
        ("events", {"at": 4.0, "kind": "proposal.opened", "run_id": 1, "proposal_id": 1}),
        ("events", {"at": 4.0, "kind": "agent.seeded", "agent_id": one}),
    ]
    more: dict[str, dict[str, object]] = {
        "runs": {"first_proposal": 0, "started_at": 1.0, "version": "0"},
        "agents": {"hypothesis": "", "depth": 0, "created_at": 1.0},
        "proposals": {"state": "rejected", "parents": f'["{one}"]', "created_at": 1.0},
        "events": {"data": '{"idx": 0}'},
    }
    with database.transaction():
        for table, row in rows:
            database.insert(table, {**row, **more.get(table, {})})
        database.execute("UPDATE agents SET proposal_id = 1, proposal_index = 0 WHERE number = 2")
        for position, rule in enumerate(["a", "b", "a"]):
            gate = {"gate": f"gate {position}", "rule": rule, "verdict": "fail", "detail": "d"}
            database.insert(
                "gates", {"proposal_id": 1, "agent_id": two, "position": position, **gate}
            )
        for seed in (0, 1):
            for verdict in ("scored", "broken", "broken"):
                score = 0.5 if verdict == "scored" else None
                run = {"agent_id": two, "verdict": verdict, "score": score, "seed": seed}
                told = {"benchmark": "b", "version": "1", "stage": "full", "reason": ""}
                plain = {"metrics": "{}", "provenance": "{}", "created_at": 1.0}
                database.insert("evaluations", {**run, **told, **plain})
    kept = ["parents", "evaluations", "events", "agent_files"]
    before = {name: database.rows(f"SELECT * FROM {name}") for name in kept}
    gates = database.rows("SELECT * FROM gates ORDER BY id")
    schema.migrate(database)
    assert {name: database.rows(f"SELECT * FROM {name}") for name in kept} == before
    after = database.rows("SELECT * FROM gates ORDER BY id")
    assert [{**row, "id": 0} for row in after] == [{**row, "id": 0} for row in gates]
    assert database.rows("SELECT * FROM event_log") == [
        {**before["events"][0], "agent_id": None},
        before["events"][1],
    ]
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        database.execute(
            "INSERT INTO evaluations SELECT NULL, agent_id, benchmark, version, stage, seed, "
            "verdict, reason, score, raw, metrics, flops, cpu_s, peak_bytes, state_bytes, wall_s, "
            "image_digest, device, backend, provenance, created_at FROM evaluations WHERE id = 1"
        )
    database.close()


@pytest.mark.parametrize("statement", ["UPDATE events SET kind = 'x'", "DELETE FROM events"])
def test_events_are_append_only(garden: ArchiveFixture, statement: str) -> None:
    garden.seed()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        garden.archive.database.execute(statement)


def test_events_are_read_in_pages(garden: ArchiveFixture) -> None:
    garden.seed("a")
    garden.seed("b")
    events = garden.archive.events()
    assert [event.kind for event in events] == ["agent.seeded", "agent.scored"] * 2
    assert garden.archive.events(after=events[1].seq, limit=1) == events[2:3]


def _plan(archive: Archive, sql: str, parameters: dict[str, object]) -> str:
    rows = archive.database.rows(f"EXPLAIN QUERY PLAN {sql}", parameters)
    return "\n".join(row["detail"] for row in rows)


SAME_JOB = "SELECT * FROM jobs WHERE kind = :k AND ifnull(stage, '') = ifnull(:k, '') "


@pytest.mark.parametrize(
    "sql",
    [
        CHAMPION,
        MEMBERS,
        """SELECT priority, id FROM jobs WHERE state = 'queued' AND kind = :k
           ORDER BY priority, id LIMIT 1""",
        "SELECT * FROM proposals WHERE state IN ('open', 'proposed', 'ready') ORDER BY idx",
        """SELECT 1 FROM evaluations WHERE agent_id = :k AND benchmark = :k AND version = :k
           AND stage = :k AND seed = :k AND verdict <> 'broken'""",
        "SELECT id FROM agents WHERE id >= :k AND id < :k ORDER BY id LIMIT 6",
        "SELECT ifnull(max(number), 0) + 1 FROM agents",
        SAME_JOB + "AND proposal_id = :k",
        SAME_JOB + "AND proposal_id IS NULL AND agent_id = :k",
    ],
)
def test_hot_paths_use_an_index_and_scan_no_table(archive: Archive, sql: str) -> None:
    plan = _plan(archive, sql, {"through": 3, "k": 1})
    scans = [line for line in plan.splitlines() if line.startswith("SCAN") and "USING" not in line]
    # A subquery or a constant row is not a table.
    tables = ("agents", "a", "c", "p", "parents", "jobs", "proposals", "evaluations")
    assert [line for line in scans if line.split()[1] in tables] == []
    assert "INDEX" in plan


def test_the_views_tell_the_tree(garden: ArchiveFixture) -> None:
    archive = garden.archive
    one, two = garden.seed("one", 0.2), garden.seed("two", 0.3)
    stone = garden.grow("stone", one, score=0.25, stone=True)
    unused = garden.grow("unused", two, score=0.2, stone=True)
    best = garden.grow("best", two, stone, score=0.9)
    garden.reject(garden.propose("rejected", one))

    tree = archive.database.rows("SELECT id, parent_id, level, name FROM agent_tree")
    assert [(row["id"], row["parent_id"], row["level"]) for row in tree] == [
        (one, None, 0),
        (stone, one, 1),
        (two, None, 0),
        (unused, two, 1),
        (best, two, 1),
    ]
    assert tree[1]["name"] == f"  #3 {stone[:12]} stone"
    lineage = archive.database.rows("SELECT * FROM lineage WHERE agent = :a", {"a": best})
    assert {row["ancestor"]: row["distance"] for row in lineage} == {two: 1, stone: 1, one: 2}
    assert archive.agents.ancestors(best) == {two: 1, stone: 1, one: 2}
    stones = archive.database.rows("SELECT id, used FROM stepping_stones ORDER BY number")
    assert [(row["id"], row["used"]) for row in stones] == [(stone, 1), (unused, 0)]
    board = archive.database.rows("SELECT id FROM leaderboard")
    assert [row["id"] for row in board] == [best, two, stone, one, unused]


def test_spend_by_day_adds_up(garden: ArchiveFixture) -> None:
    ledger = garden.archive.ledger
    for dollars in (0.25, 0.5):
        ledger.add_spend(
            phase="propose", model="m", prompt_tokens=10, completion_tokens=5, dollars=dollars
        )
    assert garden.archive.database.rows("SELECT * FROM spend_by_day") == [
        {
            "day": "2023-11-14",
            "model": "m",
            "calls": 2,
            "prompt_tokens": 20,
            "completion_tokens": 10,
            "dollars": 0.75,
        }
    ]
