"""Rewriting without a model: graft, remove, swap, tune and cross over mechanisms, by editing code.

It is the embedded default and the honest baseline that a foundation model has to beat. Code is read
and changed with libcst and never imported. The same parents and the same chance give the same edit.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cambrian.agents.catalogue import catalogue as default_catalogue
from cambrian.agents.edits import MAX_HYPOTHESIS, MAX_TITLE, Edit, EditError, apply
from cambrian.agents.recombine import operations
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.recombine.kinds import TABLES, shares, table_of
from cambrian.agents.recombine.operations import Catalogue, Change
from cambrian.agents.recombine.structure import structure_of
from cambrian.agents.recombine.tuning import NOTHING, Learned
from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import SourceTree
from cambrian.errors import InvalidAgent

ATTEMPTS = 40


@dataclass(frozen=True)
class Proposal:
    """An edit of the first parent, and the operation that made it, for the record."""

    edit: Edit
    operation: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The edit (`Edit.to_json`) and the operation, as the subprocess prints them."""
        return {"edit": self.edit.to_json(), "operation": self.operation}


def recombine(
    parents: Sequence[SourceTree],
    catalogue: Catalogue | None,
    rng: random.Random,
    weights: Mapping[str, float] | None = None,
    learned: Learned = NOTHING,
) -> Proposal:
    """A random edit of the first parent that applies, passes every check and differs from all.

    Args:
        parents: one or two trees; a second one makes a crossover possible.
        catalogue: the mechanisms to draw from; None for those that ship with Cambrian.
        rng: the only source of chance.
        weights: how likely each mechanism is to be picked, by name (1 for those not named): what
            an archive has learned about them.
        learned: what it has learned about kinds of operation, and about knobs.

    Raises:
        EditError: the first parent has no structure that is known here.
    """
    if not parents:
        raise EditError("recombine: expected at least one parent; got none")
    mechanisms = {
        name: dataclasses.replace(mechanism, weight=(weights or {}).get(name, 1.0))
        for name, mechanism in (default_catalogue() if catalogue is None else catalogue).items()
    }
    agent = Agent.of(parents[0])
    known = {parent.fingerprint for parent in parents}
    failure = ""
    for _ in range(ATTEMPTS):
        try:
            change = _change(agent, parents[1:], mechanisms, rng, learned)
            edit = _edit(change, parents[0])
            if apply(parents[0], edit).fingerprint not in known:
                return Proposal(edit, change.operation | _whereabouts(agent, change.agent))
            failure = f"{change.title}: a parent is the same already"
        except (EditError, InvalidAgent) as error:
            failure = str(error)
    raise EditError(f"recombine: no edit came of {ATTEMPTS} attempts; the last: {failure}")


def _whereabouts(parent: Agent, child: Agent) -> dict[str, Any]:
    """The structures of both, and where in them they stand, for the optimisers of knobs."""
    return {"of": structure_of(parent).to_json(), "made": structure_of(child).to_json()}


def _change(
    agent: Agent,
    others: Sequence[SourceTree],
    catalogue: Catalogue,
    rng: random.Random,
    learned: Learned,
) -> Change:
    table = table_of(agent)
    weights = shares(TABLES[table], learned.kinds.get(table, {}))
    kind = rng.choices(list(weights), list(weights.values()))[0]
    if kind == "tune":
        return operations.tune(agent, catalogue, rng, learned)
    if kind == "crossover":
        if not others:
            raise EditError("crossover: expected a second parent")
        return operations.crossover(agent, Agent.of(rng.choice(others)), catalogue, rng)
    if kind == "transplant":
        skeleton = Agent.of(load_seed("composed"))
        return operations.transplant(agent, skeleton, catalogue, rng)
    simple = {
        "graft": operations.graft,
        "swap": operations.swap,
        "remove": operations.remove,
    }
    return simple[kind](agent, catalogue, rng)


def _edit(change: Change, parent: SourceTree) -> Edit:
    return Edit(
        title=cut(change.title, MAX_TITLE),
        hypothesis=cut(change.hypothesis, MAX_HYPOTHESIS),
        predicted_gain=change.predicted_gain,
        confidence=change.confidence,
        files=change.agent.changes(parent),
    )


def cut(text: str, longest: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


__all__ = ["NOTHING", "Learned", "Proposal", "cut", "recombine"]
