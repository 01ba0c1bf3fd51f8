"""Opening proposals in order, as far ahead as the lag allows, and making their variants."""

from __future__ import annotations

import sys

import anyio

from cambrian.archive import Proposal
from cambrian.errors import CambrianError, Refused, SandboxBroken, Unreachable
from cambrian.evolution.rewriting.proposing import Outcome, Proposer
from cambrian.evolution.rewriting.rewriting import NoVariant
from cambrian.evolution.runtime.commit import Committer
from cambrian.evolution.runtime.context import RunContext
from cambrian.evolution.runtime.outage import OutageMonitor
from cambrian.evolution.settings import LAG
from cambrian.failpoints import reach

PREPARATIONS = 5


class ProposalScheduler:
    """Opens proposals and has their variants made.

    Attributes:
        ended_by: the limit that ended the run, in words.
        done: whether no proposal will be opened any more.
    """

    def __init__(
        self, context: RunContext, proposer: Proposer, committer: Committer, outages: OutageMonitor
    ) -> None:
        self._context = context
        self._proposals = context.archive.proposals
        self._proposer = proposer
        self._committer = committer
        self._outages = outages
        self._recorded: dict[int, anyio.Event] = {}
        self._left_open = sys.maxsize
        self._making = 0
        self.ended_by = ""
        self.done = False

    async def open_all(self) -> None:
        """Open proposals until the run's end."""
        context = self._context
        while not self._seeds_settled():
            if context.stop:
                return
            await context.changed()
        async with anyio.create_task_group() as tasks, self._proposer:
            index = self._first_unrecorded()
            self._mark_recorded(index - 1)
            while not context.stop:
                if self._is_ahead(index):
                    await context.changed()
                    continue
                if self._over(index):
                    break
                if context.pauses or self._must_wait(index):
                    await context.changed()
                    continue
                proposal = self._open(index)
                reach("proposal.opened")
                if proposal.state == "open":
                    self._making += 1
                    tasks.start_soon(self._propose, proposal)
                else:  # recorded before a kill, out of order
                    self._mark_recorded(index)
                index += 1
                await anyio.sleep(0)
            if context.stop == "now":
                tasks.cancel_scope.cancel()
        self.done = True
        context.notify()

    def _seeds_settled(self) -> bool:
        """Whether every seed agent was judged; the run is given up if none of them works."""
        try:
            return self._context.pipeline.seeding.settled()
        except CambrianError as error:
            self._context.give_up(error)
            return False

    def _first_unrecorded(self) -> int:
        for proposal in self._proposals.undecided():
            if proposal.state == "open":
                return proposal.idx
        return self._context.archive.counts()["proposals"]

    def _over(self, index: int) -> bool:
        """Whether the run's end is reached, so that proposal `index` is not opened any more."""
        if self._proposals.at(index) is not None:
            return False  # opened before a kill: it is carried through
        under_way = self._proposals.count_undecided()
        self.ended_by = self._context.budget.used_up(self._context.wall_s, under_way)
        if not self.ended_by and not self._making:  # what is being made may leave some over
            self.ended_by = self._proposer.used_up()
        if self.ended_by and not self.ended_by.endswith(" proposals are used up"):
            self._context.tell(f"{self.ended_by}: no more proposals")  # else it is as was planned
        return bool(self.ended_by)

    def _is_ahead(self, index: int) -> bool:
        """Whether something must be decided before proposal `index` is opened: the lag."""
        return index - LAG > self._proposals.decided_through()

    def _must_wait(self, index: int) -> bool:
        """Whether proposal `index` would perhaps be over a limit (which it may not be, if what is
        under way turns out to be duplicates)."""
        if self._proposals.at(index) is not None:
            return False
        undecided = self._proposals.count_undecided()
        return self._context.budget.must_wait(undecided) or self._proposer.must_wait(self._making)

    def _open(self, index: int) -> Proposal:
        known = self._proposals.at(index)
        if known is not None:
            return known
        settings = self._context.settings
        seen = max(-1, index - LAG) if settings.order == "fixed" else index - 1
        rewriter = self._proposer.rewriter(index, seen)
        parents = self._proposer.parents(index, seen, rewriter)
        nulls = self._context.nulls
        if nulls.due(index) and self._context.budget.has_room(
            self._proposals.count_undecided(), nulls.cost()
        ):
            nulls.open(index, seen)
        return self._proposals.open(self._context.run_id, index, seen, parents, rewriter)

    # -- one variant -------------------------------------------------------------------

    async def _propose(self, proposal: Proposal) -> None:
        """Make proposal k's variant, and record it after proposal k − 1's."""
        context = self._context
        variant: Outcome | None = None
        with anyio.CancelScope() as making:
            context.making[proposal.id] = {making}
            try:
                variant = await self._prepared(proposal)
            finally:
                self._making -= 1
                context.notify()
            if variant is None or not await self._has_its_turn(proposal.idx):
                self._left_open = min(self._left_open, proposal.idx)
                return  # told to stop; the proposal stays open
            try:
                await self._proposer.record(proposal, variant)
            except Refused:
                if not making.cancel_called:  # given up while this was on its way
                    raise
        context.making.pop(proposal.id, None)
        self._mark_recorded(proposal.idx)
        self._committer.commit()
        refusals = context.timing.refusals
        if self._proposer.refused >= refusals:
            context.give_up(Unreachable(f"{refusals} questions in a row failed; {variant}"))
        context.notify()

    async def _has_its_turn(self, index: int) -> bool:
        """Wait for proposal `index` − 1, where the order is fixed; False if that was left open."""
        if self._context.settings.order != "fixed":
            return True
        before = self._recorded_event(index - 1)
        while not before.is_set() and self._left_open >= index:
            with anyio.move_on_after(1.0):
                await before.wait()
        return before.is_set()

    def _recorded_event(self, index: int) -> anyio.Event:
        return self._recorded.setdefault(index, anyio.Event())

    def _mark_recorded(self, index: int) -> None:
        self._recorded_event(index).set()
        self._recorded.pop(index - 2 * LAG, None)

    async def _prepared(self, proposal: Proposal) -> Outcome | None:
        """The variant; tried again where the sandbox broke, and given up if it goes on breaking.

        None if the run was told to stop while it could not be made.
        """
        context, breaks = self._context, 0
        for attempt, wait_s in enumerate(context.timing.looks.waits()):
            await self._unpaused()
            if context.stop and attempt:
                return None
            try:
                outcome = await self._proposer.prepare(proposal)
            except SandboxBroken as broke:
                if not await self._outages.is_healthy(str(broke), self._outages.improver_works):
                    continue
                breaks += 1
                context.tell(f"the sandbox broke (attempt {breaks}): {broke}")
                if breaks == PREPARATIONS:
                    return self._without(proposal, broke)
                await anyio.sleep(context.timing.jobs.after(breaks))
                continue
            if isinstance(outcome, NoVariant) and outcome.misconfigured:
                context.give_up(Unreachable(str(outcome)))
                return None
            if not (isinstance(outcome, NoVariant) and outcome.down):
                context.pauses.lift("endpoint")
                return outcome
            if context.out_of_patience("endpoint"):
                context.give_up(Unreachable(str(outcome)))
            if context.stop:
                return None
            context.pause("endpoint", str(outcome))
            await self._wait(max(wait_s, outcome.wait_s))
        raise AssertionError("waits() has no end")

    def _without(self, proposal: Proposal, broke: SandboxBroken) -> NoVariant:
        """No variant: its parent's improver breaks, and a seed agent's does not."""
        parent = proposal.parents[0]
        if self._outages.is_a_seeds_improver(self._context.archive.agents.files(parent)):
            return NoVariant(str(broke), end="parked")
        return NoVariant(
            f"the improver of {parent[:10]} broke its sandbox {PREPARATIONS} times, and a seed "
            f"agent's did not: {broke}"
        )

    async def _unpaused(self) -> None:
        """Wait until nothing but the endpoint (which only asking again can tell) is down."""
        while not self._context.stop and set(self._context.pauses.texts()) - {"endpoint"}:
            await self._context.changed()

    async def _wait(self, seconds: float) -> None:
        """Sleep, but not past a stop or the end of the pause."""
        with anyio.move_on_after(seconds):
            while not self._context.stop and "endpoint" in self._context.pauses:
                await self._context.changed()
