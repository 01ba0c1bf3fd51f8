"""The loop: proposals opened in order, judged by workers as they come, decided in order.

There is no generation barrier. Proposal k draws from RNG(seed, k) and sees the archive as decided
through k − LAG, whatever the number of workers; decisions are committed in proposal order. So the
same seed gives the same tree with any number of workers and after any kill; `--order free` gives
that up for throughput.

One task opens proposals, one task per worker carries out jobs, one keeps leases alive and
counts wall time. All of them write through the archive of this one thread.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import anyio
import anyio.abc

from cambrian.archive import Archive, Job, Proposal, Run
from cambrian.archive.lineage import Lineage
from cambrian.errors import CambrianError, SandboxBroken, Unreachable
from cambrian.evaluators.benchmarks import sealed_names
from cambrian.evolution.pipeline import Pipeline
from cambrian.evolution.proposing import Outcome, Proposer
from cambrian.evolution.records import missing, to_record, units
from cambrian.evolution.rewriting import NoVariant
from cambrian.evolution.settings import LAG, Settings
from cambrian.evolution.workers import Hire, Worker

LEASE_S = 60.0
BEAT_S = 5.0
BACK_OFF_S = 2.0
LINEAGE_EVERY = 8
PREPARATIONS = 5
REFUSALS = 10
"""So many questions in a row that the model's endpoint did not answer stop a run (resumable)."""

Stop = Literal["", "drain", "now"]
Listener = Callable[[str], None]
"""Told a line of text whenever something happened that a person wants to know."""


class Loop:
    """One run over one archive, which the caller has locked.

    Set `stop` to "drain" to finish what is being carried out, to "now" to drop it; either way
    nothing recorded is lost and the same run goes on later.
    """

    def __init__(
        self,
        archive: Archive,
        run: Run,
        settings: Settings,
        tell: Listener,
        logs: Path,
        hire: Hire | None = None,
    ) -> None:
        self.archive = archive
        self.run_id = run.id
        self.first = run.first_proposal
        self.settings = settings
        self.tell = tell
        self.stop: Stop = ""
        self.pipeline = Pipeline(archive, settings.benchmarks, settings.rules)
        self._hire = hire or functools.partial(Worker, settings.sandbox)
        self.proposer = Proposer(archive, run.id, settings, logs, self._hire)
        self._logs = logs
        self._spent_s = run.wall_s
        self._began = time.monotonic()
        self._leased: dict[int, str] = {}
        self._news = anyio.Event()
        self._recorded: dict[int, anyio.Event] = {}
        self._opened_all = False
        self._since_lineage = 0
        self._failure: CambrianError | None = None

    # -- the whole ---------------------------------------------------------------------

    async def run(self) -> Literal["finished", "stopped"]:
        """Go on until the run's end or until told to stop.

        Raises:
            CambrianError: nothing can be evaluated here; the run may be resumed.
        """
        self._recover()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._beat)
            tasks.start_soon(self._propose_all)
            async with anyio.create_task_group() as workers:
                for number in range(self.settings.workers):
                    workers.start_soon(self._work, number)
            tasks.cancel_scope.cancel()
        self.archive.jobs.release_all_leases()  # of what was dropped
        self._count_wall()
        self._project()
        if self._failure is not None:
            raise self._failure
        return "stopped" if self.stop else "finished"

    def _recover(self) -> None:
        """Take up what an earlier stretch of the run left between two steps."""
        self.archive.jobs.release_all_leases()
        self.archive.jobs.revive_unowned()
        self._project()
        self._queue_seeds()
        for proposal in self.archive.proposals.undecided():
            self.pipeline.advance(proposal)
        self._decide()

    @property
    def wall_s(self) -> float:
        """Seconds this run has taken, its earlier stretches included."""
        return self._spent_s + time.monotonic() - self._began

    def _done(self) -> bool:
        """Whether no job is left and none will come."""
        if self.stop:
            return True
        return (
            self._opened_all
            and not self._leased
            and not self.archive.proposals.undecided()
            and not self._unsealed()
        )

    def notify(self) -> None:
        """Wake every task that waits for something to change."""
        self._news.set()
        self._news = anyio.Event()

    async def _changed(self) -> None:
        with anyio.move_on_after(1.0):
            await self._news.wait()

    async def _beat(self) -> None:
        while True:
            await anyio.sleep(BEAT_S)
            for job_id, owner in self._leased.items():
                self.archive.jobs.heartbeat(job_id, owner, LEASE_S)
            self._count_wall()

    def _count_wall(self) -> None:
        now = time.monotonic()
        self.archive.runs.add_wall(self.run_id, now - self._began)
        self._spent_s += now - self._began
        self._began = now

    # -- seeds and sealed runs ---------------------------------------------------------

    def _queue_seeds(self) -> None:
        for seed in self.archive.agents.seeds():
            self.pipeline.queue_seed(seed.id, self.run_id)

    def _seeds_scored(self) -> bool:
        return all(seed.score is not None for seed in self.archive.agents.seeds())

    def _unsealed(self) -> bool:
        """Queue sealed runs of the seeds and the champion; whether any is still to be done."""
        champion = self.archive.champion()
        seeds = self.archive.agents.seeds()
        agents = [] if self.settings.random_control else [seed.id for seed in seeds]
        if champion is not None and champion.id not in agents:
            agents.append(champion.id)
        wanted = units("sealed", sealed_names(self.settings.benchmarks))
        left = False
        for agent_id in agents:
            if missing(self.archive, agent_id, wanted):
                job = self.archive.jobs.queue(
                    "seal", run_id=self.run_id, agent_id=agent_id, stage="sealed"
                )
                left = left or job.state in ("queued", "leased")
        return left

    # -- proposing ---------------------------------------------------------------------

    async def _propose_all(self) -> None:
        """Open proposals, in order, as far ahead as the lag allows."""
        while not self._seeds_scored():
            if self.stop:
                return
            await self._changed()
        async with anyio.create_task_group() as tasks, self.proposer:
            index = self._first_unrecorded()
            self._mark_recorded(index - 1)
            while not self.stop and not self._over(index):
                if self._must_wait(index):
                    await self._changed()
                    continue
                proposal = self._open(index)
                if proposal.state == "open":
                    tasks.start_soon(self._propose, proposal)
                else:  # recorded before a kill, out of order
                    self._mark_recorded(index)
                index += 1
                await anyio.sleep(0)
        self._opened_all = True
        self.notify()

    def _first_unrecorded(self) -> int:
        for proposal in self.archive.proposals.undecided():
            if proposal.state == "open":
                return proposal.idx
        return self.archive.counts()["proposals"]

    def _over(self, index: int) -> bool:
        """Whether the run's end is reached, so that proposal `index` is not opened any more."""
        settings = self.settings
        if self.archive.proposals.at(index) is not None:
            return False  # opened before a kill: it is carried through
        if settings.proposals is not None and index - self.first >= settings.proposals:
            return True
        if settings.tokens is not None and self._tokens() >= settings.tokens:
            return True
        if settings.hours is not None and self.wall_s >= settings.hours * 3600:
            return True
        if settings.judged is None:
            return False
        return self.archive.counts()["judged"] >= settings.judged

    def _tokens(self) -> int:
        spent = self.archive.ledger.total(run_id=self.run_id)
        return spent.prompt_tokens + spent.completion_tokens

    def _must_wait(self, index: int) -> bool:
        """Whether proposal `index` would be ahead of the lag, or perhaps over the budget of
        judged variants (which it may not be, if what is under way turns out to be duplicates)."""
        if index - LAG > self.archive.proposals.decided_through():
            return True
        under_way = len(self.archive.proposals.undecided())
        judged = self.archive.counts()["judged"]
        return self.settings.judged is not None and judged + under_way >= self.settings.judged

    def _open(self, index: int) -> Proposal:
        known = self.archive.proposals.at(index)
        if known is not None:
            return known
        fixed = self.settings.order == "fixed"
        seen = max(-1, index - LAG) if fixed else index - 1
        parents = self.proposer.parents(index, seen)
        return self.archive.proposals.open(
            self.run_id, index, seen, parents, self.settings.rewriter
        )

    async def _propose(self, proposal: Proposal) -> None:
        """Make proposal k's variant, and record it after proposal k − 1's."""
        variant = await self._prepared(proposal)
        if self.settings.order == "fixed":
            await self._recorded_event(proposal.idx - 1).wait()
        await self.proposer.record(proposal, variant)
        self._mark_recorded(proposal.idx)
        self._decide()
        if self.proposer.refused >= REFUSALS:
            self._give_up(Unreachable(f"{REFUSALS} questions in a row failed; {variant}"))
        self.notify()

    async def _prepared(self, proposal: Proposal) -> Outcome:
        """The variant; tried again where our machine broke, and parked if it goes on breaking."""
        error = SandboxBroken("")
        for attempt in range(1, PREPARATIONS + 1):
            try:
                return await self.proposer.prepare(proposal)
            except SandboxBroken as broke:
                error = broke
                self.tell(f"the sandbox broke (attempt {attempt}): {error}")
                await anyio.sleep(BACK_OFF_S * attempt)
        return NoVariant(str(error), end="parked")

    def _recorded_event(self, index: int) -> anyio.Event:
        return self._recorded.setdefault(index, anyio.Event())

    def _mark_recorded(self, index: int) -> None:
        self._recorded_event(index).set()
        self._recorded.pop(index - 2 * LAG, None)

    # -- working -----------------------------------------------------------------------

    async def _work(self, number: int) -> None:
        owner = f"worker-{number}"
        async with self._hire(self._logs / f"{owner}.log") as worker:
            while not self._done():
                job = self.archive.jobs.lease(owner, ["evaluate", "seal"], ttl=LEASE_S)
                if job is None:
                    await self._changed()
                    continue
                await self._hold(worker, job, owner)
        self.notify()

    async def _hold(self, worker: Worker, job: Job, owner: str) -> None:
        """Carry a leased job out; dropped without loss if told to stop now."""
        self._leased[job.id] = owner
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._drop_on_stop, tasks.cancel_scope)
                await self._carry_out(worker, job)
                tasks.cancel_scope.cancel()
        except* SandboxBroken as group:
            await self._broke(worker, job, str(group.exceptions[0]))
        finally:
            del self._leased[job.id]
            self.notify()

    async def _drop_on_stop(self, scope: anyio.CancelScope) -> None:
        while self.stop != "now":
            await anyio.sleep(0.2)
        scope.cancel()

    async def _carry_out(self, worker: Worker, job: Job) -> None:
        agent_id, stage = str(job.agent_id), str(job.stage)
        files = self.archive.agents.files(agent_id)
        if stage == "improver":
            await self.proposer.check_improver(worker, files)
        else:
            names = self.settings.benchmarks
            wanted = units(stage, sealed_names(names) if stage == "sealed" else names)
            todo = missing(self.archive, agent_id, wanted)
            async for evaluation in worker.evaluate(agent_id, files, todo, self.settings.device):
                self.archive.evaluations.record(
                    to_record(agent_id, evaluation), sealed=stage == "sealed"
                )
        self._completed(job)

    def _completed(self, job: Job) -> None:
        with self.archive.transaction():
            self.archive.jobs.complete(job.id)
            if job.proposal_id is not None:
                self.pipeline.advance(self.archive.proposals.get(job.proposal_id))
            elif job.kind == "evaluate":
                self._advance_seed(str(job.agent_id))
        self._decide()

    def _advance_seed(self, agent_id: str) -> None:
        if not self.pipeline.queue_seed(agent_id, self.run_id):
            agent = self.archive.agents.get(agent_id)
            self.tell(f"seed {agent.title}: {agent.score:.3f}")

    async def _broke(self, worker: Worker, job: Job, error: str) -> None:
        """Our machine's fault: wait, try again, park the variant at the cap."""
        await worker.close(now=True)
        released = self.archive.jobs.release(job.id, error)
        self.tell(f"the sandbox broke (attempt {job.attempts}): {error}")
        if released.state != "parked":
            await anyio.sleep(BACK_OFF_S * job.attempts)
        elif job.proposal_id is None:
            self._give_up(SandboxBroken(f"the sandbox broke {job.attempts} times: {error}"))
        else:
            self.pipeline.park(self.archive.proposals.get(job.proposal_id), error)
            self._decide()

    def _give_up(self, error: CambrianError) -> None:
        self._failure = self._failure or error
        self.stop = self.stop or "drain"
        self.notify()

    # -- deciding ----------------------------------------------------------------------

    def _decide(self) -> None:
        """Commit what is ready: in proposal order, or as it comes where order is free."""
        for proposal in self._decidable():
            self.pipeline.decide(proposal)
            self._announce(self.archive.proposals.get(proposal.id))
            self._since_lineage += 1
        if self._since_lineage >= LINEAGE_EVERY:
            self._project()

    def _decidable(self) -> Sequence[Proposal]:
        ready = []
        for proposal in self.archive.proposals.undecided():
            if proposal.state == "ready":
                ready.append(proposal)
            elif self.settings.order == "fixed":
                break
        return ready

    def _announce(self, proposal: Proposal) -> None:
        name = (proposal.agent_id or "")[:10]
        parts = [f"#{proposal.idx} {proposal.state}", name, proposal.title or ""]
        if proposal.state in ("admitted", "rejected") and proposal.agent_id:
            agent = self.archive.agents.get(proposal.agent_id)
            parts.append(f"score {agent.score:.3f}" if agent.score is not None else "")
        self.tell(" · ".join(part for part in [*parts, proposal.reason or ""] if part))

    def _project(self) -> None:
        """Bring the git lineage up to date with the database."""
        self._since_lineage = 0
        try:
            Lineage(self.archive).update()
        except (CambrianError, OSError) as error:
            self.tell(f"the git lineage is behind ({error}); `cambrian db lineage` makes it anew")
