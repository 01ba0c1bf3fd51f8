"""Landscapes over bit strings whose best value is known.

============== =============================================================== =================
name           what is hard                                                    made for
============== =============================================================== =================
smooth         nothing: the share of ones                                      greedy
deceptive      every block leads away from its best (Deb & Goldberg 1993)      an archive
neutral        plateaus: a block counts when it is complete (Royal Road 1,     not-worse, drift
               Mitchell, Forrest & Holland 1992)
rugged         many local optima (NK, Kauffman & Levin 1987)                   clade, islands
noisy          smooth, and a score says little                                 strict admission
stones         a valley before the peak, along which one family rises          stepping stones
               (after Jump, Droste, Jansen & Wegener 2002)
============== =============================================================== =================

A genotype is a bit string (n,), a family's value is in [0, 1]. One step of an edit flips one bit;
with two parents, one edit in five begins with uniform crossover.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np

from cambrian.errors import UsageError
from cambrian.evolution.rewriting.proposing import LONGEST_CHAIN
from cambrian.evolution.selection.arrays import Floats
from cambrian.experiments.landscape import Genotype

FAMILIES = 4
SEEDS = 4
"""Seed agents, as many as a run has."""
CROSSOVER = 0.2

Worth = Callable[[Genotype], Floats]


@dataclass(frozen=True)
class BitWorld:
    """A world of bit strings: see `World`."""

    optimum: float
    seeds: Genotype
    worth: Worth

    def values(self, genotype: Genotype) -> Floats:
        """The value of a genotype (n,) on each family, (families,)."""
        return self.worth(genotype)

    def edit(self, one: Genotype, mate: Genotype | None, steps: int, chances: Floats) -> Genotype:
        """Crossover perhaps, then `steps` flips of bits drawn alike; chances: (6 + n,)."""
        child = one.copy()
        if mate is not None and chances[LONGEST_CHAIN] < CROSSOVER:
            child = np.where(chances[LONGEST_CHAIN + 1 :] < 0.5, one, mate)
        for chance in chances[:steps]:
            child[int(chance * len(child))] ^= 1
        return child


@dataclass(frozen=True)
class BitLandscape:
    """A landscape of bit strings: see `Landscape`.

    Attributes:
        length: bits. ones: the share of ones in a seed agent.
        worths: makes, from a generator and a length, the function of a world and its optimum.
    """

    name: str
    summary: str
    length: int
    ones: float
    worths: Callable[[np.random.Generator, int], tuple[Worth, float]]
    noise: float = 0.02
    threshold: float = 0.95
    families: int = FAMILIES

    @property
    def chances(self) -> int:
        """Uniform numbers for an edit: a flip each, one for crossover, one a bit."""
        return LONGEST_CHAIN + 1 + self.length

    def world(self, repeat: int) -> BitWorld:
        """The world of this repeat."""
        return _world(self, repeat)


@lru_cache(maxsize=1024)
def _world(landscape: BitLandscape, repeat: int) -> BitWorld:
    rng = np.random.default_rng([repeat, crc32(landscape.name.encode())])
    worth, optimum = landscape.worths(rng, landscape.length)
    drawn = rng.random((SEEDS, landscape.length)) < landscape.ones
    return BitWorld(optimum, drawn.astype(np.int8), worth)


def _in_blocks(one: Genotype, size: int) -> Floats:
    """How many ones each block of `size` bits has, (n / size,)."""
    counts: Floats = one.reshape(-1, size).sum(axis=1, dtype=np.float64)
    return counts


def _per_family(values: Floats) -> Floats:
    """Values (m,) of parts of the genotype, averaged in `FAMILIES` groups, (FAMILIES,)."""
    means: Floats = values.reshape(FAMILIES, -1).mean(axis=1)
    return means


def smooth(rng: np.random.Generator, length: int) -> tuple[Worth, float]:
    """The share of ones, a quarter of the bits to each family (OneMax)."""
    return (lambda one: _in_blocks(one, length // FAMILIES) / (length // FAMILIES)), 1.0


TRAP = 5
LURE = 0.8


def deceptive(rng: np.random.Generator, length: int) -> tuple[Worth, float]:
    """Traps of five bits: u ones are worth 0.8 (4 − u) / 4, and all five 1.

    Deb & Goldberg 1993, "Analyzing deception in trap functions", equation 1, with a = 0.8, z = 4.
    """
    table = np.append(LURE * (TRAP - 1 - np.arange(TRAP)) / (TRAP - 1), 1.0)
    return (lambda one: _per_family(table[_in_blocks(one, TRAP).astype(np.int64)])), 1.0


STEP = 4
BASE = 0.1


def neutral(rng: np.random.Generator, length: int) -> tuple[Worth, float]:
    """Blocks of four bits: 1 when all are ones, else 0.1, so that the floor is not in the way
    (Mitchell, Forrest & Holland 1992, R1)."""
    table = np.append(np.full(STEP, BASE), 1.0)
    return (lambda one: _per_family(table[_in_blocks(one, STEP).astype(np.int64)])), 1.0


EPISTASIS = 4


def rugged(rng: np.random.Generator, length: int) -> tuple[Worth, float]:
    """NK with K = 4 next neighbours on a ring (Kauffman & Levin 1987), stretched so that the worst
    string has 0 and the best 1: every string is looked at, once a world, so n is at most 20.

    A family is the contributions of a quarter of the bits. Stretched families may leave [0, 1].
    """
    tables = rng.random((length, 2 ** (EPISTASIS + 1)))
    around = (np.arange(length)[:, None] + np.arange(EPISTASIS + 1)) % length
    powers = 2 ** np.arange(EPISTASIS + 1)
    rows = np.arange(length)
    totals = np.zeros(2**length)
    every = np.arange(2**length)
    for bit in range(length):
        codes = sum(((every >> at) & 1) << place for place, at in enumerate(around[bit]))
        totals += tables[bit][codes]
    lowest, highest = totals.min() / length, totals.max() / length

    def worth(one: Genotype) -> Floats:
        codes = one[around] @ powers
        stretched: Floats = (_per_family(tables[rows, codes]) - lowest) / (highest - lowest)
        return stretched

    return worth, 1.0


GAP = 5
LEDGE, DIP = 0.7, 0.1


def stones(rng: np.random.Generator, length: int) -> tuple[Worth, float]:
    """A peak behind a valley: with u ones of n, the first family is u / n; the others rise to 0.7
    at n − 5, are 0.6 in between, and 1 at n.

    The step down costs the mean more than the margin of "not worse" (0.05) and less than what a
    new behaviour may cost (0.10), so that the rule `stepping-stones` has a way across.
    """
    table = LEDGE * np.minimum(np.arange(length + 1) / (length - GAP), 1.0)
    table[length - GAP + 1 :] = LEDGE - DIP
    table[length] = 1.0

    def worth(one: Genotype) -> Floats:
        count = int(one.sum())
        return np.array([count / length, *[table[count]] * (FAMILIES - 1)])

    return worth, 1.0


_ALL = (
    BitLandscape("smooth", "the share of ones: nothing is in the way", 32, 0.3, smooth),
    BitLandscape(
        "deceptive",
        "traps of five bits: every step up leads away from the best",
        20,
        0.5,
        deceptive,
    ),
    BitLandscape("neutral", "plateaus: four bits count when all are right", 32, 0.5, neutral),
    BitLandscape("rugged", "NK, K = 4: many local optima", 16, 0.5, rugged),
    BitLandscape(
        "noisy", "the share of ones, through noise five times as large", 32, 0.3, smooth, noise=0.1
    ),
    BitLandscape("stones", "the peak is behind a valley that lower agents cross", 20, 0.4, stones),
)

LANDSCAPES: Mapping[str, BitLandscape] = {one.name: one for one in _ALL}


def landscape(name: str) -> BitLandscape:
    """The landscape of that name.

    Raises:
        UsageError: there is none.
    """
    try:
        return LANDSCAPES[name]
    except KeyError:
        known = ", ".join(LANDSCAPES)
        raise UsageError(f"no landscape is called {name!r}; there are: {known}") from None
