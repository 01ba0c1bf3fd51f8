"""`clade`: by what an agent and its descendants have shown."""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from cambrian.archive.tables.clades import UNIT
from cambrian.evolution.selection.arrays import Column, Floats
from cambrian.evolution.selection.members import Members
from cambrian.evolution.selection.strategies.base import Rng, Strategy


class Clade(Strategy):
    """Thompson sampling on clade outcomes, in the manner of HGM, by descending the tree.

    Huxley-Gödel Machine (Wang et al. 2025, arXiv 2510.21614, section 3.2) expands
    argmax_a θ_a with θ_a ~ Beta(τ(1 + n_s^C(a)), τ(1 + n_f^C(a))) over *all* agents a, where n^C
    are successes and failures in the clade of a; τ = 1, as in their code. That is a draw for every
    agent. Here the choice is made level by level, as in a search tree: from the roots on, one
    draw for the clade of each child, Beta(1 + n_s^C, 1 + n_f^C), and one for the member itself
    by its own outcomes, Beta(1 + n_s, 1 + n_f); the largest decides whether to stop at the member
    or in which child to go on. Only children on the way are drawn for. Outcomes and clades: see
    `cambrian.archive.tables.clades`; looking at them changes none (in HGM's released code, every
    look at a clade added its outcomes to the node once more).
    """

    def draw(self, members: Members, count: int, rng: Rng, index: int) -> list[int]:
        drawn: list[int] = []
        for _ in range(count):
            drawn.append(self._descend(members, set(drawn), rng))
        return drawn

    def _descend(self, members: Members, taken: set[int], rng: np.random.Generator) -> int:
        """The member at which a way down from the roots ends; none that is `taken`."""
        gone = _taken_below(members, taken)
        here = -1
        while True:
            open_ = [
                child
                for child in members.below(here)
                if child not in gone or members.clade_members.values[child] > gone[child]
            ]
            stop = here >= 0 and here not in taken
            best, onward = -1.0, here
            if stop:
                best = _beta(members.successes, members.trials, [here], rng)[0]
            if open_:
                draws = _beta(members.clade_successes, members.clade_trials, open_, rng)
                largest = int(np.argmax(draws))
                if draws[largest] > best:
                    onward = open_[largest]
            if onward == here:
                return here
            here = onward


def _taken_below(members: Members, taken: set[int]) -> dict[int, int]:
    """How many taken members each clade has that has any."""
    gone: dict[int, int] = {}
    for position in taken:
        while position >= 0:
            gone[position] = gone.get(position, 0) + 1
            position = int(members.parent.values[position])
    return gone


def _beta(
    successes: Column, trials: Column, positions: list[int], rng: np.random.Generator
) -> Floats:
    won = successes.values[positions] / UNIT
    drawn: Floats = rng.beta(1.0 + won, 1.0 + (trials.values[positions] - won))
    return drawn


def best_belief(members: Members, epsilon: float = 0.01) -> int:
    """HGM's last decision: the member of which most can be believed, as a position.

    argmax over members of the ε quantile of Beta(1 + n_s, 1 + n_f), by their own outcomes (Wang et
    al. 2025, arXiv 2510.21614, section 3.2, I_ε; ε is 1 % there). Of equals the earlier one.

    Raises:
        ValueError: no members.
    """
    if not len(members):
        raise ValueError("expected at least one member to believe in, got none")
    won = members.successes.values / UNIT
    return int(np.argmax(betaincinv(1.0 + won, 1.0 + members.trials.values - won, epsilon)))
