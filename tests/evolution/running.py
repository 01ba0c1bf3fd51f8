"""Short runs with instant workers, for the tests of the loop."""

from __future__ import annotations

from pathlib import Path

import anyio

from cambrian.agents.seeds import load_seed, seed_names
from cambrian.archive import Archive
from cambrian.daemon.supervisor import prepare
from cambrian.evaluators.suites import suite_of
from cambrian.evolution.loop import Loop
from cambrian.evolution.settings import Settings
from cambrian.evolution.timing import USUAL, Timing
from cambrian.testing.instant_run import BENCHMARKS
from cambrian.testing.workers import InstantWorker

PROPOSALS = 14
SEEDS = {load_seed(name).identity for name in seed_names()}


def settings(**changes: object) -> Settings:
    given = {"seed": 3, "proposals": PROPOSALS, "workers": 2, "benchmarks": BENCHMARKS}
    return Settings(**(given | changes))  # type: ignore[arg-type]


def run_with(
    path: Path, worker: type[InstantWorker], timing: Timing = USUAL, **changes: object
) -> Loop:
    with Archive.open_or_create(path) as archive, archive.lock():
        prepare(archive)
        given = settings(**changes)
        archive.suites.open(suite_of(given.suite, given.benchmarks))
        row = archive.runs.start(given.seed, given.to_json(), given.proposals or 0)
        loop = Loop(archive, row, given, lambda _: None, path / "logs", worker, timing=timing)
        try:
            archive.runs.end(row.id, anyio.run(loop.run))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        return loop
