"""`greedy`: only the best."""

from __future__ import annotations

from cambrian.evolution.selection.arrays import Ranking
from cambrian.evolution.selection.members import Members
from cambrian.evolution.selection.strategies.base import Rng, Strategy


class Greedy(Strategy):
    """The members with the largest score, always; of equals the earlier one."""

    def loaded(self, members: Members) -> None:
        self._ranking = Ranking(members.score.values)

    def added(self, members: Members, position: int) -> None:
        self._ranking.add(float(members.score.values[position]))

    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        return [self._ranking.at(rank) for rank in range(count)]
