"""`metaproductive`: by what the edits of an agent's improver have come to."""

from __future__ import annotations

import numpy as np

from cambrian.evolution.selection.lineages import Belief, Lineage
from cambrian.evolution.selection.members import Members
from cambrian.evolution.selection.strategies.base import Rng, Strategy
from cambrian.evolution.selection.strategies.dgm import dgm_weights

LEAST_SHARE = 0.05
"""Of the draws, those in which improvers that are held take part."""


class Metaproductive(Strategy):
    """First an improver by Thompson sampling over improver lineages, then a member that has it as
    by `dgm`.

    Clade metaproductivity (Huxley-Gödel Machine, Wang et al. 2025, arXiv 2510.21614, section 3)
    says that an agent is worth what its descendants come to, not what it scores. Here the lineages
    are those of improvers: the way goes down the tree of their rewrites, and at each one a draw for
    it by what was made by it alone is held against a draw for each of its rewrites by what was made
    by that and all below it (`lineages.Belief`); the largest decides. What an edit came to is its
    paired gain if it was admitted, else 0, so that neither a good parent nor a lucky score counts
    for the improver. One that made nothing yet is believed to be like the others. One whose stated
    confidence has come to claim more than comes (`honesty.has_dropped`) takes part in one draw of
    twenty, which lets it show that it is better again. Without lineages (one improver, or no
    archive) it is `dgm`.
    """

    needs_lineages = True

    def loaded(self, members: Members) -> None:
        self._improvers: list[str] = []

    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        names = self._named(members)
        weights = dgm_weights(members.score.values, members.children.values)
        tree = {} if self.lineages is None else dict(self.lineages.tree())
        alive = set(names)
        drawn: list[int] = []
        for _ in range(count):
            free = np.ones(len(names), dtype=bool)
            free[drawn] = False
            if len(alive) > 1:
                left = {name for name, ok in zip(names, free, strict=True) if ok}
                chosen = _descend(tree, left, rng)
                free &= np.array([name == chosen for name in names])
            chances = np.cumsum(np.where(free, weights, 0.0))
            at = int(np.searchsorted(chances, rng.random() * chances[-1], side="right"))
            drawn.append(min(at, int(np.flatnonzero(free)[-1])))
        return drawn

    def _named(self, members: Members) -> list[str]:
        """The improver of each member, by position."""
        if self.lineages is None:
            return [""] * len(members)
        for position in range(len(self._improvers), len(members)):
            self._improvers.append(self.lineages.name(members.agent_id(position)))
        return self._improvers[: len(members)]


def _descend(tree: dict[str, Lineage], alive: set[str], rng: Rng) -> str:
    """An improver out of `alive`."""
    nothing, belief = Lineage(), Belief.of(tree)
    trusted = {one for one in alive if not tree.get(one, nothing).held}
    if trusted and trusted != alive and rng.random() >= LEAST_SHARE:
        alive = trusted
    known = {one for lineage in tree.values() for one in lineage.below}
    fresh = sorted(alive - known)  # nothing was made by them
    here = ""
    while True:
        below = tree.get(here, nothing).below
        below = [one for one in below if _lives(tree, one, alive)]
        options = [*below, *(fresh if here == "" else [])]
        draws = [belief.draw(tree.get(one, nothing).clade, rng) for one in options]
        best = int(np.argmax(draws)) if draws else -1
        if here in alive:
            own = belief.draw(tree.get(here, nothing).own, rng)
            if best < 0 or own >= draws[best]:
                return here
        here = options[best]


def _lives(tree: dict[str, Lineage], name: str, alive: set[str]) -> bool:
    """Whether a member has this improver, or a rewrite of it."""
    return name in alive or any(_lives(tree, one, alive) for one in tree[name].below)
