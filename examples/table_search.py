#!/usr/bin/env python3
"""Search a table of measured learning algorithms, with numpy alone and nothing of Cambrian.

    python table_search.py TABLE.npz [REPEATS] [BUDGET]

The table is `src/cambrian/experiments/measured/table.npz`; docs/table.md says what is in it. Here:
sampling at random against hill climbing from a random agent, each told scores with noise, held
against each other by what their best is truly worth.
"""

# ruff: noqa: T201 -- it is a script
from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

Draw = Callable[[], int]


class Table:
    """Agents (N, axes), what each is worth (N,), and one noisy look at it."""

    def __init__(self, path: str) -> None:
        with np.load(path) as held:
            self.agents = held["space"]
            self.worth = held["values"].mean(axis=1)
            self.card: dict[str, Any] = json.loads(str(held["card"]))
        self.at = {agent.tobytes(): row for row, agent in enumerate(self.agents)}
        self.levels = self.agents.max(axis=0) + 1

    def look(self, row: int, rng: np.random.Generator) -> float:
        """A score: the mean over families and three seeds, each with the measured noise."""
        looks = 3 * len(self.card["families"])
        return float(self.worth[row] + self.card["noise"] / looks**0.5 * rng.standard_normal())

    def neighbour(self, row: int, rng: np.random.Generator) -> int:
        """An agent that differs on one axis."""
        while True:
            other = self.agents[row].copy()
            axis = rng.integers(len(other))
            other[axis] = (other[axis] + 1 + rng.integers(self.levels[axis] - 1)) % self.levels[
                axis
            ]
            if other.tobytes() in self.at:
                return self.at[other.tobytes()]


def sample(table: Table, budget: int, rng: np.random.Generator) -> float:
    """The true worth of the best-looking of `budget` random agents."""
    rows = rng.integers(len(table.agents), size=budget)
    return float(table.worth[max(rows, key=lambda row: table.look(row, rng))])


def climb(table: Table, budget: int, rng: np.random.Generator) -> float:
    """The true worth of where a climber is that keeps a neighbour which looks better."""
    row = int(rng.integers(len(table.agents)))
    seen = table.look(row, rng)
    for _ in range(budget - 1):
        other = table.neighbour(row, rng)
        score = table.look(other, rng)
        if score > seen:
            row, seen = other, score
    return float(table.worth[row])


def main() -> None:
    table = Table(sys.argv[1])
    repeats, budget = (*map(int, sys.argv[2:]), *(200, 100)[len(sys.argv) - 2 :])
    print(f"{len(table.agents)} agents, the best worth {table.worth.max():.3f}")
    ends = {
        search.__name__: [search(table, budget, np.random.default_rng(r)) for r in range(repeats)]
        for search in (sample, climb)
    }
    for name, found in ends.items():
        error = 1.96 * np.std(found) / repeats**0.5
        print(f"{name:7} {budget} looks, {repeats} repeats: {np.mean(found):.3f} ± {error:.3f}")


if __name__ == "__main__":
    main()
