"""What a strategy is: one way to draw parents from the members."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from cambrian.evolution.selection.lineages import Lineages
from cambrian.evolution.selection.members import MemberListener, Members

Rng = np.random.Generator


class Strategy(MemberListener, ABC):
    """One way to draw; kept up to date by the members it watches.

    What it keeps is a function of the members alone, so that it draws the same whether it was
    there when they joined or looks at them afterwards.

    Attributes:
        needs_vectors: whether it reads `members.vectors`.
        needs_lineages: whether it reads `lineages`, which is None where there is no archive.
    """

    needs_vectors: ClassVar[bool] = False
    needs_lineages: ClassVar[bool] = False
    lineages: Lineages | None = None

    @abstractmethod
    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        """`count` different positions; there are as many members at least.

        Args:
            index: the proposal that they are for.
        """
