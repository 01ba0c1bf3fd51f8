"""Which agent is rewritten next: named strategies over the archive's members.

Each is a function of the members and a generator, and of nothing else, so that proposal k draws
the same parent whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cambrian.errors import UsageError

STEEPNESS, MIDPOINT = 10.0, 0.5


@dataclass(frozen=True)
class Candidate:
    """What selection may know of a member.

    Attributes:
        agent_id: its identity. score: mean normalised score. children: admitted children.
    """

    agent_id: str
    score: float
    children: int


Weights = Callable[[Sequence[Candidate]], "np.ndarray[tuple[int], np.dtype[np.float64]]"]


def dgm(members: Sequence[Candidate]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """p ∝ σ(λ(score − α₀)) · 1/(1 + children), λ = 10, α₀ = 0.5.

    Darwin Gödel Machine (Zhang et al. 2025, arXiv 2505.22954, appendix C.2).
    """
    score = np.array([m.score for m in members], dtype=np.float64)
    children = np.array([m.children for m in members], dtype=np.float64)
    return 1.0 / (1.0 + np.exp(-STEEPNESS * (score - MIDPOINT))) / (1.0 + children)


def uniform(members: Sequence[Candidate]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Every member alike."""
    return np.ones(len(members))


STRATEGIES: dict[str, Weights] = {"dgm": dgm, "uniform": uniform}


def strategy(name: str) -> Weights:
    """The strategy of that name.

    Raises:
        UsageError: there is none.
    """
    try:
        return STRATEGIES[name]
    except KeyError:
        known = ", ".join(STRATEGIES)
        raise UsageError(f"no selection strategy is called {name!r}; there are: {known}") from None


def select(
    members: Sequence[Candidate], weights: Weights, count: int, rng: np.random.Generator
) -> list[str]:
    """Draw up to `count` different members; fewer where there are fewer.

    Raises:
        ValueError: no members.
    """
    if not members:
        raise ValueError("expected at least one member to select from, got none")
    probability = weights(members)
    probability = probability / probability.sum()
    chosen = rng.choice(len(members), min(count, len(members)), replace=False, p=probability)
    return [members[int(i)].agent_id for i in chosen]
