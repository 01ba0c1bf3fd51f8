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

from cambrian.agents.recombine.kinds import KINDS

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

    def tries(self) -> dict[str, int]:
        """How often each kind was decided."""
        return {kind: sums[0] for kind, sums in sorted(self._sums.items())}

    def favour(self) -> dict[str, float]:
        """How much more often each kind is the best than if all paid the same; empty where nothing
        was decided. They are 1 on average."""
        if not self._sums:
            return {}
        tries = np.array([self._sums.get(kind, (0, 0, 0))[0] for kind in KINDS], float)
        totals = np.array([self._sums.get(kind, (0, 0, 0))[1] for kind in KINDS], float) / UNIT
        squares = sum(self._sums.get(kind, (0, 0, 0))[2] for kind in KINDS) / UNIT**2
        mean = float(totals.sum() / tries.sum())
        deviation = math.sqrt(max(squares / float(tries.sum()) - mean * mean, LEAST_DEVIATION**2))
        weight = tries + PRIOR_TRIES
        drawn = (totals + PRIOR_TRIES * mean) / weight + deviation / np.sqrt(weight) * _normals()
        wins = np.bincount(drawn.argmax(axis=1), minlength=len(KINDS))
        return {
            kind: float(count) * len(KINDS) / DRAWS for kind, count in zip(KINDS, wins, strict=True)
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
