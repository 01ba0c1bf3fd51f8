"""`uniform`: every member alike."""

from __future__ import annotations

from cambrian.evolution.selection.members import Members
from cambrian.evolution.selection.strategies.base import Rng, Strategy


class Uniform(Strategy):
    """Every member alike."""

    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        drawn: dict[int, None] = {}
        while len(drawn) < count:
            drawn[int(rng.integers(len(members)))] = None
        return list(drawn)
