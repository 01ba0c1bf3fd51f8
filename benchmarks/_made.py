"""Archives that were made, not evolved: a random tree with all that a run leaves of an agent.

Every agent has code of its own (about 1.5 KB), a proposal, two gates, three events, one evaluation,
a model call and its place in every index. Nine in ten are members.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.archive import Archive
from cambrian.archive.sqlite.database import Database
from cambrian.archive.tables import clades

SEEDS = 4
CHUNK = 20_000
SOURCES = 100
"""The number of an agent's text is above by this: those below are the seeds'."""
RULE = "is above the threshold"
LOADING_KIB = 6 << 20
"""Pages in memory while an archive is made, at most: a million agents fit."""

IMPROVER = "class Improver:\n    def improve(self, evidence, ask):\n        return None\n" * 8
CODE = (
    "import torch\n\n\nclass Learner:\n"
    + "    # replay, consolidation, prototypes; what a learner is made of, in so many words\n" * 12
)

REASONS = """
INSERT OR REPLACE INTO tallies
    SELECT 'admitted.' || reason, count(*) FROM proposals WHERE state = 'admitted' GROUP BY 1
"""
"""Kept by a trigger on the decision, which agents that were made decided have not had."""


def code(number: int) -> dict[str, str]:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    learner = f"{CODE}    rate = 0x{digest}\n    number = {number}\n"
    return {"learner.py": learner, "improver.py": IMPROVER}


@cache
def identity(number: int) -> str:
    return hashlib.sha256(f"agent {number}".encode()).hexdigest()


def identity_of(files: Mapping[str, str]) -> str:
    """The id of an agent that `code` made, as the id of a real one follows from its files."""
    return identity(int(files["learner.py"].rsplit(" ", 1)[1]))


def make(home: Path, count: int) -> None:
    """An archive of so many agents, nine in ten of them members, by plain inserts."""
    rng = np.random.default_rng(count)
    parents = np.zeros(count + 1, dtype=np.int64)
    scores = np.full(count + 1, 0.2)
    depth = np.zeros(count + 1, dtype=np.int64)
    member = np.ones(count + 1, dtype=bool)
    draws, steps = rng.random(count + 1), rng.normal(0, 0.03, count + 1)
    fates = rng.random(count + 1) < 0.9
    alive = list(range(1, SEEDS + 1))
    for number in range(SEEDS + 1, count + 1):
        parent = alive[int(draws[number] * len(alive))]
        parents[number], depth[number] = parent, depth[parent] + 1
        scores[number] = min(max(scores[parent] + steps[number], 0.0), 1.0)
        member[number] = fates[number]
        if fates[number]:
            alive.append(number)
    with Archive.create(home) as archive:
        with _loading(archive.database), archive.transaction():
            for number in range(1, SEEDS + 1):
                archive.agents.add_seed(identity(number), code(number), f"seed {number}")
                archive.agents.set_score(identity(number), 0.2, 0.1, 0.3)
            run = archive.runs.start(0, {"benchmarks": ["split-mnist"]}, count)
            archive.runs.end(run.id, "finished")
            archive.database.execute("INSERT INTO gate_rules (text) VALUES (?)", (RULE,))
            for first in range(SEEDS + 1, count + 1, CHUNK):
                numbers = range(first, min(first + CHUNK, count + 1))
                _insert(archive, numbers, parents, depth, scores, member, run.id)
        with archive.transaction():
            archive.database.execute(REASONS)
            clades.fill(archive.database)
        archive.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _loading(database: Database) -> Iterator[None]:
    """No journal, and no index but those of the keys until all is in: ids are hashes, so agents in
    the order of time touch every page of an index, and each transaction would write them all."""
    indexes = database.rows(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    )
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF"):
        database.rows(f"PRAGMA {pragma}")
    database.rows(f"PRAGMA cache_size = -{LOADING_KIB}")
    for index in indexes:
        database.execute(f"DROP INDEX {index['name']}")
    yield
    for index in indexes:
        database.execute(index["sql"])
    database.rows("PRAGMA journal_mode = WAL")


def _insert(
    archive: Archive,
    numbers: range,
    parents: np.ndarray,
    depth: np.ndarray,
    scores: np.ndarray,
    member: np.ndarray,
    run: int,
) -> None:
    def many(table: str, rows: Iterator[tuple[Any, ...]], columns: str) -> None:
        places = ", ".join("?" * len(columns.split(",")))
        archive.database.connection.executemany(
            f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})", rows
        )

    database = archive.database
    improver = database.value("SELECT id FROM sources WHERE hash = ?", (_digest(IMPROVER),))
    rule = database.value("SELECT id FROM gate_rules WHERE text = ?", (RULE,))
    learners = {n: code(n)["learner.py"] for n in numbers}
    many(
        "sources",
        (
            (SOURCES + n, _digest(text), len(text), zlib.compress(text.encode()))
            for n, text in learners.items()
        ),
        "id, hash, size, content",
    )
    many(
        "proposals",
        (
            (
                *(n - SEEDS, run, n - SEEDS - 1, max(-1, n - SEEDS - 7), "recombine"),
                *("admitted" if member[n] else "rejected", json.dumps([identity(parents[n])])),
                *(identity(n), f"Tune {n}", "because", 0.1, 0.5, "{}", '{"kind": "tune"}', "{}"),
                *("better than its parent", 1.7e9, 1.7e9),
            )
            for n in numbers
        ),
        "id, run_id, idx, seen_through, rewriter, state, parents, agent_id, title, hypothesis, "
        "predicted_gain, confidence, edit, operation, outcome, reason, created_at, decided_at",
    )
    many(
        "agents",
        (
            (
                *(identity(n), n, "admitted" if member[n] else "rejected"),
                *(_kind(n) if member[n] else None, f"Tune {n}", "because", int(depth[n])),
                *(run, n - SEEDS, n - SEEDS - 1, float(scores[n]), float(scores[n]) - 0.05),
                *(float(scores[n]) + 0.05, 1.7e9, 1.7e9 + n),
                json.dumps({"improver.py": improver, "learner.py": SOURCES + n}),
            )
            for n in numbers
        ),
        "id, number, status, kind, title, hypothesis, depth, run_id, proposal_id, proposal_index, "
        "score, lower, upper, created_at, decided_at, files",
    )
    many(
        "parents",
        ((identity(n), 0, identity(parents[n])) for n in numbers),
        "child_id, position, parent_id",
    )
    many(
        "gate_rows",
        (
            (n - SEEDS, place, gate, rule, 0.0, 0.1, "pass", "")
            for n in numbers
            for place, gate in enumerate(("screen", "improvement"))
        ),
        "proposal_id, position, gate, rule, threshold, value, verdict, detail",
    )
    many(
        "events",
        (
            (1.7e9, f"proposal.{kind}", run, identity(n), n - SEEDS, "{}")
            for n in numbers
            for kind in ("opened", "proposed", "admitted" if member[n] else "rejected")
        ),
        "at, kind, run_id, agent_id, proposal_id, data",
    )
    many(
        "evaluations",
        (
            (
                *(identity(n), "split-mnist", "1", "full", 1, "scored", "", float(scores[n])),
                *('{"accuracy": 0.5}', "{}", 1.7e9),
            )
            for n in numbers
        ),
        "agent_id, benchmark, version, stage, seed, verdict, reason, score, metrics, provenance, "
        "created_at",
    )
    many(
        "spend",
        ((run, n - SEEDS, "propose", "made", 900, 100, 0.001, 1.7e9 + 60 * n) for n in numbers),
        "run_id, proposal_id, phase, model, prompt_tokens, completion_tokens, dollars, at",
    )


def _kind(number: int) -> str:
    return "improvement" if number % 3 else "stepping_stone"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
