"""Which agent is rewritten next: named strategies over the members as decided through a proposal.

=========== ================================================================ ====================
name        drawn                                                            cost of a draw
=========== ================================================================ ====================
dgm         p ∝ σ(λ(score − α₀)) / (1 + children)                            O(log n)
clade       by Thompson sampling on clade outcomes, down the tree            children on the way
power-law   p ∝ rank^−α, the best has rank 1                                 O(log n)
uniform     every member alike                                               O(1)
greedy      only the best                                                    O(1)
last        only the newest                                                  O(1)
islands     as dgm, on four islands that exchange their best                 O(log n)
pareto      the non-dominated alike, by score vectors                        O(1)
lexicase    by ε-lexicase over the streams                                   O(n), vectorised
novelty     p ∝ mean distance to the five nearest score vectors              O(log n)
metaprod.   an improver by Thompson sampling over lineages, in it as dgm     O(n)
random      seed agents only; a proposal is a chain of recombinations        O(n), vectorised
=========== ================================================================ ====================

A draw is a function of the members as decided through a proposal, of that proposal's number and of
a generator, and of nothing else, so that proposal k draws the same parents whoever asks and after
whatever kill. What each strategy keeps to be fast is a function of the members alone (`arrays`,
`members`). What each costs for a million members is in docs/selection.md.

Two parents are drawn one after the other: the second as if the first were not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from cambrian.archive import Archive
from cambrian.errors import UsageError
from cambrian.evolution.selection.lineages import KnownLineages
from cambrian.evolution.selection.members import MemberTable
from cambrian.evolution.selection.strategies.base import Strategy
from cambrian.evolution.selection.strategies.chains import Chains
from cambrian.evolution.selection.strategies.clade import Clade
from cambrian.evolution.selection.strategies.dgm import Dgm
from cambrian.evolution.selection.strategies.greedy import Greedy
from cambrian.evolution.selection.strategies.islands import Islands
from cambrian.evolution.selection.strategies.last import Last
from cambrian.evolution.selection.strategies.lexicase import Lexicase
from cambrian.evolution.selection.strategies.metaproductive import Metaproductive
from cambrian.evolution.selection.strategies.novelty import Novelty
from cambrian.evolution.selection.strategies.pareto import Pareto
from cambrian.evolution.selection.strategies.power_law import PowerLaw
from cambrian.evolution.selection.strategies.uniform import Uniform
from cambrian.evolution.selection.vectors import ScoreVectors

NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Parent:
    """A drawn member."""

    agent_id: str
    number: int
    score: float


class Selection:
    """Draws parents by a strategy from an archive's members.

    Args:
        versions: the streams of the search, with the versions that count, for strategies that look
            at score vectors; without any, a member's vector is its score.
    """

    def __init__(self, archive: Archive, name: str, versions: Mapping[str, str] = NONE) -> None:
        self._strategy = strategy(name)()
        self._lineages = KnownLineages(archive) if self._strategy.needs_lineages else None
        self._strategy.lineages = self._lineages
        vectors = ScoreVectors(archive, versions) if self._strategy.needs_vectors else None
        self._members = MemberTable(archive, self._strategy, vectors)

    def draw(
        self, through: int | None, count: int, rng: np.random.Generator, index: int | None = None
    ) -> list[Parent]:
        """Up to `count` different members (fewer where there are fewer), the better one first.

        Args:
            through: the proposal through which decisions are seen; None: all there are.
            index: the proposal that they are for; None: the one after `through`.

        Raises:
            ValueError: no members.
        """
        members = self._members
        members.see(through)
        if self._lineages is not None:
            self._lineages.see(through)
        if not len(members):
            raise ValueError("expected at least one member to select from, got none")
        index = (0 if through is None else through + 1) if index is None else index
        positions = self._strategy.draw(members, min(count, len(members)), rng, index)
        drawn = [
            Parent(
                members.agent_id(at),
                int(members.number.values[at]),
                float(members.score.values[at]),
            )
            for at in positions
        ]
        return sorted(drawn, key=lambda parent: (-parent.score, parent.number))


STRATEGIES: dict[str, type[Strategy]] = {
    "dgm": Dgm,
    "clade": Clade,
    "power-law": PowerLaw,
    "uniform": Uniform,
    "greedy": Greedy,
    "last": Last,
    "islands": Islands,
    "pareto": Pareto,
    "lexicase": Lexicase,
    "novelty": Novelty,
    "metaproductive": Metaproductive,
    "random": Chains,
}


def strategy(name: str) -> type[Strategy]:
    """The strategy of that name.

    Raises:
        UsageError: there is none.
    """
    try:
        return STRATEGIES[name]
    except KeyError:
        known = ", ".join(STRATEGIES)
        raise UsageError(f"no selection strategy is called {name!r}; there are: {known}") from None
