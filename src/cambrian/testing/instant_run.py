"""A run with instant workers, as a process of its own that can be killed.

python -m cambrian.testing.instant_run ARCHIVE SEED PROPOSALS WORKERS JITTER_MS [free]
"""

from __future__ import annotations

import functools
import random
import sys
from pathlib import Path
from typing import Any

import anyio

from cambrian.archive import Archive
from cambrian.daemon.supervisor import prepare
from cambrian.evaluators.suites import suite_of
from cambrian.evolution.loop import Loop
from cambrian.evolution.settings import Settings
from cambrian.suite import Suite
from cambrian.testing.workers import InstantWorker

BENCHMARKS = ("split-mnist", "digit-sums", "label-drift")
"""What these runs search on."""


def grow(path: Path, settings: Settings, jitter_s: float = 0.0, suite: Suite | None = None) -> None:
    """Start or resume a run, with workers that take random times; the suite is that of the
    settings, unless another of the same benchmarks is given."""
    clock = random.Random()
    make_worker = functools.partial(InstantWorker, before=lambda _: clock.uniform(0, jitter_s))
    with Archive.open_or_create(path) as archive, archive.lock():
        prepare(archive)
        archive.suites.open(suite or suite_of(settings.suite, settings.benchmarks))
        row = archive.runs.current()
        if row is None:
            row = archive.runs.start(settings.seed, settings.to_json(), settings.proposals or 0)
        loop = Loop(archive, row, settings, lambda _: None, path / "logs", make_worker)
        archive.runs.end(row.id, anyio.run(loop.run))


def picture(path: Path) -> dict[str, Any]:
    """All that must not depend on workers, kills or time."""
    with Archive.open(path, read_only=True) as archive:
        rows = archive.database.rows
        return {
            "proposals": rows(
                "SELECT idx, seen_through, state, parents, agent_id, title, edit, operation, "
                "reason FROM proposals ORDER BY idx"
            ),
            "agents": rows(
                "SELECT id, number, status, kind, title, depth, score, lower, upper FROM agents "
                "ORDER BY id"
            ),
            "gates": rows(
                "SELECT p.idx, g.position, g.gate, g.verdict, g.value, g.lower, g.upper, g.detail "
                "FROM gates g JOIN proposals p ON p.id = g.proposal_id ORDER BY p.idx, g.position"
            ),
            "evaluations": rows(
                "SELECT agent_id, benchmark, version, stage, seed, verdict, score FROM evaluations "
                "ORDER BY agent_id, stage, benchmark, seed"
            ),
            "sealed": rows(
                "SELECT agent_id, benchmark, seed, score FROM sealed_evaluations "
                "ORDER BY agent_id, benchmark, seed"
            ),
            "counts": archive.counts(),
        }


if __name__ == "__main__":
    home, seed, proposals, workers, jitter, *order = sys.argv[1:]
    grow(
        Path(home),
        Settings(
            seed=int(seed),
            proposals=int(proposals),
            workers=int(workers),
            benchmarks=BENCHMARKS,
            order="free" if order else "fixed",
        ),
        int(jitter) / 1000,
    )
