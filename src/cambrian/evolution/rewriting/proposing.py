"""Making variants: who the parents are, what is made of them, and recording it.

Everything here is a function of (seed, k) and of the archive as proposal k sees it, so that a
proposal that was interrupted is made again exactly as it would have been.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any
from zlib import crc32

import anyio
import numpy as np

from cambrian.agents.catalogue import catalogue
from cambrian.agents.edits import Edit, EditError, apply
from cambrian.agents.improvers.probe import probe_answer, probe_evidence, probe_tree
from cambrian.agents.tree import IMPROVER, SourceTree
from cambrian.archive import Archive, Proposal
from cambrian.archive.records import Rewriter
from cambrian.errors import InvalidAgent, SandboxBroken
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evolution.admission.leaving import in_turn, order_of
from cambrian.evolution.admission.stages import improver_hash
from cambrian.evolution.models.broker import Broker, Model, TokenBudget
from cambrian.evolution.models.roster.roster import Roster
from cambrian.evolution.rewriting.evidence import evidence
from cambrian.evolution.rewriting.knob_credit import KnobCredit
from cambrian.evolution.rewriting.likeness import fingerprints
from cambrian.evolution.rewriting.mending import Attempt
from cambrian.evolution.rewriting.operator_credit import Experience
from cambrian.evolution.rewriting.rewriting import NoVariant, Variant, by_model, by_recombination
from cambrian.evolution.rewriting.trying import Trier, keep_measured, untried
from cambrian.evolution.runtime.workers import (
    AskRefused,
    ImproverFailed,
    WorkerClient,
    WorkerFactory,
)
from cambrian.evolution.selection.selection import Selection
from cambrian.evolution.settings import Settings
from cambrian.evolution.sources import choosing
from cambrian.evolution.sources.sources import RECOMBINE, sources_of
from cambrian.evolution.timing import USUAL, Timing
from cambrian.failpoints import reach

TRIES = 5
SECOND = '"other"'
"""What the code of an improver names that is to be shown a second agent."""
TREES = 128
"""Parents' checked code kept at most."""
LONGEST_CHAIN = 5
"""Random search's proposals are 1 to this many recombinations in a row."""
EDITS = (0.65, 0.25, 0.1)
"""The chances that a proposal is one, two or three recombinations in a row."""
UNTRIED = 1e6
"""The weight of a mechanism that was never tried as far as a proposal sees: those go first."""

Outcome = Variant | NoVariant


def edits_in_a_row(seed: int, index: int, *, chained: bool) -> int:
    """How many edits proposal `index` of a run with this seed is made of.

    Args:
        chained: whether it is of random search, whose chains are longer.
    """
    rng = np.random.default_rng([seed, index, 1])
    if chained:
        return int(rng.integers(1, LONGEST_CHAIN + 1))
    return int(rng.choice(len(EDITS), p=EDITS)) + 1


class Proposer:
    """Makes and records the variants of a run."""

    def __init__(
        self,
        archive: Archive,
        run_id: int,
        settings: Settings,
        logs: Path,
        make_worker: WorkerFactory,
        token_budget: TokenBudget,
        model: Model | None = None,
        timing: Timing = USUAL,
    ) -> None:
        self.archive = archive
        self.run_id = run_id
        self.settings = settings
        self._logs = logs
        self._make_worker = make_worker
        self._token_budget = token_budget
        self._roster = Roster.of(settings, model)
        self._sources = sources_of(archive, settings)
        self._asked: dict[int, str] = {}  # the model of a proposal, by its number
        self._timing = timing
        versions = {name: benchmark(name).version for name in settings.benchmarks}
        self._selection = Selection(archive, settings.selection, versions)
        self._experience = Experience(archive)
        self._knobs = KnobCredit(archive)
        # An agent's code never changes, and good parents are drawn again and again.
        self._trees = lru_cache(TREES)(lambda one: SourceTree(archive.agents.files(one)))
        self._idle: list[WorkerClient] = []
        self._slots = anyio.CapacityLimiter(settings.workers)
        self.refused = 0
        self._hopeless: NoVariant | None = None  # why no question will be answered

    @property
    def at_a_time(self) -> int:
        """How many improvers run at the same time."""
        return int(self._slots.total_tokens)

    @at_a_time.setter
    def at_a_time(self, count: int) -> None:
        """Let so many improvers run side by side from now on."""
        self._slots.total_tokens = count

    # -- parents -----------------------------------------------------------------------

    def rewriter(self, index: int, seen_through: int) -> Rewriter:
        """What makes proposal `index`, as decided through another one."""
        source = self._sources.choose(index, seen_through)
        if source == RECOMBINE:
            return "recombine"
        self._asked[index] = source
        return "model"

    def _model_of(self, proposal: Proposal) -> str:
        """The model that a proposal is to ask: the one that it has asked already (in free order a
        choice cannot be made again), else as its index says."""
        names = self._roster.names
        known = self._asked.get(proposal.idx) or self.archive.ledger.asked(proposal.id)
        if known not in names:
            known = self._sources.choose(proposal.idx, proposal.seen_through)
        if known not in names:
            known = self._sources.choose(proposal.idx, proposal.seen_through, names)
        return known

    def parents(self, index: int, seen_through: int, rewriter: str) -> list[str]:
        """Two members (one where there is only one, or for a model), the better one first: a
        child of both is held against the better. An improver that asks for a second agent is
        shown one, and its child is held against the first."""
        rng = np.random.default_rng([self.settings.seed, index])
        count = 1 if rewriter == "model" else 2
        through = seen_through if self.settings.order == "fixed" else None
        drawn = [parent.agent_id for parent in self._selection.draw(through, count, rng, index)]
        if rewriter == "model" and SECOND in self.archive.agents.files(drawn[0]).get(IMPROVER, ""):
            both = self._selection.draw(through, 2, rng, index)
            drawn += [one.agent_id for one in both if one.agent_id != drawn[0]][:1]
        return drawn

    @property
    def _is_random(self) -> bool:
        return self.settings.selection == "random"

    def _steps(self, index: int) -> int:
        """How many edits a proposal is made of: a function of its index alone."""
        return edits_in_a_row(self.settings.seed, index, chained=self._is_random)

    # -- money -------------------------------------------------------------------------

    def used_up(self) -> str:
        """The limit that leaves no room for a question of some model (others may be free, and a
        run must end), in words; "" while there is room."""
        return next(filter(None, map(self._token_budget.used_up, self._roster.names)), "")

    def must_wait(self, making: int) -> bool:
        """Whether a question of one more proposal might find nothing left, depending on the
        `making` variants that are being made."""
        return any(self._token_budget.must_wait(name, making) for name in self._roster.names)

    def renew(self, settings: Settings) -> None:
        """Take what may change during a run of where models are and how they are asked."""
        self._roster.renew(settings.endpoints)

    # -- variants ----------------------------------------------------------------------

    async def prepare(self, proposal: Proposal) -> Outcome:
        """What takes time and may be done in any order."""
        try:
            if proposal.rewriter == "model":
                async with self._slots:
                    if self._hopeless is not None:
                        return self._hopeless
                    return await self._by_model(proposal)
            return await self._by_recombination(proposal, 0)
        except NoVariant as reason:
            if reason.misconfigured:
                self._hopeless = reason
            return reason

    async def record(self, proposal: Proposal, outcome: Outcome) -> None:
        """Store a prepared variant; with recombination, another is made while it is a duplicate."""
        self._asked.pop(proposal.idx, None)
        for attempt in range(1, TRIES):
            if proposal.rewriter == "model" or isinstance(outcome, NoVariant):
                break
            if not self._is_known(outcome.tree):
                break
            try:
                outcome = await self._by_recombination(proposal, attempt)
            except NoVariant as reason:
                outcome = reason
        if isinstance(outcome, NoVariant):
            self.refused = self.refused + 1 if outcome.unanswered else 0
            ending = {"end": outcome.end, "reason": str(outcome)[:2000]}
            self.archive.proposals.make_ready(proposal.id, ending)
            return
        self.refused = 0
        reach("variant.made")
        edit = outcome.edit
        fingerprint, learner = fingerprints(outcome.tree)
        with self.archive.transaction():
            recorded = self.archive.proposals.record_variant(
                proposal.id,
                outcome.tree.identity,
                outcome.tree,
                title=edit.title,
                hypothesis=edit.hypothesis,
                predicted_gain=edit.predicted_gain,
                confidence=edit.confidence,
                edit=edit.to_json(),
                operation=outcome.operation,
                parents=proposal.parents if outcome.crosses else proposal.parents[:1],
                stage="smoke",
                priority=proposal.idx,
                fingerprint=fingerprint,
                learner=learner,
            )
            if recorded == "proposed":
                now = self.archive.proposals.get(proposal.id)
                keep_measured(self.archive, now, outcome.measured)
        reach("variant.recorded")

    def _is_known(self, tree: SourceTree) -> bool:
        """Whether an agent of the archive is the same, or does the same."""
        agents = self.archive.agents
        return (
            agents.find(tree.identity) is not None or agents.twin(fingerprints(tree)[0]) is not None
        )

    async def _by_recombination(self, proposal: Proposal, attempt: int) -> Variant:
        trees = [self._trees(agent_id) for agent_id in proposal.parents]
        seed = f"{self.settings.seed}/{proposal.idx}/{attempt}"
        steps = self._steps(proposal.idx)
        if self._is_random:
            return await by_recombination(trees, seed, steps=steps)
        through = proposal.seen_through
        learned = self._knobs.learned(
            proposal.parents[0], through, crc32(seed.encode()), self.settings.tuning == "cmaes"
        )
        weights = self._learned(through)
        return await by_recombination(trees, seed, steps=steps, weights=weights, learned=learned)

    def _learned(self, through: int) -> dict[str, float]:
        """How likely each mechanism is to be picked, as the archive was decided through a
        proposal."""
        tried = self._experience.weights(through)
        return {name: tried.get(name, UNTRIED) for name in catalogue()}

    async def _by_model(self, proposal: Proposal) -> Variant:
        parent = self._trees(proposal.parents[0])
        name = self._model_of(proposal)
        model = self._roster.model(name, proposal.idx)
        broker = Broker(
            self.archive,
            model,
            budget=self._token_budget,
            proposal_id=proposal.id,
            timing=self._timing,
            gate=self._roster.gate(name),
        )
        if self._roster.spec(name).role == "choose":
            return await self._by_choice(proposal, broker)
        # Without an archive, each question is the same one about a seed agent.
        seen = replace(proposal, idx=0, seen_through=-1) if self._is_random else proposal
        learned = self._experience.weights(seen.seen_through)
        gains = self._experience.gains(seen.seen_through)
        tried = {name: len(found) for name, found in gains.items()}
        shown = evidence(
            self.archive,
            seen,
            self.settings.benchmarks,
            learned,
            tried,
            self.settings.evidence_tokens,
        )
        async with self._worker() as worker:

            async def improve(given: Mapping[str, Any]) -> dict[str, Any]:
                broker.cut = given.get("cut", ())
                return await worker.improve(parent, given, broker.ask)

            def tell(number: int, attempt: Attempt) -> None:
                changes = [(one.size, one.made) for one in attempt.changes] or [(0, False)]
                self.archive.questions.record_changes(
                    proposal.id, number, model.name, attempt.format, changes
                )

            def known(tree: SourceTree) -> str:
                return self._known(tree, seen.seen_through)

            order = order_of(in_turn(self.settings.benchmarks), proposal.idx)
            trier = Trier(self.archive, proposal, order, worker)
            try_out = trier if self.settings.device == "cpu" else untried
            made = await by_model(parent, shown, improve, known=known, tell=tell, try_out=try_out)
            return replace(made, measured=trier.of(made.tree), of_both=len(proposal.parents) > 1)

    async def _by_choice(self, proposal: Proposal, broker: Broker) -> Variant:
        """A recombination that a model picked, with what the optimisers know in sight."""
        through, parent = proposal.seen_through, proposal.parents[0]
        seed = f"{self.settings.seed}/{proposal.idx}/choice"
        cmaes = self.settings.tuning == "cmaes"
        state = choosing.State(
            learned=self._knobs.learned(parent, through, crc32(seed.encode()), cmaes),
            weights=self._learned(through),
            gains=self._experience.gains(through),
            score=self.archive.agents.get(parent).score,
        )

        def is_new(tree: SourceTree) -> bool:
            return not self._known(tree, through)

        return await choosing.by_choice(self._trees(parent), seed, state, broker.ask, is_new)

    def _known(self, tree: SourceTree, through: int) -> str:
        """Which agent, as decided through a proposal, does the same as a tree, in words."""
        twin = self.archive.agents.twin_through(fingerprints(tree)[0], through)
        if twin is None:
            return ""
        return (
            f"the edit makes an agent that does the same, up to names and formatting, as one that "
            f"was tried: {twin.title[:80]!r}, {twin.kind or twin.status}"
        )

    async def check_improver(self, worker: WorkerClient, files: Mapping[str, str]) -> None:
        """Find out whether an improver still makes a valid edit of what a scripted model says."""
        valid, detail = await self.try_improver(worker, files)
        reach("improver.judged")
        self.archive.ledger.record_improver_check(improver_hash(files), valid, detail)
        reach("improver.recorded")

    async def try_improver(
        self, worker: WorkerClient, files: Mapping[str, str]
    ) -> tuple[bool, str]:
        """Whether an improver makes a valid edit of what a scripted model says, and why not.

        Raises:
            SandboxBroken: it broke its sandbox, or hung in it.
        """

        async def scripted(messages: list[dict[str, str]]) -> str:
            return probe_answer()

        try:
            edit = Edit.from_json(await worker.improve(files, probe_evidence(), scripted))
            changed = apply(probe_tree(), edit).identity != probe_tree().identity
            return changed, "it made an edit" if changed else "its edit changes nothing"
        except ImproverFailed as error:
            if error.cause == "timeout":  # a busy host must not condemn it for ever
                raise SandboxBroken(f"the improver's check: {error}") from None
            return False, str(error)[:2000]
        except (EditError, InvalidAgent, AskRefused) as error:
            return False, str(error)[:2000]

    # -- workers for improvers ---------------------------------------------------------

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[WorkerClient]:
        worker = self._idle.pop() if self._idle else self._make_worker(self._logs / "improvers.log")
        try:
            yield worker
        except BaseException:
            await worker.close(now=True)
            raise
        else:
            if len(self._idle) >= self.at_a_time:
                await worker.close()
            else:
                self._idle.append(worker)

    async def __aenter__(self) -> Proposer:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self._idle:
            await worker.close()
        self._idle.clear()
