"""What a run keeps of what it read says at every moment what the database would."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from cambrian.archive import Archive
from cambrian.archive.sqlite.cache import RowCache
from cambrian.daemon.supervisor import prepare
from cambrian.evolution.admission.thresholds import Rules
from cambrian.evolution.loop import Loop
from cambrian.evolution.settings import Settings
from cambrian.testing import forked_runs
from cambrian.testing.instant_run import BENCHMARKS
from cambrian.testing.workers import InstantWorker

Pair = tuple[RowCache[Any, Any], Callable[[Any], Any]]


def pairs(archive: Archive, fresh: Archive) -> list[Pair]:
    """Each memory of one archive, and what reads the same from the database."""
    return [
        (archive.agents._known, fresh.agents.find),
        (archive.agents._sources._known, fresh.agents.files),
        (archive.evaluations._known, fresh.evaluations.known),
        (archive.proposals._known, lambda _: fresh.proposals.under_way()),
        (archive.proposals._admitted, lambda _: fresh.proposals._by_reason()),
        (archive.jobs._known, fresh.jobs.get),
        (archive.steering._orders, fresh.steering.orders),
        (archive.steering._meters, fresh.steering.meters),
        (archive.ledger._totals, lambda run_id: fresh.ledger.total(run_id=run_id)),
        (archive.ledger._checks, fresh.ledger.improver_check),
    ]


def wrong(archive: Archive) -> list[str]:
    """What is kept and is not as it is recorded."""
    with Archive.open(archive.path, read_only=True) as fresh:
        found = [
            f"{key!r}: kept {value}, read {read(key)}"
            for memory, read in pairs(archive, fresh)
            for key, value in memory.items()
            if value != read(key)
        ]
        if archive.counts() != fresh.counts():
            found.append(f"counts: kept {archive.counts()}, read {fresh.counts()}")
    return found


def test_every_memory_of_the_archive_is_compared(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "a") as archive:
        known = [memory for memory, _ in pairs(archive, archive)]
        derived = [
            archive.evaluations._made,
            archive._counts,
            archive.suites._weights,
            archive.suites._seeds,
            archive._gates._rules,
            archive.agents._sources._numbers,
        ]
        assert {*map(id, known), *map(id, derived)} == set(map(id, archive.database.caches))


@pytest.mark.parametrize("rewriter", ["recombine", "model"])
def test_what_a_run_keeps_is_what_is_recorded(tmp_path: Path, rewriter: Any) -> None:
    looks: list[str] = []
    rules = Rules(seeds="raced")
    if rewriter == "model":
        settings = forked_runs.settings(12, rules=rules)
        worker: Any = forked_runs.InstantImprover
    else:
        settings = Settings(seed=5, proposals=8, workers=3, benchmarks=BENCHMARKS)
        worker = functools.partial(InstantWorker, before=lambda _: 0.001)
    with Archive.create(tmp_path / "a") as archive, archive.lock():
        prepare(archive)
        run = archive.runs.start(settings.seed, settings.to_json(), 0)

        def look(_: str) -> None:
            if not archive.database.connection.in_transaction:  # which nobody else sees into
                looks.append("\n".join(wrong(archive)))

        loop = Loop(
            archive, run, settings, look, tmp_path / "logs", worker, forked_runs.InstantModel()
        )
        anyio.run(loop.run)
        assert all(len(memory.items()) > 0 for memory, _ in pairs(archive, archive)[:5])
        assert wrong(archive) == []
    assert len(looks) >= 4
    assert set(looks) == {""}


def test_nothing_is_kept_of_a_transaction_that_was_rolled_back(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "a") as archive, archive.lock():
        prepare(archive)
        seed = archive.agents.seeds()[0].id
        assert archive.agents.get(seed).score is None
        with pytest.raises(KeyError), archive.transaction():
            archive.agents.set_score(seed, 0.5, 0.4, 0.6)
            assert archive.agents.get(seed).score == 0.5
            raise KeyError
        assert archive.agents.get(seed).score is None
        with archive.transaction():
            with pytest.raises(KeyError), archive.transaction():
                archive.agents.set_score(seed, 0.5, 0.4, 0.6)
                raise KeyError
            assert archive.agents.get(seed).score is None
        assert wrong(archive) == []


def test_rows_that_somebody_changed_by_hand_are_noticed(tmp_path: Path) -> None:
    """With `sqlite3`, which knows nothing of our lock; by the next transaction at the latest."""
    with Archive.create(tmp_path / "a") as archive, archive.lock():
        prepare(archive)
        seed = archive.agents.seeds()[0].id
        with archive.transaction():
            archive.agents.get(seed)
        with closing(sqlite3.connect(tmp_path / "a" / "archive.db")) as other, other:
            other.execute("UPDATE agents SET title = 'by hand' WHERE id = ?", (seed,))
        with archive.transaction():
            assert archive.agents.get(seed).title == "by hand"
        kept = len(archive.agents._known.items())
        with archive.transaction():  # our own writing is no reason to forget
            archive.agents.set_score(seed, 0.5, 0.4, 0.6)
        with archive.transaction():
            assert len(archive.agents._known.items()) >= kept > 0
        assert wrong(archive) == []


def test_who_does_not_hold_the_lock_keeps_nothing(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "a") as archive:
        with archive.lock():
            prepare(archive)
            first = archive.agents.seeds()[0].id
            archive.agents.get(first)
            assert archive.agents._known.items()
        archive.agents.get(first)
        assert not any(memory.items() for memory in archive.database.caches)
