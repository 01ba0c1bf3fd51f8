"""How scores went, proposal by proposal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cambrian.archive import Agent, Archive

SEEDS_AT = -1
"""Where the seed agents are drawn: before proposal 0."""


@dataclass(frozen=True)
class Champions:
    """The champion as it was after each proposal that changed it: x, its mean, lower bound."""

    x: list[int]
    mean: list[float]
    lower: list[float]


def judged_of(archive: Archive, agents: Sequence[Agent]) -> list[Agent]:
    """Those whose proposal was judged: a failed smoke stage rejects an agent, and judges none."""
    states = {p.id: p.state for p in archive.proposals.select()}
    return [a for a in agents if states.get(a.proposal_id or 0) in ("admitted", "rejected")]


def champions(agents: Sequence[Agent]) -> Champions:
    """The best lower bound so far among members, in proposal order; the first of equals stays."""
    members = [a for a in agents if a.kind is not None and a.lower is not None]
    found = Champions([], [], [])
    for agent in sorted(members, key=at):
        score, lower = agent.score, agent.lower
        if score is None or lower is None or (found.lower and lower <= found.lower[-1]):
            continue
        found.x.append(at(agent))
        found.mean.append(score)
        found.lower.append(lower)
    return found


def at(agent: Agent) -> int:
    """Where an agent stands: at its proposal's number, a seed at `SEEDS_AT`."""
    return SEEDS_AT if agent.proposal_index is None else agent.proposal_index
