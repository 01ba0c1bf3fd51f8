"""The structure of a learner: its code with the values of its knobs left out, and these values.

Agents of one structure differ in nothing but numbers and choices, so that one optimiser can learn
from them all. A value is told by its place in the knob's range, 0 at the low end and 1 at the high
one (of the logarithm, where the knob is logarithmic); a choice by the middle of its share.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from cambrian.agents.edits import EditError
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.recombine.knobs import Knob, Value
from cambrian.agents.tree import IMPROVER, LEARNER, NOTES

DIGITS = 12
"""Hexadecimal digits of a structure's name: 48 bits."""


@dataclass(frozen=True)
class Place:
    """One knob of an agent: `owner` is "learner" or a part's module; `value` is what it has now,
    None where its code does not say."""

    owner: str
    knob: Knob
    value: Value | None

    @property
    def name(self) -> str:
        """The knob with its owner, as operations tell it: `reservoir.capacity`."""
        return f"{self.owner}.{self.knob.name}"

    @property
    def at(self) -> float:
        """Where the value is in the knob's range, in [0, 1]; the middle where there is none."""
        return 0.5 if self.value is None else self.knob.place(self.value)


@dataclass(frozen=True)
class Structure:
    """A structure's name, and where an agent stands in it: one number in [0, 1] for each knob."""

    name: str
    at: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """As operations keep it, the places to four digits."""
        return {"structure": self.name, "at": [round(place, 4) for place in self.at]}


def places_of(agent: Agent) -> list[Place]:
    """Every knob of an agent: the learner's own by name, then those of its parts in their order."""
    values = agent.code.knobs()
    found = [Place("learner", agent.knobs[name], values[name]) for name in sorted(agent.knobs)]
    for part in agent.parts:
        knobs = agent.part_knobs(part)
        found += [
            Place(part.module, knobs[name], agent.part_value(part, knobs[name]))
            for name in sorted(knobs)
        ]
    return found


def structure_of(agent: Agent) -> Structure:
    """The structure of an agent, and its place in it.

    Notes and the improver do not count, nor do comments and layout of `learner.py`.

    Raises:
        EditError: `learner.py` is no Python.
    """
    places = places_of(agent)
    own = {place.knob.name for place in places if place.owner == "learner"}
    calls = {part.cls: set(agent.part_knobs(part)) for part in agent.parts}
    others = sorted(
        (path, text) for path, text in agent.files.items() if path not in (LEARNER, IMPROVER, NOTES)
    )
    told = json.dumps([_without_values(agent.code.source, own, calls), others])
    name = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    return Structure(name, tuple(place.at for place in places))


def _without_values(source: str, own: Collection[str], calls: dict[str, set[str]]) -> str:
    """The syntax of a learner without the defaults of its knobs and its parts' tunable keywords."""
    try:
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == "Knobs":
                for line in node.body:
                    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                        line.value = None if line.target.id in own else line.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                tunable = calls.get(node.func.id, set())
                node.keywords = [word for word in node.keywords if word.arg not in tunable]
        return ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise EditError(f"learner.py: expected Python; {error}") from error
