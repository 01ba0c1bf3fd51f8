"""A variant's way through the stages: smoke → screen → full → ready to be decided.

`advance` looks at what is recorded and does the one next thing. It may be called at any time, any
number of times: after a job, and after a restart for everything undecided, so that a kill between
two steps loses nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from cambrian.agents.improvers.probe import VERSION
from cambrian.agents.tree import SourceTree
from cambrian.archive import Archive, Evaluation, Gate, Job, Proposal
from cambrian.archive.tables.jobs import PARK_AFTER
from cambrian.archive.tables.steering import Approval
from cambrian.backoff import Backoff
from cambrian.evolution.admission import rules
from cambrian.evolution.admission.approval import Policy
from cambrian.evolution.admission.descriptors import Descriptors
from cambrian.evolution.admission.leaving import Leaving, forecast
from cambrian.evolution.admission.records import failures, missing, results_of, units
from cambrian.evolution.admission.results import RACE_SEEDS, Results
from cambrian.evolution.admission.rules import ArchiveState
from cambrian.evolution.admission.thresholds import NEW, AdmissionName, Rules
from cambrian.evolution.rewriting import likeness
from cambrian.evolution.runtime.seeding import Seeding
from cambrian.measurement import Unit

STAGES_OF_VARIANTS = ("smoke", "screen", "full")
RACE = "race-"
"""A job's stage is this and the number of seeds that a look of the race takes in."""


class StageMachine:
    """The rules by which a proposal moves on, over one archive."""

    def __init__(
        self,
        archive: Archive,
        benchmarks: Sequence[str],
        rules: Rules,
        policy: Policy,
        backoff: Backoff,
        admission: AdmissionName = "stepping-stones",
    ) -> None:
        self.archive = archive
        self.admission: AdmissionName = admission
        self.policy = policy
        self._backoff = backoff
        self.benchmarks = tuple(benchmarks)
        self.rules = rules
        self.seeding = Seeding(archive, benchmarks, backoff)
        self.leaving = Leaving(archive, benchmarks, rules, admission)
        self._descriptors = Descriptors(archive, benchmarks, self.results)
        self._elsewhere: tuple[int, int] | None = None

    # -- variants ----------------------------------------------------------------------

    def advance(self, proposal: Proposal) -> None:
        """Queue the next stage of a proposed variant, or make it ready to be decided."""
        if proposal.state != "proposed" or proposal.agent_id is None:
            return
        likeness.reuse(self.archive, proposal, self.benchmarks)
        for stage in STAGES_OF_VARIANTS:
            failed = failures(self.archive, proposal.agent_id, stage, self.benchmarks)
            if failed:
                self._failed(proposal, stage, failed[0])
                return
            if stage != "smoke" and self._leaves(proposal, stage):
                return
            if missing(
                self.archive, proposal.agent_id, units(self.archive, stage, self.benchmarks)
            ):
                if stage == "smoke" and self._is_screened(proposal):
                    continue
                self._queue(proposal, stage)
                return
            if stage == "screen" and self._answers_as_known(proposal):
                return
            if stage == "screen" and not self._passes_screen(proposal):
                return
        if not self._races(proposal):
            self.archive.proposals.make_ready(proposal.id, {"end": "judge"})

    def work(self, job: Job) -> list[tuple[str, list[Unit]]]:
        """Whom a job of evaluations has judged, on what; a look of a race needs the parent too."""
        agent_id, stage = str(job.agent_id), str(job.stage)
        if not stage.startswith(RACE):
            if job.proposal_id is not None and self._is_known(job):
                return []
            wanted = units(self.archive, stage, self._turned(job))
            return [(agent_id, missing(self.archive, agent_id, wanted))]
        assert job.proposal_id is not None
        parent = self.archive.proposals.get(job.proposal_id).parents[0]
        look = int(stage.removeprefix(RACE))
        return [(one, self._unraced(one, look)) for one in (agent_id, parent)]

    def _turned(self, job: Job) -> tuple[str, ...]:
        """The benchmarks in the order in which an agent meets them, which its place gives."""
        if job.proposal_id is None:
            place = self.archive.agents.get(str(job.agent_id)).number or 0
        else:
            place = self.archive.proposals.get(job.proposal_id).idx
        return self.leaving.order(place)

    def may_leave(self, job: Job) -> bool:
        """Whether whom a job judges may leave after any of its units: a variant, but not while it
        is tried out or raced."""
        return job.proposal_id is not None and job.stage in ("screen", "full")

    def leaves(self, job: Job) -> bool:
        """Whether the variant of a job need not be run on what is left of it."""
        if job.proposal_id is None or not self.may_leave(job):
            return False
        return self._outlook(self.archive.proposals.get(job.proposal_id)) is not None

    def _outlook(self, proposal: Proposal) -> Gate | None:
        if not self.rules.leaving:
            return None
        child, parent = str(proposal.agent_id), proposal.parents[0]
        return self.leaving.gate(
            proposal, results_of(self.archive, child), results_of(self.archive, parent)
        )

    def _forecast(self, proposal: Proposal) -> Gate | None:
        child, parent = str(proposal.agent_id), proposal.parents[0]
        return (
            forecast(self.archive, child, parent, self.benchmarks) if self.rules.leaving else None
        )

    def _leaves(self, proposal: Proposal, stage: str) -> bool:
        """Whether a variant is ready to be rejected before all its units were run."""
        gate = self._forecast(proposal) if stage == "screen" else None
        gate = gate or self._outlook(proposal)
        if gate is None:
            return False
        outcome = {"end": "reject", "reason": f"rejected early: {gate.gate}"}
        return self.archive.proposals.make_ready(proposal.id, outcome, [gate])

    def _is_screened(self, proposal: Proposal) -> bool:
        """Whether the screen is done already, as of results that were reused: seeds have no smoke
        stage."""
        wanted = units(self.archive, "screen", self.benchmarks)
        return not missing(self.archive, str(proposal.agent_id), wanted)

    def _is_known(self, job: Job) -> bool:
        """Whether a variant's stage need not be run, because its learner is a member's."""
        assert job.proposal_id is not None
        proposal = self.archive.proposals.get(job.proposal_id)
        likeness.reuse(self.archive, proposal, self.benchmarks)
        return job.stage == "smoke" and self._is_screened(proposal)

    def _races(self, proposal: Proposal) -> bool:
        """Queue the next look of a variant's race with its parent, if there is to be one. A parent
        that fails on a new seed ends the race where it is."""
        child, parent = str(proposal.agent_id), proposal.parents[0]
        if self._same_learner(proposal):
            return False  # it would be raced with itself
        failed, its = (
            failures(self.archive, one, "race", self.benchmarks) for one in (child, parent)
        )
        if failed:
            self._failed(proposal, "race", failed[0])
            return True
        if its:
            return False
        mine, theirs = (results_of(self.archive, one) for one in (child, parent))
        look = rules.more_seeds(mine, theirs, self.benchmarks, self.rules)
        if look is None or not any(self._unraced(one, look) for one in (child, parent)):
            return False
        self._queue(proposal, f"{RACE}{look}")
        return True

    def _unraced(self, agent_id: str, look: int) -> list[Unit]:
        """What an agent has not been run on, of the seeds that a look takes in."""
        wanted = [
            u for u in units(self.archive, "race", self.benchmarks) if u.seed in RACE_SEEDS[:look]
        ]
        return missing(self.archive, agent_id, wanted)

    def park(self, proposal: Proposal, error: str) -> None:
        """Our machine broke too often on this variant; it does not count against it."""
        outcome = {"end": "parked", "reason": f"the sandbox broke repeatedly: {error}"}
        self.archive.proposals.make_ready(proposal.id, outcome)

    def unchecked_improver(self, proposal: Proposal) -> str | None:
        """The hash of a variant's improver if it is not known yet whether it works."""
        name = improver_hash(self.archive.agents.files(str(proposal.agent_id)))
        return None if self.archive.ledger.improver_check(name) else name

    def _queue(self, proposal: Proposal, stage: str) -> None:
        """Queue a stage; one that was carried out, and left something undone all the same (a rule
        has changed since, or nothing could be recorded), again, up to the cap."""
        jobs = self.archive.jobs
        job = jobs.queue(
            "evaluate",
            run_id=proposal.run_id,
            proposal_id=proposal.id,
            agent_id=proposal.agent_id,
            stage=stage,
            priority=proposal.idx,
        )
        if job.state == "done":
            error = "it was carried out, and left something undone"
            delay_s = self._backoff.after(job.attempts)
            job = jobs.repeat(job.id, error, park_after=PARK_AFTER, delay_s=delay_s)
            if job.state == "parked":
                self.park(proposal, error)

    def _failed(self, proposal: Proposal, stage: str, row: Evaluation) -> None:
        gate = Gate(
            gate=stage,
            rule="the learner runs without failing",
            verdict="fail",
            detail=f"{row.benchmark}, seed {row.seed}: {row.reason}"[:2000],
        )
        end = "failed_smoke" if stage == "smoke" else "reject"
        reason = f"failed on {row.benchmark} in the {stage} stage"
        self.archive.proposals.make_ready(proposal.id, {"end": end, "reason": reason}, [gate])

    def _passes_screen(self, proposal: Proposal) -> bool:
        """Whether a variant that the screen did not send away has an improver that works; if not,
        it is ready to be rejected.

        The improver is tried only if its code has not been before.
        """
        if self._was_screened(proposal):
            return True
        if self.unchecked_improver(proposal):
            self._queue(proposal, "improver")
            return False
        gates = [self._screen(proposal), self.improver_gate(proposal)]
        if all(gate.verdict == "pass" for gate in gates):
            self.archive.proposals.keep_gates(proposal.id, gates)
            return True
        reason = next(gate for gate in gates if gate.verdict == "fail").gate
        outcome = {"end": "reject", "reason": f"rejected early: {reason}"}
        self.archive.proposals.make_ready(proposal.id, outcome, gates)
        return False

    def _answers_as_known(self, proposal: Proposal) -> bool:
        """Whether a variant ends as a duplicate, because a known agent with the same improver
        answered the whole screen as it did. One with another improver takes the results over."""
        child = str(proposal.agent_id)
        known = likeness.answers_as(self.archive, proposal, self.benchmarks)
        if known is None:
            return False
        mine, its = (improver_hash(self.archive.agents.files(one)) for one in (child, known))
        same = mine == its
        gate = Gate(
            gate="answers",
            rule="the learner answers the screen otherwise than every known one, or for less than "
            f"{likeness.CHEAPER:.0%} of its FLOPs, or the improver is another",
            verdict=rules.verdict(not same),
            detail=f"the same answers as {known} on {', '.join(self.benchmarks)}",
        )
        if same:
            outcome = {"end": "duplicate", "reason": f"it answers as {known} does"}
            return self.archive.proposals.make_ready(proposal.id, outcome, [gate])
        self.archive.proposals.keep_gates(proposal.id, [gate])
        likeness.take_over(self.archive, child, known, self.benchmarks)
        return False

    def _was_screened(self, proposal: Proposal) -> bool:
        """Whether the screen's gates were looked at, and passed."""
        kept = {gate.gate: gate.verdict for gate in self.archive.gates(proposal_id=proposal.id)}
        return kept.get("screen") == kept.get("improver") == "pass"

    def _screen(self, proposal: Proposal) -> Gate:
        child = results_of(self.archive, str(proposal.agent_id))
        parent = self.results(proposal.parents[0])
        return self.leaving.passed(proposal, child, parent)

    def improver_gate(self, proposal: Proposal) -> Gate:
        """Whether the variant's improver still produces a valid edit against a scripted model."""
        name = improver_hash(self.archive.agents.files(str(proposal.agent_id)))
        check = self.archive.ledger.improver_check(name)
        return Gate(
            gate="improver",
            rule="the improver produces a valid edit against a scripted model",
            verdict=rules.verdict(check is not None and check.valid),
            detail=check.detail if check else "not checked",
        )

    # -- decisions ---------------------------------------------------------------------

    def resolve(self, proposal: Proposal) -> bool:
        """Come to a ready proposal's decision and have it recorded; everything decided before it is
        known now.

        Returns:
            False if nothing was decided, because a person has to be heard first.
        """
        outcome: Mapping[str, Any] = proposal.outcome
        gates = [Gate(**gate) for gate in outcome.get("gates", ())]  # of an older Cambrian
        reason = str(outcome.get("reason", ""))
        end = outcome["end"]
        if end == "judge":
            return self._judge(proposal)
        if end == "reject":
            self.archive.proposals.record(proposal.id, None, reason, gates)
        else:
            self.archive.proposals.close(proposal.id, end, reason, gates)
        return True

    def _judge(self, proposal: Proposal) -> bool:
        approval = self.archive.steering.approval(proposal.id)
        if approval is not None and approval.state == "waiting":
            return False
        child = results_of(self.archive, str(proposal.agent_id))
        # A member's first five seeds never change, but it may have been raced since.
        raced = self.rules.seeds == "raced"
        its = proposal.parents[0]
        parent = results_of(self.archive, its) if raced else self.results(its)
        decision = rules.judge(
            child,
            parent,
            self.benchmarks,
            self._standing(),
            self.rules,
            same_learner=self._same_learner(proposal),
            admission=self.admission,
        )
        estimate = child.estimate(self.benchmarks, child.search)
        gates = list(decision.gates)
        if not self._was_screened(proposal):  # by an older Cambrian
            gates = [self._screen(proposal), self.improver_gate(proposal), *gates]
        kind, reason = decision.kind, decision.reason
        if kind is not None and approval is None:
            why = self.policy.why(self.archive, estimate.lower)
            if why:
                self.archive.proposals.keep_gates(proposal.id, gates)
                self.archive.steering.ask_approval(proposal.id, why, kind)
                return False
        if kind is not None and approval is not None:
            gates.append(_heard(approval))
            if approval.state == "rejected":
                kind, reason = None, f"rejected by a person: {approval.reason or 'no reason given'}"
        self.archive.proposals.record(
            proposal.id,
            kind,
            reason,
            gates,
            score=estimate.mean,
            lower=estimate.lower,
            upper=estimate.upper,
            vector=child.vector(self.benchmarks, child.search),
        )
        return True

    def _same_learner(self, proposal: Proposal) -> bool:
        """Whether a variant learns as its parent does: by its code, or by its answers."""
        child, its = str(proposal.agent_id), proposal.parents[0]
        return likeness.same_learner(self.archive, child, its) or likeness.same_answers(
            self.archive, child, its, self.benchmarks
        )

    def _standing(self) -> ArchiveState:
        proposals, reasons = self.archive.proposals, (NEW, rules.SAME_LEARNER)
        if self._elsewhere is None:  # no run of another suite goes on meanwhile
            self._elsewhere = proposals.admitted_elsewhere(reasons)
        admitted = self.archive.counts()["admitted"] - self._elsewhere[0]
        novel = sum(map(proposals.count_admitted, reasons)) - self._elsewhere[1]
        return ArchiveState(self._descriptors.neighbours(), admitted, novel)

    def results(self, agent_id: str) -> Results:
        """A member's results."""
        return results_of(self.archive, agent_id)


def _heard(approval: Approval) -> Gate:
    """A person's word as a gate."""
    return Gate(
        gate="approval",
        rule=f"a person approves: {approval.why}",
        verdict=rules.verdict(approval.state == "approved"),
        detail=f"{approval.state} by {approval.answered_by}"
        + (f": {approval.reason}" if approval.reason else ""),
    )


def improver_hash(files: Mapping[str, str]) -> str:
    """What tells an agent's improver, and all that it imports, from another; and the question that
    it is tried with from an older one."""
    tree = files if isinstance(files, SourceTree) else SourceTree(files)
    return hashlib.sha256(f"probe {VERSION}\0{tree.improver_hash}".encode()).hexdigest()
