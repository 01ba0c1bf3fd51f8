"""What tuning by an optimiser is worth: CMA-ES for a structure against moves at random.

    python benchmarks/tuning.py [--repeats 200] [--proposals 120] [--quick] [--json FILE]

Both ways tune the real knobs (ranges, scales, whole numbers) of a learner made of the seed agent
`composed` and more mechanisms, with the code of a search: `tuning.drawn` and `Optimiser`. What is
judged is analytic, a score over the places of the knobs with its best within: few knobs matter
much, as in learners (Dirichlet weights), and every score has noise.

- separable: each knob by itself;
- interaction: what is best for one depends on others;
- cliff: a learner that is too far off on a knob that matters fails;
- near: by itself, from a start near the best, as learners are whose defaults were tuned.

A proposal sees what was decided six proposals before; its parent is one of the best by what was
measured. The figure is the shortfall: how far the true score of the one that measured best is from
the best there is. Repeats are paired by seed (the same objective, start and noise); a ratio is the
median over pairs, and its interval a bootstrap's, 95 %. Exit code 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from _table import Figure, report

from cambrian.agents.catalogue import catalogue
from cambrian.agents.recombine import operations
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.recombine.structure import Place, places_of
from cambrian.agents.recombine.tuning import Learned, drawn
from cambrian.agents.seeds import load_seed
from cambrian.evolution.rewriting.optimisers import Optimiser
from cambrian.evolution.settings import LAG

OBJECTIVES = ("separable", "interaction", "cliff", "near")
CHECKPOINTS = {16: 1.0, 40: 0.9, 120: 0.8}
"""After so many proposals, the shortfall of the optimiser over that of random moves, at most."""
NO_WORSE = 1.05
"""The same, from a start near the best, where noise is as large as what is left to gain."""
NOISE = 0.01
FAILS = -1.0
NEAR = 0.1
"""How far off each knob is at a start near the best, of its range (a standard deviation)."""


def learner(grafts: int) -> list[Place]:
    """The knobs of the seed agent `composed` after so many grafts."""
    agent, rng = Agent.of(load_seed("composed")), random.Random(4)
    for _ in range(grafts):
        agent = operations.graft(agent, catalogue(), rng).agent
    return places_of(agent)


@dataclass(frozen=True)
class Objective:
    """A score over places, with its best, 0, at `best`."""

    kind: str
    best: np.ndarray
    weights: np.ndarray

    def __call__(self, at: Sequence[float]) -> float:
        off = np.array(at) - self.best
        first, second, third = np.argsort(-self.weights)[:3]
        score = -float(self.weights @ (off * off))
        if self.kind == "interaction":
            score -= 0.5 * float(self.weights[first] * (off[first] + off[second]) ** 2)
            score -= 0.5 * float(self.weights[second] * (off[second] - off[third]) ** 2)
        if self.kind == "cliff" and abs(off[first]) > 0.6:
            return FAILS
        return score

    @classmethod
    def drawn(cls, kind: str, knobs: int, seed: int) -> Objective:
        """Few knobs matter much, most little, and about a third not at all."""
        rng = np.random.default_rng([seed, OBJECTIVES.index(kind)])
        weights = rng.dirichlet(np.full(knobs, 0.35))
        weights[np.argsort(weights)[: knobs // 3]] = 0.0
        return cls(kind, rng.uniform(0.05, 0.95, knobs), weights / weights.sum())


@dataclass
class Trace:
    """Shortfalls at the checkpoints, and the share of proposals that moved idle knobs only."""

    shortfalls: list[float]
    neutral: float


def search(
    objective: Objective, places: Sequence[Place], optimise: bool, seed: int, checkpoints: list[int]
) -> Trace:
    """Propose, judge, decide; a proposal sees what was decided `LAG` before."""
    rng, noise = random.Random(f"{seed}/tune"), np.random.default_rng([seed, 1])
    start = [place.knob.at(0.2 + 0.6 * rng.random()) for place in places]
    if objective.kind == "near":
        off = [rng.gauss(0.0, NEAR) for _ in places]
        start = [p.knob.at(b + o) for p, b, o in zip(places, objective.best, off, strict=True)]
    first = [replace(place, value=value) for place, value in zip(places, start, strict=True)]
    optimiser = Optimiser(len(places))
    members = [(-objective([place.at for place in first]), 0, first)]
    best_seen, best = members[0][0], objective([place.at for place in first])
    waiting: list[tuple[float, int, list[Place], list[Place]]] = []
    found, neutral = [], 0
    for index in range(1, checkpoints[-1] + 1):
        if len(waiting) >= LAG:
            cost, number, child, its = waiting.pop(0)
            insort(members, (cost, number, child), key=lambda member: member[:2])
            at = [[place.at for place in which] for which in (child, its)]
            optimiser.tell(number, at[0], -cost, at[1])
        parent = members[min(int(rng.expovariate(2 / 3)), len(members) - 1)][2]
        points = optimiser.ask(rng.getrandbits(32)) if optimise else []
        learned = Learned(optimise=optimise, structure="s" if points else "", points=points)
        moves = {place.name: value for place, value in drawn(parent, rng, learned, "s")}
        child = [replace(place, value=moves.get(place.name, place.value)) for place in parent]
        true = objective([place.at for place in child])
        changed = zip(objective.weights, child, parent, strict=True)
        neutral += not any(weight > 0 and one != other for weight, one, other in changed)
        cost = -(true + float(noise.normal(0.0, NOISE)))
        waiting.append((cost, index, child, parent))
        if cost < best_seen:
            best_seen, best = cost, true
        if index in checkpoints:
            found.append(-best)
    return Trace(found, neutral / checkpoints[-1])


def interval(values: Sequence[float], of: Callable[[np.ndarray], np.ndarray]) -> tuple[float, ...]:
    """A bootstrap's 95 % interval of a statistic over the last axis."""
    rng, given = np.random.default_rng(0), np.array(values)
    drawn_at = rng.integers(0, len(given), (1000, len(given)))
    return tuple(float(edge) for edge in np.quantile(of(given[drawn_at]), [0.025, 0.975]))


def compare(kind: str, places: Sequence[Place], repeats: int, at: list[int]) -> list[Figure]:
    """Both ways on the same objectives; ratios at each checkpoint."""
    pairs = []
    for seed in range(repeats):
        objective = Objective.drawn(kind, len(places), seed)
        pairs.append([search(objective, places, way, seed, at) for way in (True, False)])
    rows = []
    for number, proposals in enumerate(at):
        ours, theirs = ([pair[way].shortfalls[number] for pair in pairs] for way in (0, 1))
        ratios = [
            max(one, 1e-12) / max(other, 1e-12) for one, other in zip(ours, theirs, strict=True)
        ]
        low, high = interval(ratios, lambda drawn_: np.median(drawn_, axis=-1))
        note = f"[{low:.2f}, {high:.2f}]; {statistics.median(ours):.4f} against "
        note += f"{statistics.median(theirs):.4f}; better in "
        note += f"{sum(ratio < 1 for ratio in ratios) / repeats:.0%}"
        name = f"{kind}, after {proposals}: shortfall / random's"
        target = NO_WORSE if kind == "near" else CHECKPOINTS[proposals]
        rows.append(Figure(name, statistics.median(ratios), "x", target, note=note))
    idle, idle_at_random = (statistics.mean(pair[way].neutral for pair in pairs) for way in (0, 1))
    note = f"random: {100 * idle_at_random:.1f} %"
    rows.append(Figure(f"{kind}: only idle knobs moved", 100 * idle, "%", note=note))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--proposals", type=int, default=max(CHECKPOINTS))
    parser.add_argument("--grafts", type=int, default=3, help="onto the seed agent composed")
    parser.add_argument("--quick", action="store_true", help="50 repeats of 40 proposals")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    if given.repeats < 2 or given.proposals < min(CHECKPOINTS):
        parser.error(f"expected 2 repeats and {min(CHECKPOINTS)} proposals, or more")
    if given.quick:
        given.repeats, given.proposals = min(given.repeats, 50), min(given.proposals, 40)
    places = learner(given.grafts)
    at = [number for number in CHECKPOINTS if number <= given.proposals]
    rows = [row for kind in OBJECTIVES for row in compare(kind, places, given.repeats, at)]
    if given.json:
        whole = {"knobs": [place.name for place in places], "repeats": given.repeats}
        told = [vars(row) | {"verdict": row.verdict} for row in rows]
        given.json.write_text(json.dumps(whole | {"figures": told}, indent=2) + "\n", "utf-8")
    return report(f"Tuning {len(places)} knobs, {given.repeats} pairs", rows)


if __name__ == "__main__":
    sys.exit(main())
