"""The space of a table: subsets of the catalogue on the composed agent, and levels of main knobs.

A genotype is one small integer for each axis: which level of it an agent has. All agents of the
space differ in code, and each is an agent that `recombine` could come to. The order in which they
are measured fills the space evenly at every length: a scrambled Sobol' sequence (Owen 1998,
"Scrambling Sobol' and Niederreiter-Xing Points"), what it hits twice or what is no agent left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from cambrian.agents.compose import Chosen, compose
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.recombine.operations import MAX_PARTS
from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import SourceTree
from cambrian.experiments.landscape import Genotype


@dataclass(frozen=True)
class Level:
    """What an agent has at a level of an axis.

    Attributes:
        parts: mechanisms, each a name or (name, its keywords).
        knobs: of the learner.
    """

    name: str
    parts: tuple[Chosen, ...] = ()
    knobs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Axis:
    """A choice between levels; `optional` where its parts count against `MAX_PARTS`."""

    name: str
    levels: tuple[Level, ...]
    optional: bool = True


def _either(name: str) -> Axis:
    return Axis(name, (Level("none"), Level(name, (name,))))


def _of(name: str, *parts: str, optional: bool = True) -> Axis:
    none = (Level("none"),) if optional else ()
    return Axis(name, (*none, *(Level(part, (part,)) for part in parts)), optional)


def _knob(name: str, *values: float) -> Axis:
    return Axis(name, tuple(Level(f"{v:g}", knobs={name: v}) for v in values), optional=False)


AXES = (
    _of("optimiser", "sgd", "momentum", "adam", optional=False),
    _of("memory", "reservoir", "dark_replay"),
    Axis(
        "class_mean",
        (
            Level("none"),
            Level("random", ("class_mean",)),
            Level("network", (("class_mean", {"source": "network"}),)),
        ),
    ),
    _either("hopfield"),
    _of("regulariser", "ewc", "gpm"),
    _either("weight_average"),
    _either("self_rate"),
    _either("label_map"),
    _either("gate"),
    _knob("lr", 0.03, 0.1, 0.3),
    _knob("steps", 1, 2),
)
NAMES = tuple(axis.name for axis in AXES)
_AT = {name: at for at, name in enumerate(NAMES)}


def valid(genotype: Genotype) -> bool:
    """Whether a genotype (axes,) is an agent: a gate has heads to choose between, and there are
    no more parts than `recombine` would put together."""
    parts = sum(
        bool(AXES[at].levels[level].parts) for at, level in enumerate(genotype) if AXES[at].optional
    )
    headless = not genotype[_AT["class_mean"]] and not genotype[_AT["hopfield"]]
    return parts <= MAX_PARTS and not (genotype[_AT["gate"]] and headless)


@cache
def size() -> int:
    """How many agents there are."""
    every = product(*(range(len(axis.levels)) for axis in AXES))
    return sum(valid(np.array(levels, dtype=np.int8)) for levels in every)


def mechanisms() -> tuple[str, ...]:
    """The mechanisms that agents of the space are made of, by name, sorted: those of the axes, and
    those that the seed agent has where no axis chooses."""
    parts = (part for axis in AXES for level in axis.levels for part in level.parts)
    chosen = {part if isinstance(part, str) else part[0] for part in parts}
    return tuple(sorted(chosen | {part.module for part in Agent.of(load_seed("composed")).parts}))


def agent(genotype: Genotype) -> SourceTree:
    """The code of an agent, of its genotype (axes,)."""
    levels = [axis.levels[at] for axis, at in zip(AXES, genotype, strict=True)]
    knobs: dict[str, Any] = {}
    for level in levels:
        knobs |= level.knobs
    return compose(*(part for level in levels for part in level.parts), **knobs)


def told(genotype: Genotype) -> str:
    """A genotype (axes,) as digits."""
    return "".join(str(level) for level in genotype)


def untold(digits: str) -> Genotype:
    """The genotype (axes,) of its digits."""
    return np.array([int(digit) for digit in digits], dtype=np.int8)


def sampled(count: int) -> Iterator[Genotype]:
    """The first `count` different agents, each (axes,), of an order that fills the space evenly;
    fewer where the space has no more."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(len(AXES), scramble=True, rng=np.random.default_rng(0))
    levels = np.array([len(axis.levels) for axis in AXES])
    known: set[str] = set()
    while len(known) < min(count, size()):
        for point in sequence.random(1024):
            genotype = np.minimum(point * levels, levels - 1).astype(np.int8)
            if valid(genotype) and told(genotype) not in known and len(known) < count:
                known.add(told(genotype))
                yield genotype
