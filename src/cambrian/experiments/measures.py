"""What is measured of a finished search, for one repeat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cambrian.experiments.search import Agent, Search

CHECKPOINTS = (25, 100, 500, 2000)
"""Proposals after which the champion is looked at."""
DIGITS = 4


def measures(search: Search, threshold: float) -> dict[str, float | int | None]:
    """The figures of a search.

    `at_25`, … the champion's true value after so many proposals, as far as the budget goes, and
    `at_end`; `area` its mean over all proposals; `time` the first proposal (from 1) after which it
    is at least `threshold`, None where it never is; `diversity` the mean share of bits in which
    two members differ; `stones` the ancestors of the champion that were not better than their
    parent; `members` how many there are.
    """
    curve = np.array(search.champions)
    reached = np.flatnonzero(curve >= threshold)
    found: dict[str, float | int | None] = {
        f"at_{point}": round(float(curve[point - 1]), DIGITS)
        for point in CHECKPOINTS
        if point <= len(curve)
    }
    return {
        **found,
        "at_end": round(float(curve[-1]), DIGITS),
        "area": round(float(curve.mean()), DIGITS),
        "time": int(reached[0]) + 1 if len(reached) else None,
        "diversity": round(diversity(search.members), DIGITS),
        "stones": stones(search.agents, search.champion),
        "members": len(search.members),
    }


def diversity(members: Sequence[Agent]) -> float:
    """The mean, over pairs of members, of the share of places in which their genotypes (bit
    strings) differ; 0 for one member."""
    count = len(members)
    if count < 2:
        return 0.0
    shares = np.mean([member.genotype for member in members], axis=0)
    return float(2 * np.mean(shares * (1 - shares)) * count / (count - 1))


def stones(agents: Sequence[Agent], champion: Agent) -> int:
    """How many ancestors of the champion, by the parent they were held against, were truly not
    better than their own parent. Seed agents have none and do not count, nor does the champion."""
    found, here = 0, champion.parent
    while here >= 0:
        agent = agents[here]
        if agent.parent >= 0 and agent.value <= agents[agent.parent].value:
            found += 1
        here = agent.parent
    return found
