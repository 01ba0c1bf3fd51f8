"""Proposals: numbered attempts at a child, from the draw of parents to the decision.

::

    open ──> proposed ──> ready ──> admitted | rejected                          (judged)
      └────────┴────────────┴─────> duplicate | invalid | failed_smoke | parked  (closed)

Proposal *k* is the *k*-th of the archive, and a smaller index wins: where two proposals arrive
at the same code before either is decided, the code belongs to the smaller one, whichever worker
was faster. Otherwise the tree would depend on the number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from cambrian.archive.records import UNJUDGED, Agent, Gate, Proposal, ProposalState, Rewriter
from cambrian.archive.sqlite.database import Database, encode
from cambrian.archive.tables.agents import Agents
from cambrian.archive.tables.clades import Nodes
from cambrian.archive.tables.gates import Gates
from cambrian.archive.tables.jobs import Jobs
from cambrian.archive.tables.proposal_rows import ProposalRows
from cambrian.archive.tables.steering import Steering
from cambrian.errors import Refused, UsageError
from cambrian.failpoints import reach


class Proposals(ProposalRows):
    """The verbs on proposals: opened, recorded, made ready, decided or closed."""

    def __init__(
        self,
        database: Database,
        agents: Agents,
        jobs: Jobs,
        nodes: Nodes,
        gates: Gates,
        steering: Steering,
    ) -> None:
        super().__init__(database)
        self._agents = agents
        self._jobs = jobs
        self._gates = gates
        self._nodes = nodes
        self._steering = steering

    def open(
        self,
        run_id: int,
        idx: int,
        seen_through: int,
        parents: Sequence[str],
        rewriter: Rewriter,
    ) -> Proposal:
        """Open proposal `idx`; if it is open already, what is recorded is returned unchanged.

        Raises:
            UsageError: `idx` leaves a gap, or there are no, equal or more than two parents.
            Refused: a parent is no member of the tree.
        """
        database = self._database
        with database.transaction():
            if (known := self.at(idx)) is not None:
                return known
            self._check_opening(idx, seen_through, parents)
            row = database.change(
                "INSERT INTO proposals (run_id, idx, seen_through, rewriter, state, parents, "
                "created_at) VALUES (?, ?, ?, ?, 'open', ?, ?) RETURNING *",
                (run_id, idx, seen_through, rewriter, encode(list(parents)), database.now()),
            )
            assert row is not None
            proposal = Proposal.of(row)
            if (kept := self._known.known("")) is not None:
                kept.undecided[idx], kept.following = proposal, idx + 1
            database.event("proposal.opened", proposal_id=proposal.id, idx=idx, seen=seen_through)
        return proposal

    def _check_opening(self, idx: int, seen_through: int, parents: Sequence[str]) -> None:
        following = self.under_way().following
        if idx != following:
            raise UsageError(f"expected the next index, {following}, got {idx}")
        if not -1 <= seen_through < idx:
            raise UsageError(f"expected to see through -1..{idx - 1}, got {seen_through}")
        if not 1 <= len(parents) <= 2 or len(set(parents)) != len(parents):
            raise UsageError(f"expected one parent or two different ones, got {list(parents)}")
        for parent_id in parents:
            status = self._agents.get(parent_id).status
            if status not in ("seed", "admitted"):
                raise Refused(f"expected a member as parent, but {parent_id} is {status}")

    def record_variant(
        self,
        proposal_id: int,
        agent_id: str,
        files: Mapping[str, str],
        *,
        title: str,
        hypothesis: str,
        predicted_gain: float | None = None,
        confidence: float | None = None,
        edit: Any = None,
        operation: Any = None,
        stage: str,
        parents: Sequence[str] | None = None,
        payload: Any = None,
        priority: int = 0,
        fingerprint: bytes | None = None,
        learner: bytes | None = None,
    ) -> Literal["proposed", "duplicate"]:
        """Record what the rewriter made, and queue the evaluation of its first `stage`.

        An agent that is new becomes a candidate with this proposal's parents. One that is known
        makes this proposal a duplicate, with two exceptions in which the code passes to this
        proposal with all evaluations it has: an undecided proposal with a larger index had it
        (that one becomes the duplicate), or it was parked because our machine broke.

        New text that does what a known agent does (`fingerprint`) is kept as an agent of its own,
        which is rejected when the proposal has its turn and ends as a duplicate.

        Recording the same variant again returns what was returned before.

        Args:
            parents: those that the variant really comes from, the primary one first; None for
                all that were drawn.
            fingerprint, learner: of its code and of its learner's; None where they are not known.

        Raises:
            Refused: the proposal is terminal, or holds another variant.
        """
        texts = {"title": title, "hypothesis": hypothesis, "predicted_gain": predicted_gain}
        texts |= {"confidence": confidence, "edit": edit, "operation": operation}
        with self._database.transaction():
            if (proposal := self.get(proposal_id)).agent_id == agent_id:
                return "duplicate" if _is_duplicate(proposal) else "proposed"
            self._require(proposal, "open")
            line = proposal.parents if parents is None else tuple(parents)
            if self._is_known(proposal, agent_id, files, texts, line, fingerprint, learner):
                return "duplicate"
            self._set(proposal, agent_id=agent_id, state="proposed", **texts)
            self._database.event("proposal.proposed", proposal_id=proposal_id)
            self._jobs.queue(
                "evaluate",
                run_id=proposal.run_id,
                proposal_id=proposal_id,
                agent_id=agent_id,
                stage=stage,
                payload=payload,
                priority=priority,
            )
        return "proposed"

    def _is_known(
        self,
        proposal: Proposal,
        agent_id: str,
        files: Mapping[str, str],
        texts: Mapping[str, Any],
        parents: Sequence[str],
        fingerprint: bytes | None,
        learner: bytes | None,
    ) -> bool:
        """Make the code this proposal's candidate, unless it, or code that does the same, is known
        already: then the proposal ends, or will end, as a duplicate."""
        prints = {"fingerprint": fingerprint, "learner": learner}
        twin = self._twin(agent_id, fingerprint)
        title, why = str(texts["title"]), str(texts["hypothesis"])
        if not self._claim(proposal, agent_id, files, title, why, parents, prints):
            self._set(proposal, agent_id=agent_id, **texts)
            first = self._agents.twin(fingerprint) if fingerprint else None
            same = agent_id if first is None else first.id  # which may be a duplicate itself
            self.close(proposal.id, "duplicate", f"the same code as {same}")
            return True
        reach("variant.inside")
        if twin is None:
            return False
        self._set(proposal, agent_id=agent_id, **texts)
        reason = f"the same code as {twin.id} but for comments, layout or notes"
        self.make_ready(proposal.id, {"end": "duplicate", "reason": reason})
        return True

    def _twin(self, agent_id: str, fingerprint: bytes | None) -> Agent | None:
        """Of new text, the agent that does the same."""
        if fingerprint is None or self._agents.find(agent_id) is not None:
            return None
        return self._agents.twin(fingerprint)

    def _claim(
        self,
        proposal: Proposal,
        agent_id: str,
        files: Mapping[str, str],
        title: str,
        why: str,
        parents: Sequence[str],
        prints: Mapping[str, bytes | None],
    ) -> bool:
        """Make the code this proposal's candidate; False if it belongs to another."""
        columns = {
            "title": title,
            "hypothesis": why,
            "run_id": proposal.run_id,
            "proposal_id": proposal.id,
            "proposal_index": proposal.idx,
        }
        known = self._agents.find(agent_id)
        if known is None:
            row = {**columns, **prints, "status": "candidate"}
            self._agents.insert(agent_id, files, parents, row)
            return True
        if not self._passes_on(known, proposal):
            return False
        owner = self.get(cast(int, known.proposal_id))
        self._agents.set(agent_id, **columns)
        self._agents.set_parents(agent_id, parents)
        if not owner.terminal:
            self.close(owner.id, "duplicate", f"the same code as that of proposal {proposal.idx}")
        return True

    def _passes_on(self, known: Agent, proposal: Proposal) -> bool:
        if known.status != "candidate" or known.proposal_id is None:
            return False
        owner = self.get(known.proposal_id)
        if owner.state in ("parked", "invalid"):  # it was never judged
            return True
        return not owner.terminal and owner.idx > proposal.idx

    def keep_gates(self, proposal_id: int, gates: Sequence[Gate]) -> None:
        """Keep gates when they are looked at; `record` adds the last ones, and says what follows.

        A gate that is looked at again takes the place that it has.
        """
        with self._database.step():
            self._gates.keep(proposal_id, gates)

    def make_ready(self, proposal_id: int, outcome: Any, gates: Sequence[Gate] = ()) -> bool:
        """Store what the decision needs; the scheduler decides in order of the index.

        The first outcome stays, so that a worker that repeats itself after a kill changes
        nothing. Returns False if the proposal was ready or terminal before.

        Args:
            gates: those that this outcome comes from, beside the ones that are kept already.
        """
        with self._database.step():
            proposal = self.get(proposal_id)
            if proposal.state not in ("open", "proposed"):
                return False
            self._gates.keep(proposal_id, gates)
            self._set(proposal, state="ready", outcome=outcome)
            self._database.event("proposal.ready", proposal_id=proposal_id)
        return True

    def record(
        self,
        proposal_id: int,
        kind: Literal["improvement", "stepping_stone"] | None,
        reason: str,
        gates: Sequence[Gate],
        *,
        score: float | None = None,
        lower: float | None = None,
        upper: float | None = None,
        vector: Mapping[str, float] | None = None,
    ) -> Agent:
        """Record the decision: the candidate is admitted as one of two kinds, or rejected (`kind`
        None).

        Args:
            gates: those looked at last, beside the ones that are kept already.
            score: mean normalised score on the full stage; None where it did not get there.
            lower, upper: its interval.
            vector: the means by benchmark that the score is made of.

        Raises:
            Refused: it was decided before, or has no candidate.
            UsageError: an admission without gates or without a score.
        """
        if kind is not None and not (gates and _finite(score) and _finite(lower)):
            raise UsageError(
                f"expected gates, a finite score and lower bound for an admission, got "
                f"{len(gates)} gates, {score} and {lower}"
            )
        with self._database.transaction():
            proposal = self.get(proposal_id)
            self._require(proposal, "proposed", "ready")
            if proposal.agent_id is None:
                raise Refused(f"proposal {proposal.idx} has no candidate; close it instead")
            state: ProposalState = "rejected" if kind is None else "admitted"
            self._agents.set(
                proposal.agent_id,
                status=state,
                kind=kind,
                number=self._agents.next_number(),
                score=score,
                lower=lower,
                upper=upper,
                decided_at=self._database.now(),
            )
            reach("decision.inside")
            self._agents.keep_score(proposal.agent_id, vector or {})
            self._nodes.decided(proposal.agent_id)
            self._end(proposal, state, reason, gates, kind=kind, score=score, lower=lower)
        return self._agents.get(proposal.agent_id)

    def close(
        self, proposal_id: int, state: ProposalState, reason: str, gates: Sequence[Gate] = ()
    ) -> Proposal:
        """End a proposal without a judgement. Closing it again as the same changes nothing.

        A candidate that failed the smoke stage, or does what a known agent does, becomes a rejected
        agent. One that is parked stays a candidate: our machine broke, and that never counts
        against the agent. What waited for a person's word waits no more, and what was looked at is
        forgotten, for nothing was decided by it, but for a smoke failure and a duplicate that was
        found out by its answers.

        Raises:
            UsageError: `state` is not duplicate, invalid, failed_smoke or parked.
            Refused: it was decided before.
        """
        if state not in UNJUDGED:
            raise UsageError(f"expected one of {sorted(UNJUDGED)}, got {state!r}")
        with self._database.transaction():
            proposal = self.get(proposal_id)
            if proposal.state == state:
                return proposal
            self._require(proposal, "open", "proposed", "ready")
            found_out = state == "duplicate" and (proposal.outcome or {}).get("end") == state
            if state != "failed_smoke" and not found_out:
                self._gates.forget(proposal_id)
            agent = self._agents.find(proposal.agent_id or "")
            own = agent is not None and agent.proposal_id == proposal_id
            if agent is not None and own and state in ("failed_smoke", "duplicate"):
                self._agents.set(
                    agent.id,
                    status="rejected",
                    number=self._agents.next_number(),
                    decided_at=self._database.now(),
                )
                self._nodes.decided(agent.id)
            self._end(proposal, state, reason, gates)
        return self.get(proposal_id)

    def reopen(self, proposal_id: int) -> Proposal:
        """Judge a parked proposal after all: its parked jobs are queued again, from the start.

        Raises:
            Refused: it is not parked, or its code, or what does the same, is another proposal's by
                now.
        """
        with self._database.transaction():
            proposal = self.get(proposal_id)
            self._require(proposal, "parked")
            agent = self._agents.find(proposal.agent_id or "")
            if agent is None or agent.proposal_id != proposal_id or agent.status != "candidate":
                raise Refused(f"the code of proposal {proposal.idx} is another proposal's by now")
            twin = self._agents.twin_of(agent.id)
            if twin is not None:
                raise Refused(
                    f"proposal {proposal.idx} does the same as {twin.id}, which was judged"
                )
            self._set(proposal, state="proposed", outcome=None, reason=None, decided_at=None)
            self._database.event("proposal.reopened", proposal_id=proposal_id)
            for job in self._jobs.of(proposal_id=proposal_id):
                self._jobs.revive(job.id)
        return self.get(proposal_id)

    def _end(
        self,
        proposal: Proposal,
        state: ProposalState,
        reason: str,
        gates: Sequence[Gate],
        **data: Any,
    ) -> None:
        database = self._database
        self._set(proposal, state=state, reason=reason, decided_at=database.now())
        self._gates.keep(proposal.id, gates)
        self._jobs.cancel_queued(proposal.id)
        self._steering.withdraw(proposal.id)
        database.event(
            f"proposal.{state}",
            proposal_id=proposal.id,
            idx=proposal.idx,
            reason=reason,
            **data,
        )


def _is_duplicate(proposal: Proposal) -> bool:
    """Whether it ended as a duplicate, or will when it has its turn."""
    outcome = proposal.outcome
    waits = isinstance(outcome, Mapping) and outcome.get("end") == "duplicate"
    return proposal.state == "duplicate" or (proposal.state == "ready" and waits)


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
