"""The operations: each takes agents and chance, and gives a changed agent with its story.

An operation that makes no sense for the agents at hand raises EditError; another is then tried.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cambrian.agents.catalogue import Mechanism, read_card
from cambrian.agents.edits import EditError
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.recombine.knobs import Value, knobs_of_card
from cambrian.agents.recombine.surgery import Part

MAX_PARTS = 6
SAMPLED = 0.4
"""The chance that a grafted knob leaves its default."""

Catalogue = Mapping[str, Mechanism]


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
    """Add a mechanism that the agent does not have and that does not conflict with what it has."""
    mechanism = _pick(_candidates(agent, catalogue), rng)
    part, sources = _new_part(agent, mechanism, rng)
    grafted = agent.with_parts([*agent.parts, part], sources)
    onto = _listed(agent) or "the plain network"
    return Change(
        grafted,
        f"Graft {mechanism.reference} onto {onto}",
        _why(mechanism),
        {"kind": "graft", "mechanism": mechanism.name, "knobs": dict(part.values)},
        0.05,
    )


def remove(agent: Agent, catalogue: Catalogue, rng: random.Random) -> Change:
    """Take one part away: what does not help costs compute, memory and clarity."""
    if len(agent.parts) < 2:
        raise EditError("remove: expected at least two parts")
    gone = rng.choice(agent.parts)
    kept = [part for part in agent.parts if part is not gone]
    return Change(
        agent.with_parts(kept),
        f"Remove {_title(agent, gone)}",
        f"Without {gone.module} the learner is simpler; if the score holds, the part did not help.",
        {"kind": "remove", "mechanism": gone.module},
        0.0,
    )


def swap(agent: Agent, catalogue: Catalogue, rng: random.Random) -> Change:
    """Put a mechanism in the place of another, of the same kind where there is one."""
    if not agent.parts:
        raise EditError("swap: expected a part")
    gone = rng.choice(agent.parts)
    kept = [part for part in agent.parts if part is not gone]
    rest = agent.with_parts(kept)
    tags = _tags(agent, gone)
    choices = [m for m in _candidates(rest, catalogue) if m.name != gone.module]
    alike = [m for m in choices if tags & set(m.card["tags"])]
    if not choices:
        raise EditError("swap: no other mechanism fits")
    mechanism = _pick(alike if alike and rng.random() < 0.7 else choices, rng)
    part, sources = _new_part(rest, mechanism, rng)
    return Change(
        rest.with_parts([*rest.parts, part], sources),
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


def tune(agent: Agent, catalogue: Catalogue, rng: random.Random) -> Change:
    """Move one to three knobs, of the learner or of its parts."""
    places = [("learner", name) for name in sorted(agent.knobs)]
    for part in agent.parts:
        places += [(part.module, name) for name in sorted(agent.part_knobs(part))]
    if not places:
        raise EditError("tune: expected a knob with a range")
    count = min(len(places), rng.choice((1, 1, 2, 2, 3)))
    moved: dict[str, tuple[Value | None, Value]] = {}
    for owner, name in rng.sample(places, count):
        agent, old, new = _turn(agent, owner, name, rng)
        if new != old:
            moved[f"{owner}.{name}"] = (old, new)
    if not moved:
        raise EditError("tune: no knob moved")
    told = ", ".join(f"{_short(name)} {old} → {new}" for name, (old, new) in moved.items())
    return Change(
        agent,
        f"Tune {told}",
        f"The rest of the code stays; {told} may suit the streams better.",
        {"kind": "tune", "changes": {name: list(pair) for name, pair in moved.items()}},
        0.02,
        0.4,
    )


def transplant(agent: Agent, skeleton: Agent, catalogue: Catalogue, rng: random.Random) -> Change:
    """Rebuild a flat learner on the composed one: its knobs, its idea as a part, and one more."""
    knobs = {name: value for name, value in agent.code.knobs().items() if name in skeleton.knobs}
    base = skeleton.with_knobs(knobs).with_parts([])
    files = {path: text for path, text in agent.files.items() if not path.startswith("parts/")}
    base = Agent({**files, "learner.py": base.code.source}, base.code)
    idea = _idea(agent, catalogue)
    if idea is not None:
        base = base.with_parts([idea], {idea.module: catalogue[idea.module].source})
    mechanism = _pick(_candidates(base, catalogue), rng)
    part, sources = _new_part(base, mechanism, rng)
    had = catalogue[idea.module].card["title"] if idea else "plain fine-tuning"
    return Change(
        base.with_parts([*base.parts, part], sources),
        f"Transplant {had} to parts and graft {mechanism.reference}",
        _why(mechanism),
        {
            "kind": "transplant",
            "idea": idea.module if idea else None,
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
    mixed = agent.with_parts([])
    for owner, part in _pool(agent, other, rng):
        source = owner.source(part.module)
        card = read_card(source) if source else None
        names = {held.module for held in mixed.parts} | {held.cls for held in mixed.parts}
        if source is None or part.module in names or part.cls in names:
            continue
        if mixed.conflicts(part.module, card) or len(mixed.parts) >= MAX_PARTS:
            continue
        new = Part(part.module, part.cls, part.values)
        mixed = mixed.with_parts([*mixed.parts, new], {part.module: source})
    theirs = other.code.knobs()
    taken = {name: theirs[name] for name in sorted(agent.knobs) if name in theirs}
    taken = {name: value for name, value in taken.items() if rng.random() < 0.5}
    kept = ", ".join(part.module for part in mixed.parts) or "no part"
    return Change(
        mixed.with_knobs(taken),
        f"Cross over: {kept}",
        f"One parent has {_listed(agent) or 'no part'}, the other {_listed(other) or 'no part'}; "
        "parts that helped apart may help together.",
        {"kind": "crossover", "parts": [part.module for part in mixed.parts], "knobs": taken},
        0.05,
    )


def _pool(agent: Agent, other: Agent, rng: random.Random) -> list[tuple[Agent, Part]]:
    """The parts to try, with their owners: shared ones of either parent, most of the others."""
    theirs = {part.module: part for part in other.parts}
    chosen = []
    for part in agent.parts:
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
    if not agent.code.is_composed or len(agent.parts) >= MAX_PARTS:
        raise EditError("expected a composed agent with room for another part")
    modules = {part.module for part in agent.parts}
    tags = {tag for part in agent.parts for tag in _tags(agent, part)}
    bound = set(agent.code.imports)
    found = [
        catalogue[name]
        for name in sorted(catalogue)
        if name not in modules
        and catalogue[name].cls not in bound
        and tags.issuperset(catalogue[name].card.get("needs", ()))
        and not agent.conflicts(name, catalogue[name].card)
    ]
    if not found:
        raise EditError("no mechanism is left that fits")
    return found


def _new_part(
    agent: Agent, mechanism: Mechanism, rng: random.Random
) -> tuple[Part, dict[str, str]]:
    """A call with some knobs off their defaults, and the file it needs."""
    values = {}
    for name, knob in knobs_of_card(mechanism.card).items():
        if knob.default is not None and rng.random() < SAMPLED:
            value = knob.perturb(knob.default, rng)
            if value != knob.default:
                values[name] = value
    return Part(mechanism.name, mechanism.cls, values), {mechanism.name: mechanism.source}


def _turn(
    agent: Agent, owner: str, name: str, rng: random.Random
) -> tuple[Agent, Value | None, Value]:
    """Move one knob; the agent after it, the old value and the new one."""
    if owner == "learner":
        old: Value | None = agent.code.knobs()[name]
        new = agent.knobs[name].perturb(old if old is not None else 0, rng)
        return agent.with_knobs({name: new}), old, new
    part = next(part for part in agent.parts if part.module == owner)
    knob = agent.part_knobs(part)[name]
    old = agent.part_value(part, knob)
    new = knob.sample(rng) if old is None else knob.perturb(old, rng)
    return agent.with_part(part, {name: new}), old, new


def _idea(agent: Agent, catalogue: Catalogue) -> Part | None:
    """The mechanism that a flat learner amounts to, told by the names of its knobs."""
    values = agent.code.knobs()
    for module, signs in (
        ("reservoir", {"capacity", "batch"}),
        ("class_mean", {"features", "shrinkage"}),
    ):
        if module in catalogue and signs <= set(values):
            knobs = knobs_of_card(catalogue[module].card)
            carried = {
                name: value
                for name, value in values.items()
                if name in knobs and _fits(value, knobs[name].low, knobs[name].high)
            }
            if module == "class_mean":
                carried["weight"] = 0.9
            return Part(module, catalogue[module].cls, carried)
    return None


def _fits(value: Value, low: float, high: float) -> bool:
    return not isinstance(value, str) and low <= value <= high


def _tags(agent: Agent, part: Part) -> set[str]:
    source = agent.source(part.module)
    card = read_card(source) if source else None
    tags = card.get("tags") if card else None
    return {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()


def _title(agent: Agent, part: Part) -> str:
    source = agent.source(part.module)
    card = read_card(source) if source else None
    title = card.get("title") if card else None
    return title if isinstance(title, str) and len(title) < 60 else part.module


def _listed(agent: Agent) -> str:
    return ", ".join(part.module for part in agent.parts)


def _why(mechanism: Mechanism) -> str:
    measured = str(mechanism.card["measured"])
    return str(mechanism.card["claim"]) + (f" Measured before: {measured}." if measured else "")


def _short(name: str) -> str:
    return name.removeprefix("learner.")
