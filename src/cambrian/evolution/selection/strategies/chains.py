"""`random`: no archive, only seed agents."""

from __future__ import annotations

import numpy as np

from cambrian.evolution.selection.members import Members
from cambrian.evolution.selection.strategies.base import Rng, Strategy


class Chains(Strategy):
    """Every seed agent alike, and nobody else: the baseline of random search.

    With it a proposal is a chain of one to five recombinations in a row, weighted by nothing that
    was learned (`rewriting.proposing`), so that the code it reaches is as far from a seed as that
    of an archive's descendants.
    """

    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        rootless = (members.parent.values < 0) & (members.proposal.values < 0)
        roots = np.flatnonzero(rootless) if len(members) else np.empty(0)
        chosen = rng.choice(len(roots), min(count, len(roots)), replace=False)
        return [int(roots[at]) for at in chosen]
