"""Sealed runs: agents on data that no search has seen, when a search is over and a person asks.

Each use is counted before it takes place, with whom it was for, and the count is reported beside
the scores: what is looked at often enough is sealed no more. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import anyio

from cambrian.archive import Archive
from cambrian.errors import CambrianError, Refused, SandboxBroken
from cambrian.evaluators.benchmarks import sealed_names
from cambrian.evolution.admission.records import missing, units
from cambrian.evolution.runtime.workers import WorkerClient, WorkerFactory, held
from cambrian.evolution.timing import USUAL, Timing
from cambrian.failpoints import reach
from cambrian.measurement import Unit

ATTEMPTS = 3

Tell = Callable[[str], None]


def require_no_search(archive: Archive) -> None:
    """Sealed data is for what came out of a search, and never for one that goes on.

    Raises:
        Refused: a run of this archive is unfinished.
    """
    run = archive.runs.current()
    if run is not None:
        raise Refused(
            f"run {run.id} of this archive is unfinished: sealed data is not used inside a search; "
            "let it end (`cambrian run`), then seal"
        )


def wanted(archive: Archive, *, seeds: bool = True) -> list[str]:
    """Which agents are sealed unless some are named: the seed agents (none that failed), and the
    champion."""
    failed = {one.agent_id for one in archive.evaluations.failures_of_seeds()}
    found = [seed.id for seed in archive.agents.seeds() if seed.id not in failed] if seeds else []
    champion = archive.champion()
    if champion is not None and champion.id not in found:
        found.append(champion.id)
    return found


def unsealed(archive: Archive, agent_id: str, benchmarks: Sequence[str]) -> list[Unit]:
    """What sealed data an agent has not been run on yet."""
    return missing(archive, agent_id, units(archive, "sealed", sealed_names(benchmarks)))


def seal(
    archive: Archive,
    agent_ids: Sequence[str],
    benchmarks: Sequence[str],
    make_worker: WorkerFactory,
    tell: Tell,
    *,
    workers: int = 2,
    device: str = "cpu",
    timing: Timing = USUAL,
) -> int:
    """Run agents on what sealed data they have not been run on; how many evaluations that took.

    Stopped or killed, it may be asked again: what is recorded is not run, nor counted, twice.

    Raises:
        Refused: a search is under way. SandboxBroken: an agent could not be judged here.
    """
    require_no_search(archive)
    todo = [(a, u) for a in agent_ids if (u := unsealed(archive, a, benchmarks))]
    if todo:
        try:
            anyio.run(_all, archive, todo, make_worker, tell, workers, device, timing)
        except* CambrianError as group:
            raise _first(group) from None
    return sum(len(left) for _, left in todo)


def _first(group: BaseExceptionGroup[CambrianError]) -> CambrianError:
    """One of the errors of a group, whatever it is nested in."""
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


async def _all(
    archive: Archive,
    todo: list[tuple[str, list[Unit]]],
    make_worker: WorkerFactory,
    tell: Tell,
    workers: int,
    device: str,
    timing: Timing,
) -> None:
    queue = iter(todo)

    async def work(number: int) -> None:
        log: Path = archive.path / "logs" / f"seal-{number}.log"
        async with held(make_worker(log)) as worker:
            for agent_id, left in queue:
                await _one(archive, agent_id, left, worker, tell, device, timing)

    async with anyio.create_task_group() as tasks:
        for number in range(min(workers, len(todo))):
            tasks.start_soon(work, number)


async def _one(
    archive: Archive,
    agent_id: str,
    left: list[Unit],
    worker: WorkerClient,
    tell: Tell,
    device: str,
    timing: Timing,
) -> None:
    run = archive.runs.last()
    archive.sealings.open(agent_id, run_id=run.id if run else None, evaluations=len(left))
    reach("sealing.opened")
    agent = archive.agents.get(agent_id)
    tell(f"sealed: {len(left)} evaluations of #{agent.number} {agent_id[:10]}")
    files = archive.agents.files(agent_id)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async for evaluation in worker.evaluate(agent_id, files, left, device):
                archive.evaluations.record(agent_id, evaluation, sealed=True)
                reach("sealing.recorded")
            return
        except SandboxBroken as error:
            await worker.close(now=True)
            if attempt == ATTEMPTS:
                raise
            tell(f"the sandbox broke (attempt {attempt}): {error}")
            await anyio.sleep(timing.jobs.after(attempt))
            done = archive.evaluations.of(agent_id, "sealed", sealed=True)
            known = {(row.benchmark, row.seed) for row in done}
            left = [unit for unit in left if (unit.benchmark, unit.seed) not in known]
