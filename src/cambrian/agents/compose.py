"""Composed agents with chosen parts: for tests, tools and experiments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambrian.agents.catalogue import Mechanism, catalogue
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.recombine.surgery import Part
from cambrian.agents.roles import exclusive, required
from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import SourceTree

Chosen = str | tuple[str, Mapping[str, Any]]


def compose(
    *parts: Chosen,
    skeleton: str = "composed",
    mechanisms: Mapping[str, Mechanism] | None = None,
    **knobs: Any,
) -> SourceTree:
    """A composed seed agent with these mechanisms, each a name or (name, its keywords).

    What a learner cannot do without stays as it is in the seed, unless a part of that role is
    chosen; the seed's other parts go.

    Args:
        skeleton: the seed agent.
        mechanisms: more mechanisms than the catalogue's.
        knobs: of the learner, or of a part that is kept.

    Raises:
        KeyError: there is no mechanism of that name.
        TypeError: no kept part, nor the learner, has a knob of that name.
    """
    found = {**catalogue(), **(mechanisms or {})}
    seed = load_seed(skeleton)
    named = [(part, {}) if isinstance(part, str) else part for part in parts]
    filled = {found[name].role for name, _ in named if exclusive(found[name].role)}
    agent = Agent.of(seed)
    agent = agent.with_parts(
        [p for p in agent.parts if required(agent.role(p)) and agent.role(p) not in filled]
    )
    left = set(knobs) - set(agent.knobs)
    agent = agent.with_knobs(knobs)
    for module in [part.module for part in agent.parts]:
        part = next(part for part in agent.parts if part.module == module)
        values = {name: knobs[name] for name in agent.part_knobs(part) if name in left}
        agent, left = agent.with_part(part, values), left - set(values)
    if left:
        raise TypeError(f"expected knobs of the learner or its parts; got {', '.join(left)}")
    calls = [Part(name, found[name].cls, dict(values)) for name, values in named]
    sources = {name: found[name].source for name, _ in named}
    return seed.replace(agent.with_parts([*agent.parts, *calls], sources).changes(seed))
