"""The loop: proposals opened in order, judged by workers as they come, decided in order.

There is no generation barrier. Proposal k draws from RNG(seed, k) and sees the archive as decided
through k − LAG, whatever the number of workers; decisions are committed in proposal order. So the
same seed gives the same tree with any number of workers and after any kill; `--order free` gives
that up for throughput.

One task opens proposals, one task per worker carries out jobs, one keeps leases alive and
counts wall time. All of them write through the archive of this one thread.

What is our machine's fault never counts against a variant. Where the sandbox breaks it is tried
out with a seed agent: if nothing works (or one job breaks after the other) the run pauses, and goes
on when it works again; if it works, only that job is tried again, later, and its variant parked at
the cap.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import anyio
import anyio.abc

from cambrian.archive import Archive, Job, Proposal, Run
from cambrian.archive.jobs import back_off_s
from cambrian.archive.lineage import Lineage
from cambrian.errors import CambrianError, Refused, SandboxBroken, Unreachable
from cambrian.evaluators.job import Evaluation
from cambrian.evolution.approval import Policy
from cambrian.evolution.broker import Model, Purse
from cambrian.evolution.budget import Budget
from cambrian.evolution.pausing import Pauses, Reason, waits
from cambrian.evolution.pipeline import Pipeline
from cambrian.evolution.prices import Price
from cambrian.evolution.proposing import Outcome, Proposer
from cambrian.evolution.records import to_record, units
from cambrian.evolution.rewriting import NoVariant
from cambrian.evolution.settings import LAG, Settings
from cambrian.evolution.workers import Hire, Worker
from cambrian.failpoints import reach

LEASE_S = 60.0
BEAT_S = 5.0
TICK_S = 1.0
BACK_OFF_S = 2.0
BREAKS_IN_A_ROW = 3
"""So many different jobs that broke with none carried out between them are no job's fault."""
LINEAGE_EVERY, LINEAGE_SHARE = 32, 0.02
"""The lineage is brought up to date after so many decisions, or a share of all where that is more:
looking through its refs costs more the more there are."""
PREPARATIONS = 5
REFUSALS = 10
"""So many questions in a row that the model's endpoint did not answer stop a run (resumable)."""

ASKED = "by request; `cambrian resume` lets it go on"

Stop = Literal["", "drain", "now"]
Listener = Callable[[str], None]
"""Told a line of text whenever something happened that a person wants to know."""


class Loop:
    """One run over one archive, which the caller has locked.

    Set `stop` to "drain" to finish what is being carried out, to "now" to drop it; either way
    nothing recorded is lost and the same run goes on later.

    Attributes:
        pauses: why it pauses; empty while it goes on.
        workers: how many evaluation processes it keeps.
        ended_by: the limit that ended it, in words.
    """

    def __init__(
        self,
        archive: Archive,
        run: Run,
        settings: Settings,
        tell: Listener,
        logs: Path,
        hire: Hire | None = None,
        model: Model | None = None,
    ) -> None:
        self.archive = archive
        self.run_id = run.id
        self.settings = settings
        self.tell = tell
        self.stop: Stop = ""
        self.workers = settings.workers
        self.ended_by = ""
        self.budget = Budget(archive, run, settings.to_json())
        self.pauses = Pauses(self._pause_changed)
        self.pipeline = Pipeline(
            archive, settings.benchmarks, settings.rules, Policy.of(settings.approve)
        )
        self._hire = hire or functools.partial(Worker, settings.sandbox)
        purse = Purse(archive, run.id, self._limits, self._prices)
        self.proposer = Proposer(archive, run.id, settings, logs, self._hire, purse, model)
        self._logs = logs
        self._spent_s = run.wall_s
        self._began = time.monotonic()
        self._leased: dict[int, str] = {}
        self._working: set[int] = set()
        self._scopes: dict[int | None, set[anyio.CancelScope]] = {}
        self._drop = anyio.Event()
        self._broken_in_a_row: set[int] = set()
        self._broken_since = 0.0
        self._next_look = waits()
        self._news = anyio.Event()
        self._recorded: dict[int, anyio.Event] = {}
        self._left_open = sys.maxsize
        self._opened_all = False
        self._lineage = Lineage(archive)
        self._since_lineage = 0
        self._failure: CambrianError | None = None
        self._tasks: anyio.abc.TaskGroup | None = None

    def _limits(self) -> Mapping[str, float | None]:
        return self.budget.limits

    def _prices(self) -> Mapping[str, Price]:
        return self.settings.prices

    # -- the whole ---------------------------------------------------------------------

    async def run(self) -> Literal["finished", "stopped"]:
        """Go on until the run's end or until told to stop.

        Raises:
            CambrianError: nothing can be evaluated here; the run may be resumed.
        """
        self._take_orders()
        self._recover()
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self._beat)
            tasks.start_soon(self._tick)
            tasks.start_soon(self._propose_all)
            async with anyio.create_task_group() as workers:
                await self._staff(workers)
            tasks.cancel_scope.cancel()
        self.archive.jobs.release_all_leases()  # of what was dropped
        self._count_wall()
        self._project()
        if self._failure is not None:
            raise self._failure
        return "stopped" if self.stop else "finished"

    def _take_orders(self) -> None:
        """What was asked for earlier and still holds."""
        orders = self.archive.steering.orders(self.run_id)
        self.workers = int(orders.get("workers", self.settings.workers))
        if orders.get("paused"):
            self._pause("asked", ASKED)

    def _recover(self) -> None:
        """Take up what an earlier stretch of the run left between two steps."""
        self.archive.jobs.release_all_leases()
        self.archive.jobs.revive_unowned()
        cut_off = self.archive.ledger.settle_reservations()
        if cut_off:
            self.tell(f"{cut_off} questions were cut off; what they may have cost counts as spent")
        self._project()
        self._queue_seeds()
        for proposal in self.archive.proposals.undecided():
            self.pipeline.advance(proposal)
        self._decide()

    @property
    def wall_s(self) -> float:
        """Seconds this run has taken, its earlier stretches included and its pauses not."""
        running = 0.0 if self.pauses else time.monotonic() - self._began
        return self._spent_s + running

    def _done(self) -> bool:
        """Whether no job is left and none will come."""
        if self.stop:
            return True
        return (
            self._opened_all and not self._leased and not self.archive.proposals.count_undecided()
        )

    def notify(self) -> None:
        """Wake every task that waits for something to change."""
        self._news.set()
        self._news = anyio.Event()

    async def _changed(self) -> None:
        await self._news.wait()

    async def _tick(self) -> None:
        """What only time changes (a job that was left alone for a while) is looked for too."""
        while True:
            await anyio.sleep(TICK_S)
            self.notify()

    async def _beat(self) -> None:
        while True:
            await anyio.sleep(BEAT_S)
            with self.archive.transaction():
                for job_id, owner in self._leased.items():
                    self.archive.jobs.heartbeat(job_id, owner, LEASE_S)
                # Ours are fresh, so whoever holds an old lease is gone (or the clock was set on).
                self.archive.jobs.expire()
            self._count_wall()

    def _count_wall(self) -> None:
        """Add the time since the last call to the run's, unless it is paused."""
        now = time.monotonic()
        passed, self._began = now - self._began, now
        if self.pauses:
            return
        self._spent_s += passed
        self.archive.runs.add_wall(self.run_id, passed)
        reach("wall.counted")

    # -- steering ----------------------------------------------------------------------

    def halt(self, stop: Stop) -> None:
        """Stop: "drain" or "now"; never back from "now" to "drain"."""
        if self.stop != "now":
            self.stop = stop
        if stop == "now":
            self._drop.set()
        self.notify()

    def pause(self, *, now: bool = False) -> bool:
        """Begin nothing new until `resume`, over restarts; `now` drops what is under way."""
        changed = self.archive.steering.order(self.run_id, "paused", True)
        self._pause("asked", ASKED)
        if now:
            self._drop.set()
            self._drop = anyio.Event()
        return changed

    def resume(self) -> bool:
        """Take a pause that was asked for back."""
        changed = self.archive.steering.order(self.run_id, "paused", False)
        self.pauses.lift("asked")
        return changed

    def employ(self, workers: int) -> bool:
        """Keep so many evaluation processes from now on, over restarts."""
        changed = self.archive.steering.order(self.run_id, "workers", workers)
        self.workers = workers
        self.notify()
        return changed

    def drop(self, proposal_id: int) -> None:
        """Make nothing and carry out nothing more for a proposal that has ended."""
        for scope in self._scopes.get(proposal_id, ()):
            scope.cancel()

    def heard(self) -> None:
        """A person answered: decide what waited for that."""
        self._decide()
        self.notify()

    def reload(self, settings: Settings) -> None:
        """Take what may change while a run goes on: limits, prices, approval, patience, workers."""
        if settings.workers != self.settings.workers:
            self.employ(settings.workers)
        self.settings = settings
        self.budget.given(settings.to_json())
        self.pipeline.policy = Policy.of(settings.approve)
        self.notify()

    def _pause(self, reason: Reason, text: str) -> None:
        self._count_wall()  # up to now; what follows does not count
        self.pauses.set(reason, text)

    def _pause_changed(self, reason: Reason, text: str) -> None:
        if text:
            self.tell(f"paused: {text}")
            self.archive.runs.note(self.run_id, "paused", reason=reason, text=text)
        else:
            self._began = time.monotonic()
            self.tell(f"no longer paused ({reason})")
            self.archive.runs.note(self.run_id, "went_on", reason=reason)
        self.notify()

    # -- seeds -------------------------------------------------------------------------

    def _queue_seeds(self) -> None:
        for seed in self.archive.agents.seeds():
            self.pipeline.queue_seed(seed.id, self.run_id)

    def _seeds_scored(self) -> bool:
        return all(seed.score is not None for seed in self.archive.agents.seeds())

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
            while not self.stop:
                if self._is_ahead(index):
                    await self._changed()
                    continue
                if self._over(index):
                    break
                if self.pauses or self._must_wait(index):
                    await self._changed()
                    continue
                proposal = self._open(index)
                reach("proposal.opened")
                if proposal.state == "open":
                    tasks.start_soon(self._propose, proposal)
                else:  # recorded before a kill, out of order
                    self._mark_recorded(index)
                index += 1
                await anyio.sleep(0)
            if self.stop == "now":
                tasks.cancel_scope.cancel()
        self._opened_all = True
        self.notify()

    def _first_unrecorded(self) -> int:
        for proposal in self.archive.proposals.undecided():
            if proposal.state == "open":
                return proposal.idx
        return self.archive.counts()["proposals"]

    def _over(self, index: int) -> bool:
        """Whether the run's end is reached, so that proposal `index` is not opened any more."""
        if self.archive.proposals.at(index) is not None:
            return False  # opened before a kill: it is carried through
        under_way = self.archive.proposals.count_undecided()
        self.ended_by = self.budget.used_up(self.wall_s, under_way)
        return bool(self.ended_by)

    def _is_ahead(self, index: int) -> bool:
        """Whether something must be decided before proposal `index` is opened: the lag."""
        return index - LAG > self.archive.proposals.decided_through()

    def _must_wait(self, index: int) -> bool:
        """Whether proposal `index` would perhaps be over a limit (which it may not be, if what is
        under way turns out to be duplicates)."""
        if self.archive.proposals.at(index) is not None:
            return False
        return self.budget.must_wait(self.archive.proposals.count_undecided())

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
        variant: Outcome | None = None
        with anyio.CancelScope() as making:
            self._scopes[proposal.id] = {making}
            variant = await self._prepared(proposal)
            if variant is None or not await self._has_its_turn(proposal.idx):
                self._left_open = min(self._left_open, proposal.idx)
                return  # told to stop; the proposal stays open
            try:
                await self.proposer.record(proposal, variant)
            except Refused:
                if not making.cancel_called:  # given up while this was on its way
                    raise
        self._scopes.pop(proposal.id, None)
        self._mark_recorded(proposal.idx)
        self._decide()
        if self.proposer.refused >= REFUSALS:
            self._give_up(Unreachable(f"{REFUSALS} questions in a row failed; {variant}"))
        self.notify()

    async def _has_its_turn(self, index: int) -> bool:
        """Wait for proposal `index` − 1, where the order is fixed; False if that was left open."""
        if self.settings.order != "fixed":
            return True
        before = self._recorded_event(index - 1)
        while not before.is_set() and self._left_open >= index:
            with anyio.move_on_after(1.0):
                await before.wait()
        return before.is_set()

    async def _prepared(self, proposal: Proposal) -> Outcome | None:
        """The variant; tried again where our machine broke, and parked if it goes on breaking.

        None if the run was told to stop while it could not be made.
        """
        breaks = 0
        for attempt, wait_s in enumerate(waits()):
            await self._unpaused()
            if self.stop and attempt:
                return None
            try:
                outcome = await self.proposer.prepare(proposal)
            except SandboxBroken as broke:
                if not await self._machine_works(str(broke)):
                    continue
                breaks += 1
                self.tell(f"the sandbox broke (attempt {breaks}): {broke}")
                if breaks == PREPARATIONS:
                    return NoVariant(str(broke), end="parked")
                await anyio.sleep(BACK_OFF_S * breaks)
                continue
            if not (isinstance(outcome, NoVariant) and outcome.down):
                self.pauses.lift("endpoint")
                return outcome
            if self._out_of_patience("endpoint"):
                self._give_up(Unreachable(str(outcome)))
            if self.stop:
                return None
            self._pause("endpoint", str(outcome))
            await self._wait(wait_s)
        raise AssertionError("waits() has no end")

    async def _unpaused(self) -> None:
        """Wait until nothing but the endpoint (which only asking again can tell) is down."""
        while not self.stop and set(self.pauses.texts()) - {"endpoint"}:
            await self._changed()

    async def _wait(self, seconds: float) -> None:
        """Sleep, but not past a stop or the end of the pause."""
        with anyio.move_on_after(seconds):
            while not self.stop and "endpoint" in self.pauses:
                await self._changed()

    def _out_of_patience(self, reason: Reason) -> bool:
        patience_s = self.settings.patience * 60
        return reason in self.pauses and self.pauses.lasted_s(reason) >= patience_s

    def _recorded_event(self, index: int) -> anyio.Event:
        return self._recorded.setdefault(index, anyio.Event())

    def _mark_recorded(self, index: int) -> None:
        self._recorded_event(index).set()
        self._recorded.pop(index - 2 * LAG, None)

    # -- working -----------------------------------------------------------------------

    async def _staff(self, group: anyio.abc.TaskGroup) -> None:
        """Keep as many workers as there should be, until nothing is left to do."""
        while not self._done():
            for number in range(self.workers):
                if number not in self._working:
                    self._working.add(number)
                    group.start_soon(self._work, number)
            await self._changed()

    async def _work(self, number: int) -> None:
        owner = f"worker-{number}"
        try:
            async with self._hire(self._logs / f"{owner}.log") as worker:
                while number < self.workers and not self._done():
                    job = None
                    if not self.pauses:
                        job = self.archive.jobs.lease(owner, ["evaluate"], ttl=LEASE_S)
                    if job is None:
                        await self._changed()
                        continue
                    reach("job.leased")
                    await self._hold(worker, job, owner)
        finally:
            self._working.discard(number)
            self.notify()

    async def _hold(self, worker: Worker, job: Job, owner: str) -> None:
        """Carry a leased job out; dropped without loss if told to stop now."""
        self._leased[job.id] = owner
        try:
            async with anyio.create_task_group() as tasks:
                self._scopes.setdefault(job.proposal_id, set()).add(tasks.cancel_scope)
                tasks.start_soon(self._drop_when_told, tasks.cancel_scope)
                await self._carry_out(worker, job)
                tasks.cancel_scope.cancel()
            if not self._is_over(job):
                await worker.close(now=True)
                self.archive.jobs.release(job.id, "dropped by request", counts=False)
        except* SandboxBroken as group:
            await self._broke(worker, job, str(group.exceptions[0]))
        finally:
            del self._leased[job.id]
            self._scopes.pop(job.proposal_id, None)
            self.notify()

    async def _drop_when_told(self, scope: anyio.CancelScope) -> None:
        await self._drop.wait()
        scope.cancel()

    def _is_over(self, job: Job) -> bool:
        return self.archive.jobs.get(job.id).state != "leased"

    async def _carry_out(self, worker: Worker, job: Job) -> None:
        agent_id, stage = str(job.agent_id), str(job.stage)
        if stage == "improver":
            files = self.archive.agents.files(agent_id)
            await self.proposer.check_improver(worker, files)
        else:
            for one, todo in self.pipeline.work(job):
                its = self.archive.agents.files(one)
                async for evaluation in worker.evaluate(one, its, todo, self.settings.device):
                    reach("evaluation.judged")
                    self._record(one, evaluation)
                    reach("evaluation.recorded")
        reach("job.carried_out")
        self._completed(job)
        if self._broken_in_a_row:
            self._broken_in_a_row.clear()
            self._next_look = waits()

    def _record(self, agent_id: str, evaluation: Evaluation) -> None:
        """Store a result, and what it used, once."""
        with self.archive.transaction():
            record = to_record(agent_id, evaluation)
            if self.archive.evaluations.record(record):
                used = {"evaluations": 1.0, "cpu_s": evaluation.cpu_s or 0.0}
                self.archive.steering.count(self.run_id, **used)

    def _completed(self, job: Job) -> None:
        with self.archive.transaction():
            self.archive.jobs.complete(job.id)
            reach("job.inside")
            if job.proposal_id is not None:
                self.pipeline.advance(self.archive.proposals.get(job.proposal_id))
            elif job.kind == "evaluate":
                self._advance_seed(str(job.agent_id))
        reach("job.completed")
        self._decide()

    def _advance_seed(self, agent_id: str) -> None:
        if not self.pipeline.queue_seed(agent_id, self.run_id):
            agent = self.archive.agents.get(agent_id)
            self.tell(f"seed {agent.title}: {agent.score:.3f}")

    # -- when the machine breaks -------------------------------------------------------

    async def _broke(self, worker: Worker, job: Job, error: str) -> None:
        """Our machine's fault: if nothing works, pause; else try again, and park at the cap."""
        await worker.close(now=True)
        if not self._broken_in_a_row:
            self._broken_since = time.monotonic()
        self._broken_in_a_row.add(job.id)
        if not await self._machine_works(error):
            self.archive.jobs.release(job.id, error, counts=False)
            return
        delay_s = back_off_s(job.attempts) * BACK_OFF_S / 2.0
        released = self.archive.jobs.release(job.id, error, delay_s=delay_s)
        reach("job.released")
        self.tell(f"the sandbox broke (attempt {job.attempts}): {error}")
        if released.state != "parked":
            return
        if job.proposal_id is None:
            self._give_up(SandboxBroken(f"the sandbox broke {job.attempts} times: {error}"))
        else:
            self.pipeline.park(self.archive.proposals.get(job.proposal_id), error)
            self._decide()

    async def _machine_works(self, error: str) -> bool:
        """Whether a sandbox still works for a seed agent. If not, or if one job after the other
        broke, the run pauses until it does."""
        if "engine" in self.pauses:
            return False
        works = len(self._broken_in_a_row) < BREAKS_IN_A_ROW and await self._sandbox_comes_up()
        if not works and "engine" not in self.pauses:
            self._pause("engine", f"the sandbox does not work: {error}")
            if self._tasks is not None:
                self._tasks.start_soon(self._wait_for_sandbox)
        return works

    async def _sandbox_comes_up(self) -> bool:
        """Run a seed agent in one for a moment: what works for it is not the machine's fault."""
        seed = self.archive.agents.seeds()[0]
        unit = units("smoke", self.settings.benchmarks)[:1]
        files, device = self.archive.agents.files(seed.id), self.settings.device
        try:
            async with self._hire(self._logs / "probe.log") as worker:
                async for _ in worker.evaluate(seed.id, files, unit, device):
                    pass
        except SandboxBroken as error:
            self.pauses.update("engine", f"the sandbox does not work: {error}")
            return False
        return True

    async def _wait_for_sandbox(self) -> None:
        """Lift the pause once a sandbox comes up; each time that no job was carried out since the
        last look, after a longer while."""
        patience_s, began = self.settings.patience * 60, time.monotonic()
        for wait_s in self._next_look:
            await anyio.sleep(wait_s * BACK_OFF_S / 2.0)
            since = min(self._broken_since, began) if self._broken_in_a_row else began
            if time.monotonic() - since >= patience_s:
                text = self.pauses.texts()["engine"]
                self._give_up(SandboxBroken(f"after {self.settings.patience:g} min: {text}"))
                return
            if await self._sandbox_comes_up():
                break
        self.pauses.lift("engine")

    def _give_up(self, error: CambrianError) -> None:
        self._failure = self._failure or error
        self.stop = self.stop or "drain"
        self.notify()

    # -- deciding ----------------------------------------------------------------------

    def _decide(self) -> None:
        """Commit what is ready: in proposal order, or as it comes where order is free."""
        for proposal in self._decidable():
            if not self.pipeline.decide(proposal):
                if self.settings.order == "fixed":
                    break
                continue
            reach("proposal.decided")
            self._announce(self.archive.proposals.get(proposal.id))
            self._since_lineage += 1
        if self._since_lineage >= LINEAGE_EVERY and self._since_lineage >= self._lineage_share():
            self._project()

    def _lineage_share(self) -> int:
        return int(LINEAGE_SHARE * self.archive.counts()["members"])

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
            self._lineage.update()
        except (CambrianError, OSError) as error:
            self.tell(f"the git lineage is behind ({error}); `cambrian db lineage` makes it anew")
