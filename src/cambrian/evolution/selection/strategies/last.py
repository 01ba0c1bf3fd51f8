"""`last`: no archive, only the newest member."""

from __future__ import annotations

from cambrian.evolution.selection.members import Members
from cambrian.evolution.selection.strategies.base import Rng, Strategy


class Last(Strategy):
    """The members that joined last, the newest first.

    Darwin Gödel Machine (Zhang et al. 2025, arXiv 2505.22954, section 4.3), the baseline without
    open-ended exploration: each step builds on the latest agent that was kept.
    """

    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        return [len(members) - 1 - back for back in range(count)]
