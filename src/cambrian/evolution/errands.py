"""Judging agents while no run goes on: on sealed data, or by another suite.

A few workers take one agent after the other. What is recorded is not run again: stopped or killed,
the same call goes on where it was. An agent on which the sandbox breaks is tried again, on what it
still lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import anyio

from cambrian.archive import Archive
from cambrian.errors import CambrianError, SandboxBroken
from cambrian.evolution.runtime.workers import WorkerClient, WorkerFactory, held
from cambrian.evolution.timing import USUAL, Timing
from cambrian.measurement import Measurement, Unit

ATTEMPTS = 3

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Errand:
    """One agent that is to be judged.

    Attributes:
        left: what it has not been run on yet; asked before each attempt.
        begin: called once, before anything is run, with how many evaluations are to come.
        record: keeps a result.
        done: called when nothing is left to run.
        files: the source tree; None: the archive has it by the agent's id.
    """

    agent_id: str
    left: Callable[[], list[Unit]]
    record: Callable[[Measurement], object]
    begin: Callable[[int], object] = lambda _: None
    done: Callable[[], object] = lambda: None
    files: Mapping[str, str] | None = None


def run_errands(
    archive: Archive,
    errands: Sequence[Errand],
    make_worker: WorkerFactory,
    tell: Tell,
    *,
    name: str,
    workers: int = 2,
    device: str = "cpu",
    timing: Timing = USUAL,
) -> None:
    """Carry errands out, `workers` at a time; `name` begins the names of their logs.

    Raises:
        SandboxBroken: an agent could not be judged here. CambrianError: a worker's own.
    """
    if not errands:
        return
    doing = _Errands(archive, make_worker, tell, name, device, timing)
    try:
        anyio.run(doing.all, errands, workers)
    except* CambrianError as group:
        raise _first(group) from None


def _first(group: BaseExceptionGroup[CambrianError]) -> CambrianError:
    """One of the errors of a group, whatever it is nested in."""
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


@dataclass(frozen=True)
class _Errands:
    """What the workers have in common."""

    archive: Archive
    make_worker: WorkerFactory
    tell: Tell
    name: str
    device: str
    timing: Timing

    async def all(self, errands: Sequence[Errand], workers: int) -> None:
        queue = iter(errands)

        async def work(number: int) -> None:
            log = self.archive.path / "logs" / f"{self.name}-{number}.log"
            async with held(self.make_worker(log)) as worker:
                for errand in queue:
                    await self._one(errand, worker)

        async with anyio.create_task_group() as tasks:
            for number in range(min(workers, len(errands))):
                tasks.start_soon(work, number)

    async def _one(self, errand: Errand, worker: WorkerClient) -> None:
        errand.begin(len(errand.left()))
        files = errand.files
        if files is None:
            files = self.archive.agents.files(errand.agent_id)
        for attempt in range(1, ATTEMPTS + 1):
            left = errand.left()
            if not left:
                break
            try:
                async for found in worker.evaluate(errand.agent_id, files, left, self.device):
                    errand.record(found)
                break
            except SandboxBroken as error:
                await worker.close(now=True)
                if attempt == ATTEMPTS:
                    raise
                self.tell(f"the sandbox broke (attempt {attempt}): {error}")
                await anyio.sleep(self.timing.jobs.after(attempt))
        errand.done()
