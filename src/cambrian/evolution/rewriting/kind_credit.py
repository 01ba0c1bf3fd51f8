"""How proposals are shared between tuning and the ways to change a structure: a bandit.

Thompson sampling (Thompson 1933; Agrawal & Goyal 2012): each kind's mean reward has a Gaussian
posterior, and a kind is picked as often as it is the best under a draw from all of them. The reward
of a proposal is its gain over the parent on the screen, 0 where that is negative (what a search
keeps is improvements; Fialho et al. 2010 credit extremes likewise). `agents.recombine.kinds` holds
each kind above a floor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cambrian.agents.recombine.kinds import KINDS, TABLES

PRIOR_TRIES = 8
"""So many proposals' worth each kind is believed to pay what all of them paid on average."""
LEAST_DEVIATION = 0.01
DRAWS = 512
UNIT = 10**6
"""Rewards are kept in millionths: sums of whole numbers do not depend on their order."""


class KindCredit:
    """Tries and rewards of each kind of operation, for a chain a share of its reward each."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, int, int]] = {}

    def learn(self, kinds: list[str], gain: float) -> None:
        """Take in a proposal of these kinds, with its gain over the parent."""
        reward = round(max(gain, 0.0) / len(kinds) * UNIT) if kinds else 0
        for kind in kinds:
            tries, total, squares = self._sums.get(kind, (0, 0, 0))
            self._sums[kind] = tries + 1, total + reward, squares + reward * reward

    def forget(self) -> None:
        """Drop all that was learned."""
        self._sums.clear()

    def favour(self) -> dict[str, dict[str, float]]:
        """For each table of shares how much more often each of its kinds is the best of them than
        if all paid the same (1 on average); a table of which nothing was decided is left out."""
        found = {name: self._favoured(sorted(table)) for name, table in TABLES.items()}
        return {name: favour for name, favour in found.items() if favour}

    def _favoured(self, kinds: list[str]) -> dict[str, float]:
        sums = np.array([self._sums.get(kind, (0, 0, 0)) for kind in kinds], float)
        tries, totals, squares = sums[:, 0], sums[:, 1] / UNIT, sums[:, 2].sum() / UNIT**2
        count = float(tries.sum())
        if not count:
            return {}
        mean = float(totals.sum()) / count
        deviation = math.sqrt(max(float(squares) / count - mean * mean, LEAST_DEVIATION**2))
        weight = tries + PRIOR_TRIES
        draws = deviation / np.sqrt(weight) * _normals()[:, : len(kinds)]
        best = ((totals + PRIOR_TRIES * mean) / weight + draws).argmax(axis=1)
        wins = np.bincount(best, minlength=len(kinds))
        return {
            kind: float(won) * len(kinds) / DRAWS for kind, won in zip(kinds, wins, strict=True)
        }


def kinds_of(operation: Mapping[str, object]) -> list[str]:
    """The kinds of an operation, or of a chain of them in order; those that are known."""
    steps = operation.get("chain", [operation])
    found = (
        [step.get("kind") for step in steps if isinstance(step, dict)]
        if isinstance(steps, list)
        else []
    )
    return [kind for kind in found if kind in KINDS]


@lru_cache(maxsize=1)
def _normals() -> NDArray[np.float64]:
    """The same standard normal draws each time, (DRAWS, kinds)."""
    return np.random.default_rng(0).normal(size=(DRAWS, len(KINDS)))
