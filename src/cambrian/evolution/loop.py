"""The loop: proposals opened in order, judged by workers as they come, decided in order.

There is no generation barrier. Proposal k draws from RNG(seed, k) and sees the archive as decided
through k − LAG, whatever the number of workers; decisions are committed in proposal order. So the
same seed gives the same tree with any number of workers and after any kill; `--order free` gives
that up for throughput.

One task opens proposals (`opening`), one task per worker carries out jobs (`working`), one keeps
leases alive and counts wall time. Whoever finishes something decides what is ready (`deciding`);
what is our machine's fault never counts against a variant (`breaking`). All of them write through
the archive of this one thread, and share a `RunContext`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import anyio

from cambrian.archive import Archive, Run
from cambrian.evolution.admission.approval import Policy
from cambrian.evolution.budget import Budget
from cambrian.evolution.models.broker import Model, TokenBudget
from cambrian.evolution.models.prices import Price
from cambrian.evolution.models.roster.specs import key_names
from cambrian.evolution.rewriting.proposing import Proposer
from cambrian.evolution.runtime.commit import Committer
from cambrian.evolution.runtime.context import Listener, RunContext, Stop
from cambrian.evolution.runtime.outage import OutageMonitor
from cambrian.evolution.runtime.pauses import Pauses
from cambrian.evolution.runtime.pool import WorkerPool
from cambrian.evolution.runtime.process_worker import ProcessWorker
from cambrian.evolution.runtime.scheduler import ProposalScheduler
from cambrian.evolution.runtime.workers import WorkerFactory
from cambrian.evolution.settings import Settings
from cambrian.evolution.timing import USUAL, Timing

ASKED = "by request; `cambrian resume` lets it go on"


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
        make_worker: WorkerFactory | None = None,
        model: Model | None = None,
        timing: Timing = USUAL,
    ) -> None:
        self.archive = archive
        self.run_id = run.id
        self._context = RunContext(archive, run, settings, tell, timing)
        make_worker = make_worker or (
            lambda log: ProcessWorker(settings.sandbox, log, hidden=key_names())
        )
        token_budget = TokenBudget(
            archive, run.id, self._limits, self._prices, self._answer_tokens, self._allowance
        )
        proposer = Proposer(
            archive, run.id, settings, logs, make_worker, token_budget, model, timing
        )
        self._committer = Committer(self._context)
        outages = OutageMonitor(self._context, proposer, self._committer, make_worker, logs)
        self._scheduler = ProposalScheduler(self._context, proposer, self._committer, outages)
        self._outages = outages
        self._proposer = proposer
        self._pool = WorkerPool(
            self._context, proposer, self._committer, outages, make_worker, logs, settings.workers
        )

    def _limits(self) -> Mapping[str, float | None]:
        return self._context.budget.limits

    def _prices(self) -> Mapping[str, Price]:
        return self._context.settings.prices

    def _answer_tokens(self) -> int:
        return self._context.settings.answer_tokens

    def _allowance(self) -> Mapping[str, float | None]:
        settings = self._context.settings
        return {"tokens": settings.variant_tokens, "dollars": settings.variant_dollars}

    # -- how it stands -----------------------------------------------------------------

    @property
    def stop(self) -> Stop:
        """Whether it was told to stop, and how."""
        return self._context.stop

    @stop.setter
    def stop(self, stop: Stop) -> None:
        """Ask the run to end: "drain" finishes what is being evaluated, "now" drops it."""
        self._context.stop = stop

    @property
    def pauses(self) -> Pauses:
        """Why it pauses; empty while it runs."""
        return self._context.pauses

    @property
    def budget(self) -> Budget:
        """What it may use."""
        return self._context.budget

    @property
    def workers(self) -> int:
        """How many evaluation processes it keeps."""
        return self._pool.size

    @property
    def ended_by(self) -> str:
        """The limit that ended it, in words."""
        return self._scheduler.ended_by

    @property
    def wall_s(self) -> float:
        """Seconds this run has taken, its earlier stretches included and its pauses not."""
        return self._context.wall_s

    # -- the whole ---------------------------------------------------------------------

    async def run(self) -> Literal["finished", "stopped"]:
        """Go on until the run's end or until told to stop.

        Raises:
            CambrianError: nothing can be evaluated here; the run may be resumed.
        """
        try:
            return await self._run()
        finally:
            self._committer.close()

    async def _run(self) -> Literal["finished", "stopped"]:
        context = self._context
        self._take_orders()
        await self._recover()
        async with anyio.create_task_group() as tasks:
            self._outages.tasks = tasks
            tasks.start_soon(self._pool.beat)
            tasks.start_soon(context.tick)
            tasks.start_soon(self._committer.keep_projecting)
            tasks.start_soon(self._scheduler.open_all)
            await self._pool.work(self._done)
            tasks.cancel_scope.cancel()
        self.archive.jobs.release_all_leases()  # of what was dropped
        context.count_wall()
        await self._committer.project()
        if context.failure is not None:
            raise context.failure
        return "stopped" if context.stop else "finished"

    def _take_orders(self) -> None:
        """What was asked for earlier and still holds."""
        orders = self.archive.steering.orders(self.run_id)
        self._keep(int(orders.get("workers", self._context.settings.workers)))
        if orders.get("paused"):
            self._context.pause("asked", ASKED)

    async def _recover(self) -> None:
        """Take up what an earlier process of the run left between two steps."""
        archive, pipeline = self.archive, self._context.pipeline
        archive.jobs.release_all_leases()
        archive.jobs.revive_unowned()
        cut_off = archive.ledger.settle_reservations()
        if cut_off:
            self._context.tell(
                f"{cut_off} questions were cut off; what they may have cost counts as spent"
            )
        await self._committer.project()
        for seed in archive.agents.seeds():
            pipeline.seeding.advance(seed.id, self.run_id)
        for proposal in archive.proposals.undecided():
            pipeline.advance(proposal)
            if archive.proposals.get(proposal.id).state == "proposed":
                for job in archive.jobs.of(proposal_id=proposal.id):
                    archive.jobs.revive(job.id)  # parked, and killed before that was acted upon
        self._committer.commit()

    def _done(self) -> bool:
        """Whether no job is left and none will come."""
        if self._context.stop:
            return True
        if not (self._scheduler.done and self._pool.idle):
            return False
        twins, _ = self.archive.nulls.pending()
        return not twins and not self.archive.proposals.count_undecided()

    # -- steering ----------------------------------------------------------------------

    def halt(self, stop: Stop) -> None:
        """Stop: "drain" or "now"; never back from "now" to "drain"."""
        if self.stop != "now":
            self.stop = stop
        if stop == "now":
            self._pool.drop()
        self._context.notify()

    def pause(self, *, now: bool = False) -> bool:
        """Begin nothing new until `resume`, over restarts; `now` drops what is under way."""
        changed = self.archive.steering.order(self.run_id, "paused", True)
        self._context.pause("asked", ASKED)
        if now:
            self._pool.drop()
        return changed

    def resume(self) -> bool:
        """Take a pause that was asked for back."""
        changed = self.archive.steering.order(self.run_id, "paused", False)
        self.pauses.lift("asked")
        return changed

    def set_workers(self, workers: int) -> bool:
        """Keep so many evaluation processes from now on, over restarts."""
        changed = self.archive.steering.order(self.run_id, "workers", workers)
        self._keep(workers)
        self._context.notify()
        return changed

    def _keep(self, workers: int) -> None:
        self._pool.size = workers
        self._proposer.at_a_time = workers

    def drop(self, proposal_id: int) -> None:
        """Make nothing and carry out nothing more for a proposal that has ended."""
        for scope in self._context.making.get(proposal_id, ()):
            scope.cancel()

    def heard(self) -> None:
        """A person answered: decide what waited for that."""
        self._committer.commit()
        self._context.notify()

    def reload(self, settings: Settings) -> None:
        """Apply what may change during a run: limits, prices, approval, patience, workers."""
        context = self._context
        if settings.workers != context.settings.workers:
            self.set_workers(settings.workers)
        context.settings = settings
        context.budget.given(settings.to_json())
        self._proposer.renew(settings)
        context.pipeline.policy = Policy.of(settings.approve)
        context.notify()
