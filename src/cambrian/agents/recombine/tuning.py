"""Tuning: other values of knobs, the code staying as it is.

Two ways. At random: one to three knobs, each moved a little or drawn anew. By an optimiser: a point
in the space of all knobs, drawn from the search distribution of CMA-ES (Hansen & Ostermeier 2001,
"Completely Derandomized Self-Adaptation in Evolution Strategies"), N(m, σ²C). The archive's side
(`evolution.rewriting.optimisers`) gives points where enough of a structure was judged; in the first
generation the distribution is N(parent, σ²I), and is drawn from here.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cambrian.agents.edits import EditError
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.recombine.knobs import Value
from cambrian.agents.recombine.structure import Place, places_of, structure_of

SPREAD = 0.15
"""σ of the first generation, as a share of a knob's range (of its logarithm)."""
INERT = 0.5
"""In an optimiser's point, a knob whose weight is below this is moved with that probability only:
most of its moves changed no score. Every knob moves where all are of that kind."""
TOLD = 3
"""So many knobs are named in a title, those that moved furthest."""

Moved = dict[str, tuple[Value | None, Value]]


@dataclass(frozen=True)
class Learned:
    """What an archive has learned, as recombination is told; empty, it knows nothing.

    Attributes:
        kinds: for each table of shares (`kinds.TABLES`) how likely each kind of operation is to be
            picked, against how it would be with no archive (1 for those not named).
        optimise: whether knobs are tuned by the optimiser, or at random.
        knobs: how likely each knob is to be moved, by owner and name (1 for those not named).
        structure: the structure that `points` are of; "" where there are none.
        points: asked of that structure's optimiser, each a place in [0, 1] for each knob.
    """

    kinds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    optimise: bool = False
    knobs: Mapping[str, float] = field(default_factory=dict)
    structure: str = ""
    points: Sequence[Sequence[float]] = ()

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, for another process."""
        return {
            "kinds": {table: dict(favour) for table, favour in self.kinds.items()},
            "optimise": self.optimise,
            "knobs": dict(self.knobs),
            "structure": self.structure,
            "points": [list(point) for point in self.points],
        }


NOTHING = Learned()


def moved(agent: Agent, rng: random.Random, learned: Learned = NOTHING) -> tuple[Agent, Moved]:
    """The agent with other values of some knobs, and the old and new value of each that moved.

    Raises:
        EditError: it has no knob with a range, or none moved.
    """
    places = places_of(agent)
    if not places:
        raise EditError("tune: expected a knob with a range")
    here = structure_of(agent).name if learned.points else ""
    values = drawn(places, rng, learned, here)
    if not values:
        raise EditError("tune: no knob moved")
    return _turned(agent, values), {place.name: (place.value, value) for place, value in values}


def drawn(
    places: Sequence[Place], rng: random.Random, learned: Learned = NOTHING, here: str = ""
) -> list[tuple[Place, Value]]:
    """The knobs that move, each with its new value; none where every draw stays where it is.

    Args:
        here: the structure that the places are of: points of another are of no use.
    """
    if not learned.optimise:
        values = _perturbed(places, rng, learned.knobs)
    elif learned.points and here == learned.structure:
        values = _at(places, rng.choice(learned.points), rng, learned.knobs)
    else:
        around = [place.at + rng.gauss(0.0, SPREAD) for place in places]
        values = _at(places, around, rng, learned.knobs)
    return [(place, value) for place, value in values if value != place.value]


def told(changes: Moved) -> str:
    """What moved, in a few words: "lr 0.1 → 0.2, sgd.decay 0.0 → 0.01 and 4 more"."""
    shown = [
        f"{name.removeprefix('learner.')} {old} → {new}"
        for name, (old, new) in list(changes.items())[:TOLD]
    ]
    more = len(changes) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _perturbed(
    places: Sequence[Place], rng: random.Random, weights: Mapping[str, float]
) -> list[tuple[Place, Value]]:
    """One to three knobs, each with another value."""
    count = min(len(places), rng.choice((1, 1, 2, 2, 3)))
    left, found = list(places), []
    for _ in range(count):
        chosen = rng.choices(left, [weights.get(place.name, 1.0) for place in left])[0]
        left.remove(chosen)
        if chosen.value is None:
            found.append((chosen, chosen.knob.sample(rng)))
        else:
            found.append((chosen, chosen.knob.perturb(chosen.value, rng)))
    return found


def _at(
    places: Sequence[Place],
    point: Sequence[float],
    rng: random.Random,
    given: Mapping[str, float],
) -> list[tuple[Place, Value]]:
    """The values at a point of the optimiser, the furthest move first."""
    if len(point) != len(places):
        raise EditError(f"tune: expected a point of {len(places)} places; got {len(point)}")
    weights = [given.get(place.name, 1.0) for place in places]
    moves = []
    for place, at, weight in zip(places, point, weights, strict=True):
        stays = weight < INERT and max(weights) >= INERT and rng.random() >= weight
        if not stays:
            moves.append((abs(at - place.at), place, place.knob.at(at)))
    moves.sort(key=lambda move: (-move[0], move[1].name))
    return [(place, value) for _, place, value in moves]


def _turned(agent: Agent, values: Sequence[tuple[Place, Value]]) -> Agent:
    """The agent with these values, those of one owner at a time."""
    owned: dict[str, dict[str, Value]] = {}
    for place, value in values:
        owned.setdefault(place.owner, {})[place.knob.name] = value
    agent = agent.with_knobs(owned.pop("learner", {}))
    for owner, changed in owned.items():
        part = next(part for part in agent.parts if part.module == owner)
        agent = agent.with_part(part, changed)
    return agent
