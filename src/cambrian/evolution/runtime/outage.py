"""What to do when the sandbox breaks: is it the machine, or the one agent on which it broke?

The very thing that broke is tried with a seed agent. Where that breaks too, the machine is at
fault: the run pauses, and goes on when it works again. Where it works, only that job is tried
again, later. An agent on which the sandbox broke at every attempt, while it worked for a seed agent
right after each, has failed: else it could keep itself from ever being judged, or a run from going
on.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import anyio
import anyio.abc

from cambrian.archive import Gate, Job, Proposal
from cambrian.errors import SandboxBroken
from cambrian.evaluators.workers.turns import StreamBusy
from cambrian.evolution.admission.stages import improver_hash
from cambrian.evolution.nulls import is_null
from cambrian.evolution.rewriting.proposing import Proposer
from cambrian.evolution.runtime.commit import Committer
from cambrian.evolution.runtime.context import RunContext
from cambrian.evolution.runtime.workers import WorkerClient, WorkerFactory, held
from cambrian.failpoints import reach
from cambrian.measurement import Unit

OUTAGES = 3
"""A job on which the machine broke down more often than that, having worked just before, is set
aside: the run continues without it."""
RULE = "the sandbox does not break on this agent alone"

Probe = Callable[[], Awaitable[None]]
"""Tries something with a seed agent; raises SandboxBroken where that breaks too."""


class OutageMonitor:
    """Our machine, as far as jobs tell whether it works.

    Attributes:
        tasks: in which it waits for a sandbox that does not come up.
    """

    tasks: anyio.abc.TaskGroup

    def __init__(
        self,
        context: RunContext,
        proposer: Proposer,
        committer: Committer,
        make_worker: WorkerFactory,
        logs: Path,
    ) -> None:
        self._context = context
        self._archive = context.archive
        self._proposer = proposer
        self._committer = committer
        self._make_worker = make_worker
        self._logs = logs
        self._broken_since: float | None = None
        self._timing = context.timing
        self._next_look = self._timing.looks.waits()
        self._outages: Counter[int] = Counter()
        self._busy_since: dict[int, float] = {}

    def worked(self, job: Job) -> None:
        """A job was carried out."""
        self._outages.pop(job.id, None)
        self._busy_since.pop(job.id, None)
        if self._broken_since is not None:
            self._broken_since = None
            self._next_look = self._timing.looks.waits()

    async def on_break(self, worker: WorkerClient, job: Job, error: SandboxBroken) -> None:
        """A job broke: if the same breaks with a seed agent, pause; else try it again, and fail its
        agent at the cap."""
        await worker.close(now=True)
        try:
            if isinstance(error, StreamBusy):
                raise error
            if self._broken_since is None:
                self._broken_since = self._timing.clock()
            down = "engine" in self._context.pauses
            well = await self.is_healthy(str(error), self._probe(job))
        except StreamBusy as busy:
            self._busy(job, busy)
            return
        if not well:
            self._outages[job.id] += not down
            if self._outages[job.id] <= OUTAGES or job.proposal_id is None:
                self._archive.jobs.release(job.id, str(error), counts=False)
            else:
                self._parked(job, str(error))
            return
        delay_s = self._timing.jobs.after(job.attempts)
        released = self._archive.jobs.release(job.id, str(error), delay_s=delay_s)
        reach("job.released")
        self._context.tell(f"the sandbox broke (attempt {job.attempts}): {error}")
        if released.state == "parked":
            self._given_up(job, str(error))

    def _parked(self, job: Job, error: str) -> None:
        """The machine breaks down on a job again and again, with a seed agent as well: nobody can
        tell whose fault that is. It is set aside, and holds nothing against the variant."""
        assert job.proposal_id is not None
        said = f"the machine broke down on it {self._outages.pop(job.id)} times: {error}"
        self._archive.jobs.release(job.id, said, park_after=1)
        self._context.pipeline.park(self._archive.proposals.get(job.proposal_id), said)
        self._committer.commit()

    def _busy(self, job: Job, error: StreamBusy) -> None:
        """What a job needs is held by somebody: nobody's fault here, and not for ever."""
        began = self._busy_since.setdefault(job.id, self._timing.clock())
        delay_s = self._timing.looks.longest_s
        self._archive.jobs.release(job.id, str(error), delay_s=delay_s, counts=False)
        self._context.tell(str(error))
        if self._timing.clock() - began >= self._context.settings.patience * 60:
            self._context.give_up(SandboxBroken(str(error)))

    # -- whose fault it is --------------------------------------------------------------

    def _given_up(self, job: Job, error: str) -> None:
        """A job broke as often as it may, and each time not for a seed agent."""
        if is_null(job):
            self._context.nulls.give_up(job)
            return
        if job.proposal_id is None:
            broke = SandboxBroken(f"the sandbox broke {job.attempts} times: {error}")
            self._context.give_up(broke)
            return
        proposal = self._archive.proposals.get(job.proposal_id)
        if job.stage == "improver":
            self._condemn_improver(proposal, job, error)
        elif self._broken_unit(job)[0] != proposal.agent_id:  # the parent that it is raced with
            self._context.pipeline.park(proposal, error)
        else:
            self._condemn(proposal, job, error)
        self._committer.commit()

    def _condemn(self, proposal: Proposal, job: Job, error: str) -> None:
        _, unit = self._broken_unit(job)
        where = f"{unit.benchmark}, seed {unit.seed}" if unit else "at the start"
        gate = Gate(
            gate=str(unit.stage if unit else job.stage),
            rule=RULE,
            verdict="fail",
            detail=f"broken: {where}: {_times(job)}; at last: {error}"[:2000],
        )
        end = "failed_smoke" if job.stage == "smoke" else "reject"
        reason = f"broke its sandbox in the {gate.gate} stage"
        self._archive.proposals.make_ready(proposal.id, {"end": end, "reason": reason}, [gate])

    def _condemn_improver(self, proposal: Proposal, job: Job, error: str) -> None:
        files = self._archive.agents.files(str(job.agent_id))
        if self.is_a_seeds_improver(files):  # just seen to work
            self._context.pipeline.park(proposal, error)
            return
        detail = f"broken: {_times(job)}; at last: {error}"[:2000]
        self._archive.ledger.record_improver_check(improver_hash(files), False, detail)
        self._context.pipeline.advance(proposal)

    def is_a_seeds_improver(self, files: Mapping[str, str]) -> bool:
        """Whether an agent's improver is the one that `improver_works` tries."""
        return improver_hash(files) == improver_hash(self._archive.agents.files(self._seed()))

    def _broken_unit(self, job: Job) -> tuple[str, Unit | None]:
        """The agent and the unit that a job broke on: the first that has no verdict."""
        if is_null(job):
            left = self._context.nulls.left(self._context.nulls.of(job))
            return str(job.agent_id), left[0] if left else None
        for agent_id, todo in self._context.pipeline.work(job):
            if todo:
                return agent_id, todo[0]
        return str(job.agent_id), None

    # -- trying it out ------------------------------------------------------------------

    def _probe(self, job: Job) -> Probe:
        if job.stage == "improver":
            return self.improver_works
        return functools.partial(self._seed_runs, self._broken_unit(job)[1])

    async def is_healthy(self, error: str, probe: Probe) -> bool:
        """Whether what broke works with a seed agent. If not, the run pauses until it does.

        Raises:
            StreamBusy: nobody can tell now.
        """
        pauses = self._context.pauses
        if "engine" in pauses:
            return False
        found = await self._tried(probe)
        if found is not None and "engine" not in pauses:
            self._context.pause("engine", f"the sandbox does not work: {found or error}")
            self.tasks.start_soon(self._wait_for, probe)
        return found is None

    async def _tried(self, probe: Probe) -> str | None:
        """What is wrong; None if nothing is."""
        try:
            await probe()
        except StreamBusy:
            raise
        except SandboxBroken as error:
            return str(error)
        return None

    def _seed(self) -> str:
        """A seed agent, of those that have been seen to work if there are any."""
        seeds = self._archive.agents.seeds()
        return next((seed.id for seed in seeds if seed.score is not None), seeds[0].id)

    async def _seed_runs(self, unit: Unit | None) -> None:
        """Judge a seed agent on what an agent broke on."""
        seed, device = self._seed(), self._context.settings.device
        files = self._archive.agents.files(seed)
        async with held(self._make_worker(self._logs / "probe.log")) as worker:
            async for found in worker.evaluate(seed, files, [unit] if unit else [], device):
                if found.cause == "timeout":
                    raise SandboxBroken(f"even a seed agent takes too long: {found.reason}")

    async def improver_works(self) -> None:
        """Run a seed agent's improver against a scripted model."""
        files = self._archive.agents.files(self._seed())
        async with held(self._make_worker(self._logs / "probe.log")) as worker:
            await self._proposer.try_improver(worker, files)

    async def _wait_for(self, probe: Probe) -> None:
        """Lift the pause once it works; each time that no job was carried out since the last look,
        after a longer while."""
        patience = self._context.settings.patience
        began = self._timing.clock()
        for wait_s in self._next_look:
            await anyio.sleep(wait_s)
            since = began if self._broken_since is None else min(self._broken_since, began)
            if self._timing.clock() - since >= patience * 60:
                text = self._context.pauses.texts()["engine"]
                self._context.give_up(SandboxBroken(f"after {patience:g} min: {text}"))
                return
            try:
                found = await self._tried(probe)
            except StreamBusy as busy:
                found = str(busy)
            if found is None:
                break
            self._context.pauses.update("engine", f"the sandbox does not work: {found}")
        self._context.pauses.lift("engine")


def _times(job: Job) -> str:
    return f"the sandbox broke {job.attempts} times, and never for a seed agent tried right after"
