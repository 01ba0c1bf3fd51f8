"""What a search is simulated on: a landscape, and the worlds that are drawn from it.

A landscape is a way to draw worlds; a world has agents (genotypes), what each is worth on every
family of streams, and ways to change one. Whoever brings another kind of landscape, such as a
table of agents that were really measured, makes these two.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from cambrian.evolution.selection.arrays import Floats

Genotype = np.ndarray[Any, np.dtype[np.int8]]


class World(Protocol):
    """One draw of a landscape; equal for every strategy that is compared on the same repeat."""

    @property
    def optimum(self) -> float:
        """The largest true value there is."""
        ...

    @property
    def seeds(self) -> Genotype:
        """The seed agents, (s, n)."""
        ...

    def values(self, genotype: Genotype) -> Floats:
        """What a genotype (n,) is worth on each family, without noise, (families,); its true value
        is their mean."""

    def edit(self, one: Genotype, mate: Genotype | None, steps: int, chances: Floats) -> Genotype:
        """A changed copy (n,) of a genotype (n,), and of a second parent's where there is one.

        Args:
            steps: how many edits in a row, 1 to `LONGEST_CHAIN`.
            chances: uniform numbers from [0, 1), (Landscape.chances,): all there is of luck.
        """


class Landscape(Protocol):
    """A way to draw worlds."""

    @property
    def name(self) -> str:
        """As users know it."""
        ...

    @property
    def summary(self) -> str:
        """What it is, in a few words."""
        ...

    @property
    def families(self) -> int:
        """Entries of a score vector."""
        ...

    @property
    def noise(self) -> float:
        """The standard deviation of a score over seeds, on one family and seed."""
        ...

    @property
    def threshold(self) -> float:
        """The share of the optimum that a search is timed to."""
        ...

    @property
    def chances(self) -> int:
        """How many uniform numbers `World.edit` wants."""
        ...

    def world(self, repeat: int) -> World:
        """The world of this repeat, 0 on: a function of the repeat alone."""
