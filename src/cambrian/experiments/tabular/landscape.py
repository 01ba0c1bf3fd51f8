"""The table as a landscape: searches over agents that were really measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from cambrian.evolution.rewriting.proposing import LONGEST_CHAIN
from cambrian.evolution.selection.arrays import Floats
from cambrian.experiments.analytic import CROSSOVER
from cambrian.experiments.landscape import Genotype
from cambrian.experiments.tabular import space
from cambrian.experiments.tabular.table import Table, shipped

SEEDS = ("00000000010", "01000000010", "00100000010", "10000000010")
"""Plain fine-tuning, replay, a class-mean head, momentum: at the middle rate, with one step."""


@dataclass(frozen=True)
class TableWorld:
    """The agents of a table: see `World`. It is the same on every repeat; only luck differs."""

    table: Table
    optimum: float
    seeds: Genotype
    rows: dict[bytes, int]

    def values(self, genotype: Genotype) -> Floats:
        """The value of a genotype (axes,) on each family, (families,)."""
        found: Floats = self.table.values[self.rows[genotype.tobytes()]].astype(np.float64)
        return found

    def edit(self, one: Genotype, mate: Genotype | None, steps: int, chances: Floats) -> Genotype:
        """Crossover perhaps, then `steps` moves of one axis to another level; what would be no
        agent of the space is not done. chances: (2 · longest chain + 1 + axes,)."""
        child = one.copy()
        axes = len(space.AXES)
        if mate is not None and chances[2 * LONGEST_CHAIN] < CROSSOVER:
            mixed = np.where(chances[2 * LONGEST_CHAIN + 1 :] < 0.5, one, mate)
            child = mixed if space.valid(mixed) else child
        for which, level in chances[: 2 * steps].reshape(-1, 2):
            axis = int(which * axes)
            moved = child.copy()
            others = len(space.AXES[axis].levels) - 1
            moved[axis] = (child[axis] + 1 + int(level * others)) % (others + 1)
            child = moved if space.valid(moved) else child
        return child


@dataclass(frozen=True)
class TableLandscape:
    """See `Landscape`."""

    table: Table
    name: str = "table"
    threshold: float = 0.95

    @property
    def summary(self) -> str:
        """What it is, in a few words."""
        card = self.table.card
        return f"{card['agents']:,} learning algorithms, {card['measured']:,} of them measured"

    @property
    def families(self) -> int:
        """Entries of a score vector."""
        return int(self.table.values.shape[1])

    @property
    def noise(self) -> float:
        """The standard deviation of a score, as measured."""
        return float(self.table.card["noise"])

    @property
    def chances(self) -> int:
        """Two numbers a move, one for crossover, one an axis."""
        return 2 * LONGEST_CHAIN + 1 + len(space.AXES)

    def world(self, repeat: int) -> TableWorld:
        """The same world on every repeat."""
        return _world(self.table.digest)


@cache
def _world(digest: str) -> TableWorld:
    """The world of the table with that digest, which is the one that ships."""
    table = shipped()
    rows = {one.tobytes(): at for at, one in enumerate(table.space)}
    seeds = np.array([space.untold(digits) for digits in SEEDS])
    optimum = float(table.values.mean(axis=1).max())
    return TableWorld(table, optimum, seeds, rows)
