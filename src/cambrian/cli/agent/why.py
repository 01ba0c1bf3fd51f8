"""`cambrian agent why` and `cambrian agent lineage`: how an agent came to be what it is."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from cambrian.cli.agent.listing import item
from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.drawing import draw
from cambrian.cli.render.output import heading, say, show_fields, show_json, show_list, show_table
from cambrian.cli.render.text import indented, interval, line, number, short
from cambrian.cli.tree import label
from cambrian.errors import NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cambrian.archive import Agent, Archive, Gate, Proposal


@click.command(
    epilog=examples("cambrian agent why @best", "cambrian agent why --proposal 17 --json")
)
@click.argument("agent_id", metavar="ID", required=False)
@click.option(
    "--proposal",
    "index",
    type=click.IntRange(min=0),
    metavar="K",
    help="Proposal K instead (they are numbered from 0): for those that made no agent, too.",
)
@json_option
@common
@click.pass_obj
def why(shared: Shared, agent_id: str | None, index: int | None, as_json: bool) -> None:
    """Explain a decision: each gate's rule, threshold, value and verdict.

    Name an agent by ID, admitted or rejected, or a proposal by its number.
    """
    with shared.reading() as archive:
        agent, proposal = _subject(archive, agent_id, index)
        gates = [] if proposal is None else archive.gates(proposal_id=proposal.id)
        said = decision(agent, proposal) + _failed(archive, agent)
    if as_json:
        show_json(
            {
                "agent": agent and item(agent, proposal.reason if proposal else None),
                "proposal": proposal and _as_json(proposal),
                "decision": said,
                "gates": [asdict(gate) for gate in gates],
            }
        )
    else:
        _show(agent, proposal, gates, said)


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
            raise NotFound(f"expected a proposal from 0 to {last}, came {index}")
        return (archive.agents.find(proposal.agent_id) if proposal.agent_id else None), proposal
    agent = archive.agents.get(archive.resolve(agent_id or ""))
    made_by = None if agent.proposal_id is None else archive.proposals.get(agent.proposal_id)
    return agent, made_by


def decision(agent: Agent | None, proposal: Proposal | None) -> str:
    """What was decided and why, in one sentence of untrusted text."""
    if proposal is None:
        return "a seed agent: it was put in when the archive was made"
    if not proposal.terminal:
        return f"not decided yet: the proposal is {proposal.state}"
    state = proposal.state.replace("_", " ")
    if proposal.state == "admitted" and agent is not None:
        state += f" as {(agent.kind or '').replace('_', ' ')}"
    return f"{state}: {proposal.reason or 'no reason given'}"


def _as_json(proposal: Proposal) -> dict[str, object]:
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


def _show(agent: Agent | None, proposal: Proposal | None, gates: Sequence[Gate], said: str) -> None:
    title = proposal.title if proposal and proposal.title else agent.title if agent else ""
    hypothesis = proposal.hypothesis if proposal else None
    show_fields(
        {
            "agent": agent and f"#{agent.number or '?'} {short(agent.id)}",
            "title": title,
            "hypothesis": hypothesis,
            "proposal": proposal and f"{proposal.idx}, by {proposal.rewriter}",
            "parents": proposal and ", ".join(map(short, proposal.parents)),
            "decision": said,
        }
    )
    if not gates:
        return
    heading("Gates, in the order they were passed")
    rows = [[g.gate, g.verdict, _value(g), number(g.threshold), g.rule] for g in gates]
    show_table(["gate", "verdict", "value [lower, upper]", "threshold", "rule"], rows)
    for gate in gates:
        if gate.detail:
            say(f"{line(gate.gate)}:")
            say(indented(gate.detail))


def _value(gate: Gate) -> str:
    return interval(gate.value, gate.lower, gate.upper)


@click.command(epilog=examples("cambrian agent lineage @best"))
@click.argument("agent_id", metavar="ID")
@json_option
@common
@click.pass_obj
def lineage(shared: Shared, agent_id: str, as_json: bool) -> None:
    """Show the ancestors of the agent ID, over both parents, to the seeds.

    An ancestor that is reached twice is drawn with its own ancestors only once.
    """
    with shared.reading() as archive:
        agent = archive.agents.get(archive.resolve(agent_id))
        if as_json:
            distances = {agent.id: 0, **archive.agents.ancestors(agent.id)}
            show_list([_ancestor(archive, one, far) for one, far in distances.items()])
            return
        for row in _drawn(archive, agent):
            say(row)


def _ancestor(archive: Archive, agent_id: str, distance: int) -> dict[str, object]:
    agent = archive.agents.get(agent_id)
    names = ("id", "number", "status", "kind", "title", "score", "lower", "upper")
    plain = {name: getattr(agent, name) for name in names}
    return {**plain, "distance": distance, "parents": list(agent.parents)}


def _drawn(archive: Archive, agent: Agent) -> list[str]:
    seen: set[str] = set()

    def parents(below: tuple[str, Agent]) -> list[tuple[str, Agent]]:
        _, one = below
        if one.id in seen:
            return []
        seen.add(one.id)
        return list(zip(("parent", "second parent"), archive.agents.parents(one.id), strict=False))

    rows = []
    for row in draw([("", agent)], parents):
        role, one = row.node
        rows.append(row.branch + (f"{role}: " if role else "") + label(archive, one))
    return rows
