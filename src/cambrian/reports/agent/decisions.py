"""Why an agent is what it is: the decision on its proposal, gate by gate, and its ancestors."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cambrian.errors import NotFound, UsageError
from cambrian.reports.agents import agent_json

if TYPE_CHECKING:
    from cambrian.archive import Agent, Archive, Gate, Proposal
    from cambrian.archive.suites import KeptSuite


@dataclass(frozen=True)
class Decision:
    """What was decided on a proposal, and why.

    Attributes:
        agent: None where the proposal made none.
        proposal: None for a seed agent, which has none.
        gates: in the order in which they were passed.
        text: the decision in one sentence of untrusted text.
        suite: the suite by which it was decided, if that is not the current one.
    """

    agent: Agent | None
    proposal: Proposal | None
    gates: tuple[Gate, ...]
    text: str
    suite: KeptSuite | None = None

    def to_json(self) -> dict[str, Any]:
        """Agent, proposal, decision, gates, and the hash of the suite if it is not the current
        one."""
        reason = self.proposal.reason if self.proposal else None
        return {
            "agent": self.agent and agent_json(self.agent, reason),
            "proposal": self.proposal and _proposal_json(self.proposal),
            "decision": self.text,
            "suite": self.suite and self.suite.suite.hash,
            "gates": [asdict(gate) for gate in self.gates],
        }


def decision_on(
    archive: Archive, agent_id: str | None = None, *, proposal: int | None = None
) -> Decision:
    """The decision on an agent, by any reference to it, or on proposal number `proposal`.

    Raises:
        UsageError: not exactly one of the two is given.
        NotFound: there is no such agent or proposal.
    """
    agent, found = _subject(archive, agent_id, proposal)
    gates = [] if found is None else archive.gates(proposal_id=found.id)
    decider = None if found is None else archive.suites.decider(found.run_id)
    other = None if decider is None or decider.current else decider
    text = said(agent, found) + _failed(archive, agent)
    return Decision(agent, found, tuple(gates), text, other)


def _subject(
    archive: Archive, agent_id: str | None, index: int | None
) -> tuple[Agent | None, Proposal | None]:
    """The agent and the proposal that are asked for; a seed agent has no proposal."""
    if (agent_id is None) == (index is None):
        raise UsageError("expected either an agent's ID or --proposal K")
    if index is not None:
        proposal = archive.proposals.at(index)
        if proposal is None:
            last = archive.counts()["proposals"] - 1
            raise NotFound(f"expected a proposal from 0 to {last}, got {index}")
        return (archive.agents.find(proposal.agent_id) if proposal.agent_id else None), proposal
    agent = archive.agents.get(archive.resolve(agent_id or ""))
    made_by = None if agent.proposal_id is None else archive.proposals.get(agent.proposal_id)
    return agent, made_by


def said(agent: Agent | None, proposal: Proposal | None) -> str:
    """What was decided and why, in one sentence of untrusted text."""
    if proposal is None:
        return "a seed agent: it was put in when the archive was made"
    if not proposal.terminal:
        return f"not decided yet: the proposal is {proposal.state}"
    state = proposal.state.replace("_", " ")
    if proposal.state == "admitted" and agent is not None:
        state += f" as {(agent.kind or '').replace('_', ' ')}"
    return f"{state}: {proposal.reason or 'no reason given'}"


def _proposal_json(proposal: Proposal) -> dict[str, Any]:
    names = (
        *("idx", "run_id", "seen_through", "rewriter", "state", "parents", "agent_id", "title"),
        *("hypothesis", "predicted_gain", "confidence", "operation", "reason"),
    )
    return {name: getattr(proposal, name) for name in names}


def _failed(archive: Archive, agent: Agent | None) -> str:
    """Of a seed agent that failed: on what, and how."""
    if agent is None or agent.status != "seed" or agent.score is not None:
        return ""
    rows = [row for row in archive.evaluations.failures_of_seeds() if row.agent_id == agent.id]
    first = [(row.reason.splitlines() or ["no reason given"])[0] for row in rows]
    return "".join(
        f"; it failed on {row.benchmark} ({reason}), and is no parent"
        for row, reason in zip(rows, first, strict=True)
    )


def ancestry(archive: Archive, agent_id: str) -> list[dict[str, Any]]:
    """An agent (by its full id) and its ancestors over both parents, nearest first, as JSON."""
    distances = {agent_id: 0, **archive.agents.ancestors(agent_id)}
    return [_ancestor(archive, one, far) for one, far in distances.items()]


def _ancestor(archive: Archive, agent_id: str, distance: int) -> dict[str, Any]:
    agent = archive.agents.get(agent_id)
    names = ("id", "number", "status", "kind", "title", "score", "lower", "upper")
    plain = {name: getattr(agent, name) for name in names}
    return {**plain, "distance": distance, "parents": list(agent.parents)}
