"""The workers: each leases one job after the other and carries it out."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio
import anyio.abc

from cambrian.archive import Job
from cambrian.errors import SandboxBroken
from cambrian.evolution.nulls import is_null
from cambrian.evolution.rewriting.proposing import Proposer
from cambrian.evolution.runtime.commit import Committer
from cambrian.evolution.runtime.context import RunContext
from cambrian.evolution.runtime.outage import OutageMonitor
from cambrian.evolution.runtime.workers import WorkerClient, WorkerFactory, held
from cambrian.failpoints import reach
from cambrian.measurement import Measurement, Unit


class WorkerPool:
    """As many workers as there should be.

    Attributes:
        size: how many evaluation processes it keeps.
    """

    def __init__(
        self,
        context: RunContext,
        proposer: Proposer,
        committer: Committer,
        outages: OutageMonitor,
        make_worker: WorkerFactory,
        logs: Path,
        size: int,
    ) -> None:
        self._context = context
        self._archive = context.archive
        self._proposer = proposer
        self._committer = committer
        self._outages = outages
        self._make_worker = make_worker
        self._logs = logs
        self.size = size
        self._at_work: set[int] = set()
        self._leased: dict[int, str] = {}
        self._held: set[anyio.CancelScope] = set()

    @property
    def idle(self) -> bool:
        """Whether no job is held."""
        return not self._leased

    async def work(self, done: Callable[[], bool]) -> None:
        """Keep as many workers as there should be, until nothing is left to do."""
        async with anyio.create_task_group() as group:
            while not done():
                for number in range(self.size):
                    if number not in self._at_work:
                        self._at_work.add(number)
                        group.start_soon(self._work, number, done)
                await self._context.changed()

    async def beat(self) -> None:
        """Keep the leases alive, and count the time."""
        timing = self._context.timing
        while True:
            await anyio.sleep(timing.beat_s)
            with self._archive.transaction():
                for job_id, owner in self._leased.items():
                    self._archive.jobs.heartbeat(job_id, owner, timing.lease_s)
                # Ours are fresh, so whoever holds an old lease is gone (or the clock was set on).
                self._archive.jobs.expire()
            self._context.count_wall()

    def drop(self) -> None:
        """Drop what is being carried out; nothing recorded is lost."""
        for scope in self._held:
            scope.cancel()

    async def _work(self, number: int, done: Callable[[], bool]) -> None:
        owner = f"worker-{number}"
        try:
            async with held(self._make_worker(self._logs / f"{owner}.log")) as worker:
                job: Job | None = None
                while number < self.size and not done():
                    job = job or self._next(owner)
                    if job is None:
                        await self._context.changed()
                        continue
                    reach("job.leased")
                    job = await self._hold(worker, job, owner)
                if job is not None:
                    self._archive.jobs.release(job.id, "not begun", counts=False)
        finally:
            self._at_work.discard(number)
            self._context.notify()

    def _next(self, owner: str) -> Job | None:
        """Lease the next job, unless nothing new is to begin."""
        if self._context.pauses or self._context.stop:
            return None
        return self._archive.jobs.lease(owner, ["evaluate"], ttl=self._context.timing.lease_s)

    async def _hold(self, worker: WorkerClient, job: Job, owner: str) -> Job | None:
        """Carry a leased job out; dropped without loss if told to stop now. Returns the next one if
        that is leased already."""
        following: Job | None = None
        self._leased[job.id] = owner
        making = self._context.making
        try:
            with anyio.CancelScope() as scope:
                making.setdefault(job.proposal_id, set()).add(scope)
                self._held.add(scope)
                following = await self._carry_out(worker, job, owner)
            if self._archive.jobs.get(job.id).state == "leased":
                await worker.close(now=True)
                self._archive.jobs.release(job.id, "dropped by request", counts=False)
        except SandboxBroken as broke:
            with anyio.CancelScope() as probing:  # it tries a seed agent, and may be told to stop
                self._held.add(probing)
                await self._outages.on_break(worker, job, broke)
            self._held.discard(probing)
            if self._archive.jobs.get(job.id).state == "leased":
                self._archive.jobs.release(job.id, str(broke), counts=False)
        finally:
            self._held.discard(scope)
            del self._leased[job.id]
            making.pop(job.proposal_id, None)
            self._context.notify()
        return following

    async def _carry_out(self, worker: WorkerClient, job: Job, owner: str) -> Job | None:
        agent_id = str(job.agent_id)
        if job.stage == "improver":
            files = self._archive.agents.files(agent_id)
            await self._proposer.check_improver(worker, files)
        elif is_null(job):
            await self._judge_twin(worker, job)
        else:
            for one, todo in self._context.pipeline.work(job):
                await self._evaluate(worker, job, one, todo)
        reach("job.carried_out")
        following = self._completed(job, owner)
        self._outages.worked(job)
        return following

    async def _evaluate(
        self, worker: WorkerClient, job: Job, agent_id: str, todo: Sequence[Unit]
    ) -> None:
        """Have an agent judged on units; where it may leave after any of them, one by one."""
        files, pipeline = self._archive.agents.files(agent_id), self._context.pipeline
        requests = [[unit] for unit in todo] if pipeline.may_leave(job) else [todo] if todo else []
        record = functools.partial(self._record, agent_id)
        for units in requests:
            scored = await self._judged(worker, agent_id, files, units, record)
            if not scored or pipeline.leaves(job):
                return

    async def _judge_twin(self, worker: WorkerClient, job: Job) -> None:
        """Judge a null control, in a session of its own."""
        nulls = self._context.nulls
        null = nulls.of(job)
        files, name = self._archive.agents.files(null.agent_id), f"{job.stage}/{null.agent_id}"
        record = functools.partial(nulls.record, null)
        await self._judged(worker, name, files, nulls.left(null), record)

    async def _judged(
        self,
        worker: WorkerClient,
        name: str,
        files: Mapping[str, str],
        units: Sequence[Unit],
        record: Callable[[Measurement], object],
    ) -> bool:
        """Have code judged, and each result recorded; whether every one is a score."""
        scored = True
        async for evaluation in worker.evaluate(name, files, units, self._context.settings.device):
            reach("evaluation.judged")
            record(evaluation)
            reach("evaluation.recorded")
            scored &= evaluation.verdict == "scored"
        return scored

    def _record(self, agent_id: str, evaluation: Measurement) -> None:
        """Store a result, and what it used, once."""
        with self._archive.transaction():
            if self._context.pipeline.seeding.record(agent_id, evaluation):
                used = {"evaluations": 1.0, "cpu_s": evaluation.cpu_s or 0.0}
                self._archive.steering.count(self._context.run_id, **used)

    def _completed(self, job: Job, owner: str) -> Job | None:
        """End a job and commit, at once, what follows from it: the next stage or the decision, and
        the lease of what its worker does next, which is returned."""
        pipeline = self._context.pipeline
        with self._archive.transaction():
            self._archive.jobs.complete(job.id)
            reach("job.inside")
            if job.proposal_id is not None:
                pipeline.advance(self._archive.proposals.get(job.proposal_id))
            elif is_null(job):
                self._context.nulls.close(self._context.nulls.of(job))
            elif job.kind == "evaluate":
                self._advance_seed(str(job.agent_id))
            decided = self._committer.first()
            following = self._next(owner)
        reach("job.completed")
        self._committer.commit(decided)
        return following

    def _advance_seed(self, agent_id: str) -> None:
        seeding = self._context.pipeline.seeding
        standing = seeding.advance(agent_id, self._context.run_id)
        agent = self._archive.agents.get(agent_id)
        if standing == "scored":
            self._context.tell(f"seed {agent.title}: {agent.score:.3f}")
        elif standing in ("failed", "set aside"):
            self._context.tell(f"seed {seeding.why(agent)}; the run continues without it")
