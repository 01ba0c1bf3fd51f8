"""What to do when the sandbox breaks: never the variant's fault.

It is tried out with a seed agent. If nothing works (or one job broke after the other) the run
pauses, and goes on when it works again; if it works, only that job is tried again, later, and its
variant parked at the cap.
"""

from __future__ import annotations

import time
from pathlib import Path

import anyio
import anyio.abc

from cambrian.archive import Job
from cambrian.archive.jobs import back_off_s
from cambrian.errors import SandboxBroken
from cambrian.evolution.deciding import Decider
from cambrian.evolution.pausing import waits
from cambrian.evolution.records import units
from cambrian.evolution.stretch import Stretch
from cambrian.evolution.workers import Hire, Worker
from cambrian.failpoints import reach

BACK_OFF_S = 2.0
BREAKS_IN_A_ROW = 3
"""So many different jobs that broke with none carried out between them are no job's fault."""


class Machine:
    """Our machine, as far as jobs tell whether it works.

    Attributes:
        tasks: in which it waits for a sandbox that does not come up.
    """

    tasks: anyio.abc.TaskGroup

    def __init__(self, stretch: Stretch, decider: Decider, hire: Hire, logs: Path) -> None:
        self._stretch = stretch
        self._archive = stretch.archive
        self._decider = decider
        self._hire = hire
        self._logs = logs
        self._broken_in_a_row: set[int] = set()
        self._broken_since = 0.0
        self._next_look = waits()

    def worked(self) -> None:
        """A job was carried out."""
        if self._broken_in_a_row:
            self._broken_in_a_row.clear()
            self._next_look = waits()

    async def broke(self, worker: Worker, job: Job, error: str) -> None:
        """A job broke: if nothing works, pause; else try it again, and park it at the cap."""
        await worker.close(now=True)
        if not self._broken_in_a_row:
            self._broken_since = time.monotonic()
        self._broken_in_a_row.add(job.id)
        if not await self.works(error):
            self._archive.jobs.release(job.id, error, counts=False)
            return
        delay_s = back_off_s(job.attempts) * BACK_OFF_S / 2.0
        released = self._archive.jobs.release(job.id, error, delay_s=delay_s)
        reach("job.released")
        self._stretch.tell(f"the sandbox broke (attempt {job.attempts}): {error}")
        if released.state != "parked":
            return
        if job.proposal_id is None:
            broke = SandboxBroken(f"the sandbox broke {job.attempts} times: {error}")
            self._stretch.give_up(broke)
        else:
            self._stretch.pipeline.park(self._archive.proposals.get(job.proposal_id), error)
            self._decider.decide()

    async def works(self, error: str) -> bool:
        """Whether a sandbox still works for a seed agent. If not, or if one job after the other
        broke, the run pauses until it does."""
        pauses = self._stretch.pauses
        if "engine" in pauses:
            return False
        works = len(self._broken_in_a_row) < BREAKS_IN_A_ROW and await self._sandbox_comes_up()
        if not works and "engine" not in pauses:
            self._stretch.pause("engine", f"the sandbox does not work: {error}")
            self.tasks.start_soon(self._wait_for_sandbox)
        return works

    async def _sandbox_comes_up(self) -> bool:
        """Run a seed agent in one for a moment: what works for it is not the machine's fault."""
        settings = self._stretch.settings
        seed = self._archive.agents.seeds()[0]
        unit = units("smoke", settings.benchmarks)[:1]
        files = self._archive.agents.files(seed.id)
        try:
            async with self._hire(self._logs / "probe.log") as worker:
                async for _ in worker.evaluate(seed.id, files, unit, settings.device):
                    pass
        except SandboxBroken as error:
            self._stretch.pauses.update("engine", f"the sandbox does not work: {error}")
            return False
        return True

    async def _wait_for_sandbox(self) -> None:
        """Lift the pause once a sandbox comes up; each time that no job was carried out since the
        last look, after a longer while."""
        patience = self._stretch.settings.patience
        began = time.monotonic()
        for wait_s in self._next_look:
            await anyio.sleep(wait_s * BACK_OFF_S / 2.0)
            since = min(self._broken_since, began) if self._broken_in_a_row else began
            if time.monotonic() - since >= patience * 60:
                text = self._stretch.pauses.texts()["engine"]
                self._stretch.give_up(SandboxBroken(f"after {patience:g} min: {text}"))
                return
            if await self._sandbox_comes_up():
                break
        self._stretch.pauses.lift("engine")
