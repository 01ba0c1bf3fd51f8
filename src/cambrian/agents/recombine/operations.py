"""The operations: each takes agents and chance, and gives a changed agent with its story.

An operation that makes no sense for the agents at hand raises EditError; another is then tried.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cambrian.agents.catalogue import Mechanism, read_card
from cambrian.agents.edits import EditError
from cambrian.agents.recombine import tuning
from cambrian.agents.recombine.agent import PROTOCOL, Agent
from cambrian.agents.recombine.knobs import Knob, Value, knobs_of_card
from cambrian.agents.recombine.surgery import Part
from cambrian.agents.recombine.tuning import NOTHING, Learned
from cambrian.agents.roles import required

MAX_PARTS = 6
"""Beside those that a learner cannot do without."""
SAMPLED = 0.4
"""The chance that a grafted knob leaves its default."""

Catalogue = Mapping[str, Mechanism]
Simple = Callable[[Agent, Catalogue, random.Random], "Change"]
"""An operation on one agent."""


@dataclass(frozen=True)
class Change:
    """A changed agent, what was done to it (`operation`, for the record) and why."""

    agent: Agent
    title: str
    hypothesis: str
    operation: dict[str, Any]
    predicted_gain: float
    confidence: float = field(default=0.3)


def graft(agent: Agent, catalogue: Catalogue, rng: random.Random) -> Change:
    """Add a mechanism that the agent does not have and that does not conflict with what it has; a
    network, loss, update or optimiser takes the place of the one there is."""
    mechanism = _pick(_candidates(agent, catalogue), rng)
    part = _new_part(mechanism, rng)
    grafted, gone = _with(agent, mechanism, part)
    onto = _listed(agent) or "the plain network"
    operation = {"kind": "graft", "mechanism": mechanism.name, "knobs": dict(part.values)}
    if gone is not None:
        operation["removed"] = gone.module
    return Change(
        grafted,
        f"Graft {mechanism.reference} onto {onto}",
        _why(mechanism),
        operation,
        0.05,
    )


def remove(agent: Agent, catalogue: Catalogue, rng: random.Random) -> Change:
    """Take one part away: what does not help costs compute, memory and clarity."""
    if len(agent.optional) < 2:
        raise EditError("remove: expected at least two parts that can be missed")
    gone = rng.choice(agent.optional)
    kept = [part for part in agent.parts if part is not gone]
    return Change(
        agent.with_parts(kept),
        f"Remove {_title(agent, gone)}",
        f"Without {gone.module} the learner is simpler; if the score holds, the part did not help.",
        {"kind": "remove", "mechanism": gone.module},
        0.0,
    )


def swap(agent: Agent, catalogue: Catalogue, rng: random.Random) -> Change:
    """Put a mechanism in the place of another, of the same role or tags where there is one."""
    if not agent.parts:
        raise EditError("swap: expected a part")
    gone = rng.choice(agent.parts)
    kept = [part for part in agent.parts if part is not gone]
    rest, role = agent.with_parts(kept), agent.role(gone)
    tags = _tags(agent, gone)
    choices = [
        m
        for m in _candidates(rest, catalogue)
        if m.name != gone.module and (m.role == role or not (required(role) or required(m.role)))
    ]
    alike = [m for m in choices if m.role == role or tags & set(m.card["tags"])]
    if not choices:
        raise EditError("swap: no other mechanism fits")
    mechanism = _pick(alike if alike and rng.random() < 0.7 else choices, rng)
    part = _new_part(mechanism, rng)
    swapped, _ = _with(agent if required(role) else rest, mechanism, part)
    return Change(
        swapped,
        f"Swap {gone.module} for {mechanism.reference}",
        _why(mechanism),
        {
            "kind": "swap",
            "removed": gone.module,
            "mechanism": mechanism.name,
            "knobs": dict(part.values),
        },
        0.03,
    )


def tune(
    agent: Agent, catalogue: Catalogue, rng: random.Random, learned: Learned = NOTHING
) -> Change:
    """Move knobs of the learner or of its parts (`tuning`); no mechanism is asked for."""
    agent, moved = tuning.moved(agent, rng, learned)
    told = tuning.told(moved)
    return Change(
        agent,
        f"Tune {told}",
        f"The rest of the code stays; {told} may suit the streams better.",
        {"kind": "tune", "changes": {name: list(pair) for name, pair in moved.items()}},
        0.02,
        0.4,
    )


def transplant(agent: Agent, skeleton: Agent, catalogue: Catalogue, rng: random.Random) -> Change:
    """Rebuild a flat learner, or one of an older protocol, on the composed one: its knobs, its
    ideas as parts, and one more. What was rewritten inside its parts stays behind."""
    values = agent.code.knobs()
    knobs = {name: value for name, value in values.items() if name in skeleton.knobs}
    base = skeleton.with_knobs(knobs)
    base = base.with_parts([part for part in base.parts if part not in base.optional])
    for part in base.parts:
        fitting = _fitting(values, base.part_knobs(part))
        knobs |= fitting
        if fitting:
            base = base.with_part(next(p for p in base.parts if p.module == part.module), fitting)
    files = {path: text for path, text in agent.files.items() if not path.startswith("parts/")}
    own = {path: text for path, text in base.files.items() if path.startswith("parts/")}
    base = Agent({**files, **own, "learner.py": base.code.source}, base.code)
    ideas = _ideas(agent, catalogue)[: MAX_PARTS - 1]
    for idea in ideas:
        if not base.conflicts(idea.module, catalogue[idea.module].card):
            base, _ = _with(base, catalogue[idea.module], idea)
    mechanism = _pick(_candidates(base, catalogue), rng)
    part = _new_part(mechanism, rng)
    had = ", ".join(str(catalogue[idea.module].card["title"]) for idea in ideas)
    return Change(
        _with(base, mechanism, part)[0],
        f"Transplant {had or 'plain fine-tuning'} to parts and graft {mechanism.reference}",
        _why(mechanism),
        {
            "kind": "transplant",
            "idea": ideas[0].module if ideas else None,
            "mechanism": mechanism.name,
            "knobs": dict(part.values),
            "carried": knobs,
        },
        0.05,
    )


def crossover(agent: Agent, other: Agent, catalogue: Catalogue, rng: random.Random) -> Change:
    """Parts of both parents with their files and keywords, and knobs of either, in one's code."""
    if not agent.code.is_composed or not other.code.is_composed:
        raise EditError("crossover: expected two composed parents")
    if (agent.protocol, agent.skeleton) != (other.protocol, other.skeleton):
        raise EditError(
            f"crossover: expected parents of one protocol and skeleton; got {agent.protocol} "
            f"{agent.skeleton} and {other.protocol} {other.skeleton}"
        )
    mixed = agent.with_parts([])
    for owner, part in [*_needed(agent, other, rng), *_pool(agent, other, rng)]:
        source = owner.source(part.module)
        card = read_card(source) if source else None
        names = {held.module for held in mixed.parts} | {held.cls for held in mixed.parts}
        if source is None or part.module in names or part.cls in names:
            continue
        full = len(mixed.optional) >= MAX_PARTS and not required(owner.role(part))
        if mixed.conflicts(part.module, card) or full:
            continue
        new = Part(part.module, part.cls, part.values)
        mixed = mixed.with_parts([*mixed.parts, new], {part.module: source})
    theirs = other.code.knobs()
    taken = {name: theirs[name] for name in sorted(agent.knobs) if name in theirs}
    taken = {name: value for name, value in taken.items() if rng.random() < 0.5}
    kept = ", ".join(part.module for part in mixed.optional) or "no part"
    return Change(
        mixed.with_knobs(taken),
        f"Cross over: {kept}",
        f"One parent has {_listed(agent) or 'no part'}, the other {_listed(other) or 'no part'}; "
        "parts that helped apart may help together.",
        {"kind": "crossover", "parts": [part.module for part in mixed.parts], "knobs": taken},
        0.05,
    )


def _needed(agent: Agent, other: Agent, rng: random.Random) -> list[tuple[Agent, Part]]:
    """The parts that the learner cannot do without, each of either parent."""
    theirs = {other.role(part): part for part in other.parts}
    chosen = []
    for part in agent.parts:
        role = agent.role(part)
        if required(role):
            twin = theirs.get(role)
            take = twin is not None and rng.random() < 0.5
            chosen.append((other, twin) if take and twin is not None else (agent, part))
    return chosen


def _pool(agent: Agent, other: Agent, rng: random.Random) -> list[tuple[Agent, Part]]:
    """The parts to try, with their owners: shared ones of either parent, most of the others."""
    theirs = {part.module: part for part in other.optional}
    chosen = []
    for part in agent.optional:
        twin = theirs.pop(part.module, None)
        if twin is not None:
            chosen.append((other, twin) if rng.random() < 0.5 else (agent, part))
        elif rng.random() < 0.75:
            chosen.append((agent, part))
    chosen += [(other, part) for part in theirs.values() if rng.random() < 0.75]
    rng.shuffle(chosen)
    return chosen


def _pick(mechanisms: Sequence[Mechanism], rng: random.Random) -> Mechanism:
    return rng.choices(mechanisms, [mechanism.weight for mechanism in mechanisms])[0]


def _candidates(agent: Agent, catalogue: Catalogue) -> list[Mechanism]:
    """Mechanisms that can be added, in the order of their names."""
    if not agent.code.is_composed or len(agent.optional) >= MAX_PARTS:
        raise EditError("expected a composed agent with room for another part")
    if agent.protocol != PROTOCOL:
        raise EditError(
            f"expected a learner with PARTS_PROTOCOL = {PROTOCOL}; got {agent.protocol}: the "
            "mechanisms of today do not fit its hooks; it can be tuned, pruned, crossed with its "
            "like, or transplanted"
        )
    modules = {part.module for part in agent.parts}
    tags = {tag for part in agent.parts for tag in _tags(agent, part)}
    bound = set(agent.code.imports)
    found = [
        mechanism
        for name, mechanism in sorted(catalogue.items())
        if name not in modules
        and mechanism.cls not in bound
        and tags.issuperset(mechanism.card.get("needs", ()))
        and _fits_agent(agent, mechanism)
        and (required(mechanism.role) or not agent.conflicts(name, mechanism.card))
    ]
    if not found:
        raise EditError("no mechanism is left that fits")
    return found


def _fits_agent(agent: Agent, mechanism: Mechanism) -> bool:
    """Whether a mechanism's card names the agent's skeleton and network, or any."""
    networks = {part.module for part in agent.parts if agent.role(part) == "network"}
    wanted = set(mechanism.card.get("networks", ("any",)))
    skeletons = mechanism.card.get("skeletons", (agent.skeleton,))
    return agent.skeleton in skeletons and ("any" in wanted or bool(networks & wanted))


def _with(agent: Agent, mechanism: Mechanism, part: Part) -> tuple[Agent, Part | None]:
    """The agent with a part of a mechanism, and what it replaces: the one part of its role where
    a learner cannot do without."""
    gone = None
    if required(mechanism.role):
        gone = next((own for own in agent.parts if agent.role(own) == mechanism.role), None)
    parts = [part if own is gone else own for own in agent.parts]
    parts = parts if gone is not None else [*parts, part]
    return agent.with_parts(parts, {mechanism.name: mechanism.source}), gone


def _new_part(mechanism: Mechanism, rng: random.Random) -> Part:
    """A call with some knobs off their defaults."""
    values = {}
    for name, knob in knobs_of_card(mechanism.card).items():
        if knob.default is not None and rng.random() < SAMPLED:
            value = knob.perturb(knob.default, rng)
            if value != knob.default:
                values[name] = value
    return Part(mechanism.name, mechanism.cls, values)


def _ideas(agent: Agent, catalogue: Catalogue) -> list[Part]:
    """The mechanisms that a learner amounts to: those of its parts, or of a flat one the one that
    the names of its knobs tell."""
    values = agent.code.knobs()
    if agent.code.is_composed:
        return [
            Part(
                part.module,
                catalogue[part.module].cls,
                _fitting(part.values, knobs_of_card(catalogue[part.module].card)),
            )
            for part in agent.parts
            if part.module in catalogue
        ]
    for module, signs in (
        ("reservoir", {"capacity", "batch"}),
        ("class_mean", {"features", "shrinkage"}),
    ):
        if module in catalogue and signs <= set(values):
            carried = _fitting(values, knobs_of_card(catalogue[module].card))
            if module == "class_mean":
                carried["weight"] = 0.9
            return [Part(module, catalogue[module].cls, carried)]
    return []


def _fitting(values: Mapping[str, Value], knobs: Mapping[str, Knob]) -> dict[str, Value]:
    """The values that are within the range, or among the choices, of a knob of that name."""
    return {
        name: value for name, value in values.items() if name in knobs and _fits(value, knobs[name])
    }


def _fits(value: Value, knob: Knob) -> bool:
    if knob.choices:
        return value in knob.choices
    return not isinstance(value, str) and knob.low <= value <= knob.high


def _tags(agent: Agent, part: Part) -> set[str]:
    tags = agent.card(part).get("tags")
    return {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()


def _title(agent: Agent, part: Part) -> str:
    title = agent.card(part).get("title")
    return title if isinstance(title, str) and len(title) < 60 else part.module


def _listed(agent: Agent) -> str:
    return ", ".join(part.module for part in agent.optional)


def _why(mechanism: Mechanism) -> str:
    measured = str(mechanism.card["measured"])
    return str(mechanism.card["claim"]) + (f" Measured before: {measured}." if measured else "")
