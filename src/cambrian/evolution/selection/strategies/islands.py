"""`islands`: groups that breed apart and exchange their best."""

from __future__ import annotations

import numpy as np

from cambrian.evolution.selection.arrays import SumTree
from cambrian.evolution.selection.members import Members
from cambrian.evolution.selection.strategies.base import Rng, Strategy
from cambrian.evolution.selection.strategies.dgm import dgm_weights, draw_in_proportion

ISLANDS = 4
MIGRATION = 40
"""Proposals from one exchange to the next."""


class Island:
    """Who lives on an island: members by place, drawn as by `dgm`.

    Attributes:
        best: the position of the member with the largest score; −1 on an empty island.
    """

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.best = -1
        self._places: dict[int, int] = {}
        self._sums = SumTree(np.zeros(0))

    def settle(self, members: Members, position: int) -> None:
        """A member comes to live here; nothing happens if it does already."""
        if position in self._places:
            return
        self._places[position] = len(self.positions)
        self.positions.append(position)
        self.weigh(members, position)
        score = members.score.values
        if self.best < 0 or score[position] > score[self.best]:
            self.best = position

    def weigh(self, members: Members, position: int) -> None:
        """A member has another weight, if it lives here."""
        place = self._places.get(position)
        if place is not None:
            one = slice(position, position + 1)
            score, children = members.score.values[one], members.children.values[one]
            self._sums[place] = float(dgm_weights(score, children)[0])

    def draw(self, count: int, rng: Rng) -> list[int]:
        """Up to `count` different positions of those who live here."""
        places = draw_in_proportion(self._sums, min(count, len(self.positions)), rng)
        return [self.positions[place] for place in places]


class Islands(Strategy):
    """Four islands; within one p ∝ as by `dgm`, and every 40 proposals each sends its best on.

    The island model of FunSearch (Romera-Paredes et al. 2024, Nature 625, Methods) with migration
    around a ring (Whitley et al. 1999). Proposal k is island k mod 4's, and so is its child. Every
    seed agent lives on all islands from the start. Before the first member of proposal 40·e or
    later joins (e = 1, 2, …), the best member of each island comes to live on the next one too,
    so that who lives where is a function of the members alone.

    A draw costs O(log n). If more parents are wanted than live on an island, the next islands'
    are taken.
    """

    def loaded(self, members: Members) -> None:
        self._islands = [Island() for _ in range(ISLANDS)]
        self._exchanges = 0
        for position in range(len(members)):
            self.added(members, position)

    def added(self, members: Members, position: int) -> None:
        proposal = int(members.proposal.values[position])
        if proposal < 0:
            for island in self._islands:
                island.settle(members, position)
            return
        # As many as are due change nothing after a round of the ring: the best are everywhere.
        due = min(proposal // MIGRATION - self._exchanges, ISLANDS)
        for _ in range(due):
            self._exchange(members)
        self._exchanges = max(self._exchanges, proposal // MIGRATION)
        self._islands[proposal % ISLANDS].settle(members, position)

    def _exchange(self, members: Members) -> None:
        best = [island.best for island in self._islands]
        for at, position in enumerate(best):
            if position >= 0:
                self._islands[(at + 1) % ISLANDS].settle(members, position)

    def child_added(self, members: Members, position: int) -> None:
        for island in self._islands:
            island.weigh(members, position)

    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        drawn: dict[int, None] = {}
        for at in range(ISLANDS):
            island = self._islands[(index + at) % ISLANDS]
            drawn |= dict.fromkeys(island.draw(count, rng))
            if len(drawn) >= count:
                break
        return list(drawn)[:count]
