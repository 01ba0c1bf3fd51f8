"""`db check` finds what is wrong, and finds nothing after a kill."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cambrian.archive import Archive
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.transfer.check import check

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture, Grow, Identity

WRITER = Path(__file__).with_name("writer.py")


@pytest.fixture
def healthy(garden: ArchiveFixture) -> Archive:
    archive = garden.archive
    seed = garden.seed()
    archive.evaluations.record(seed, garden.evaluation())
    garden.grow("child", seed)
    garden.reject(garden.propose("rejected", seed))
    garden.propose("candidate", seed)
    archive.proposals.close(garden.propose("crash", seed).id, "failed_smoke", "raised")
    archive.proposals.close(garden.propose("unlucky", seed).id, "parked", "broken")
    archive.ledger.add_spend(
        phase="x", model="m", prompt_tokens=1, completion_tokens=1, dollars=0.1
    )
    Lineage(archive).update()
    return archive


def test_a_healthy_archive_has_no_problems(healthy: Archive, code_id: Identity) -> None:
    assert check(healthy, identity=code_id) == []
    healthy.close()
    with Archive.open(healthy.path, read_only=True) as reader:
        assert check(reader, identity=code_id) == []


def test_a_run_that_goes_on_meanwhile_is_no_problem(
    healthy: Archive, grow: Grow, code_id: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It decides while code is read, and adds to the lineage while that is compared."""
    seed = healthy.agents.seeds()[0].id
    append, titles = Lineage._append, iter(range(1000))

    def go_on() -> None:
        with Archive.open(healthy.path) as running:
            garden = grow(running)
            garden._run = running.runs.current()
            garden.grow(f"later {next(titles)}", seed)
            Lineage(running).update()

    def identity(files: Mapping[str, str]) -> str:
        go_on()
        return code_id(files)

    def slow(self: Lineage, path: Path, *arguments: Any, **keywords: Any) -> int:
        written = append(self, path, *arguments, **keywords)
        if path != self.path:  # the one that is compared with
            go_on()
        return written

    monkeypatch.setattr(Lineage, "_append", slow)
    with Archive.open(healthy.path, read_only=True) as reader:
        assert check(reader, identity=identity) == []
    assert check(healthy, identity=code_id) == []


BLOB = zlib.compress(b"other text").hex()


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("source", f"UPDATE sources SET content = x'{BLOB}' WHERE size = 5"),
        ("source", "UPDATE sources SET content = x'00' WHERE size = 5"),
        ("code", "UPDATE agents SET files = replace(files, 'learner.py', 'renamed.py')"),
        ("file without its text", "DELETE FROM sources WHERE size = 5"),
        ("tally is off", "UPDATE tallies SET n = n + 1 WHERE name = 'proposals.admitted'"),
        ("tally is off", "DELETE FROM tallies WHERE name = 'agents.seed'"),
        ("spend total is off", "UPDATE spend_totals SET dollars = 9"),
        ("admission without gates", "DELETE FROM gate_rows"),
        ("admission without parents", "DELETE FROM parents"),
        ("gap in proposals", "UPDATE proposals SET idx = 100 WHERE idx = 1"),
        ("job of an ended proposal", "UPDATE jobs SET state = 'queued' WHERE state = 'cancelled'"),
        (
            "lease without a daemon",
            (
                "UPDATE jobs SET state = 'leased', lease_owner = 'w' WHERE state = 'queued'; "
                "UPDATE runs SET state = 'stopped'"
            ),
        ),
        ("decision without event", "UPDATE proposals SET state = 'admitted' WHERE idx = 2"),
        ("agent and proposal disagree", "UPDATE proposals SET agent_id = NULL WHERE idx = 0"),
        ("schema", "DELETE FROM migrations WHERE rowid = (SELECT max(rowid) FROM migrations)"),
        ("lineage", "UPDATE agents SET title = 'another' WHERE status = 'seed'"),
        ("event without effect", "PRAGMA foreign_keys = OFF; DELETE FROM evaluations"),
        ("event without effect", "PRAGMA foreign_keys = OFF; DELETE FROM jobs"),
        ("spend without event", "DELETE FROM spend"),
        (
            "proposal behind its events",
            "UPDATE proposals SET state = 'ready' WHERE state = 'rejected'",
        ),
        (
            "orphan job",
            """UPDATE jobs SET proposal_id = NULL, stage = 'x', agent_id = (SELECT p.agent_id
            FROM proposals p WHERE p.id = proposal_id) WHERE state = 'queued'""",
        ),
        (
            "evaluation counted twice",
            """DROP INDEX evaluations_once;
            CREATE TEMP TABLE twin AS SELECT * FROM evaluations;
            UPDATE twin SET id = 99;
            INSERT INTO evaluations SELECT * FROM twin;""",
        ),
        (
            "foreign key",
            "PRAGMA foreign_keys = OFF; UPDATE parents SET parent_id = '0'",
        ),
    ],
)
def test_a_broken_promise_is_found(
    healthy: Archive, code_id: Identity, kind: str, statement: str
) -> None:
    healthy.database.connection.executescript(statement)
    assert kind in {problem.kind for problem in check(healthy, identity=code_id)}


def test_a_damaged_file_is_found(healthy: Archive) -> None:
    page = healthy.database.value("SELECT rootpage FROM sqlite_master WHERE name = 'events'")
    healthy.close()
    with (healthy.path / "archive.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 64)
    with Archive.open(healthy.path, read_only=True) as damaged:
        assert {problem.kind for problem in check(damaged)} & {"integrity", "unreadable"}


def test_leases_under_a_held_lock_are_no_problem(healthy: Archive, code_id: Identity) -> None:
    with healthy.lock():
        assert healthy.jobs.lease("w", ["evaluate"], ttl=60) is not None
        assert check(healthy, identity=code_id) == []


def _start(home: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as errors:
        return subprocess.Popen([sys.executable, str(WRITER), str(home)], stderr=errors)


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path, code_id: Identity
) -> None:
    home, moments, last_seq = tmp_path / "home", random.Random(11), 0
    for round_ in range(8):
        child = _start(home, tmp_path / "log")
        # Wait for it to be writing, then kill it at any instant after.
        _wait_for_events(home, child, last_seq, tmp_path / "log")
        time.sleep(moments.uniform(0.0, 0.3))
        child.kill()
        child.wait()
        with Archive.open(home) as archive, archive.lock():
            archive.jobs.release_all_leases()
            before = archive.events(after=last_seq, limit=1_000_000)
            assert before, f"round {round_}: nothing was written"
            last_seq = before[-1].seq
            Lineage(archive).update()
            assert check(archive, identity=code_id) == []
    environment = {**os.environ, "WRITER_TARGET": str(_proposals(home) + 5)}
    done = subprocess.run([sys.executable, str(WRITER), str(home)], env=environment)
    assert done.returncode == 0
    with Archive.open(home, read_only=True) as archive:
        assert check(archive, identity=code_id) == []
        counts = archive.counts()
        assert counts["proposals"] == archive.proposals.decided_through() + 1
        # One evaluation and one dollar per proposal that got a variant, however often killed.
        assert counts["evaluations_scored"] == counts["judged"]
        assert archive.ledger.total().dollars == counts["proposals"]
    shutil.rmtree(home)


def _proposals(home: Path) -> int:
    with Archive.open(home, read_only=True) as archive:
        return archive.counts()["proposals"]


def _wait_for_events(home: Path, child: subprocess.Popen[bytes], after: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert child.poll() is None, log.read_text()
        if (home / "archive.db").exists() and (home / "ready").exists():
            with Archive.open(home, read_only=True) as archive:
                if archive.events(after=after, limit=1):
                    return
        time.sleep(0.02)
    raise AssertionError("the writer wrote nothing within a minute")


def test_the_traces_of_a_killed_run_are_no_problem(
    healthy: Archive, garden: ArchiveFixture, code_id: Identity
) -> None:
    """Its leases are given back, and its lineage goes on, when the same command is repeated."""
    seed = garden.seed()
    garden.grow("not projected yet", seed)
    garden.propose("under way", seed)
    assert healthy.jobs.lease("w", ["evaluate"], ttl=60) is not None
    assert check(healthy, identity=code_id) == []
