"""Which agent is rewritten next: named strategies over the members as decided through a proposal.

=========== ================================================================ ====================
name        drawn in proportion to                                           cost of a draw
=========== ================================================================ ====================
dgm         σ(λ(score − α₀)) / (1 + children)                                O(log n)
clade       Thompson sampling on clade outcomes, down the tree               children on the way
power-law   rank^−α, the best has rank 1                                     O(log n)
uniform     1                                                                O(1)
greedy      only the best                                                    O(1)
=========== ================================================================ ====================

A draw is a function of the members as decided through a proposal and of a generator, and of
nothing else, so that proposal k draws the same parents whoever asks and after whatever kill. What
each strategy keeps to be fast is a function of the members alone (`columns`, `members`).

Two parents are drawn one after the other: the second as if the first were not there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from cambrian.archive import Archive
from cambrian.archive.tables.clades import UNIT
from cambrian.errors import UsageError
from cambrian.evolution.selection.arrays import SMALLEST, Column, Floats, Ranking, SumTree
from cambrian.evolution.selection.members import MemberListener, MemberTable

STEEPNESS, MIDPOINT = 10.0, 0.5
ALPHA = 1.0
_FLAT = 700.0
"""Beyond this exponent a sigmoid is no longer told from 0: nobody's weight is quite 0."""


@dataclass(frozen=True)
class Parent:
    """A drawn member."""

    agent_id: str
    number: int
    score: float


class Selection:
    """Draws parents by a strategy from an archive's members."""

    def __init__(self, archive: Archive, name: str) -> None:
        self._strategy = strategy(name)()
        self._members = MemberTable(archive, self._strategy)

    def draw(self, through: int | None, count: int, rng: np.random.Generator) -> list[Parent]:
        """Up to `count` different members (fewer where there are fewer), the better one first.

        Args:
            through: the proposal through which decisions are seen; None: all there are.

        Raises:
            ValueError: no members.
        """
        members = self._members
        members.see(through)
        if not len(members):
            raise ValueError("expected at least one member to select from, got none")
        positions = self._strategy.draw(members, min(count, len(members)), rng)
        drawn = [
            Parent(
                members.agent_id(at),
                int(members.number.values[at]),
                float(members.score.values[at]),
            )
            for at in positions
        ]
        return sorted(drawn, key=lambda parent: (-parent.score, parent.number))


class Strategy(MemberListener, ABC):
    """One way to draw; kept up to date by the members it watches."""

    @abstractmethod
    def draw(self, members: MemberTable, count: int, rng: np.random.Generator) -> list[int]:
        """`count` different positions; there are as many members at least."""


def dgm_weights(score: Floats, children: np.ndarray) -> Floats:
    """σ(λ(score − α₀)) · 1/(1 + children), λ = 10, α₀ = 0.5, of scores (n,) and children (n,).

    Darwin Gödel Machine (Zhang et al. 2025, arXiv 2505.22954, appendix C.2). `children` counts
    admitted ones. (The paper leaves agents with a perfect score out; a normalised score has no
    such end.)
    """
    exponent = np.clip(-STEEPNESS * (score - MIDPOINT), -_FLAT, _FLAT)
    weights: Floats = 1.0 / (1.0 + np.exp(exponent)) / (1.0 + children)
    return weights


class Dgm(Strategy):
    """p ∝ σ(λ(score − α₀)) / (1 + children): see `dgm_weights`; exact, by a tree of sums."""

    def loaded(self, members: MemberTable) -> None:
        self._sums = SumTree(dgm_weights(members.score.values, members.children.values))

    def added(self, members: MemberTable, position: int) -> None:
        self._weigh(members, position)

    def child_added(self, members: MemberTable, position: int) -> None:
        self._weigh(members, position)

    def _weigh(self, members: MemberTable, position: int) -> None:
        one = slice(position, position + 1)
        self._sums[position] = float(
            dgm_weights(members.score.values[one], members.children.values[one])[0]
        )

    def draw(self, members: MemberTable, count: int, rng: np.random.Generator) -> list[int]:
        drawn: dict[int, float] = {}
        for _ in range(count):
            position = self._sums.find(rng.random() * self._sums.total)
            drawn[position] = self._sums[position]
            self._sums[position] = 0.0
        for position, weight in drawn.items():
            self._sums[position] = weight
        return list(drawn)


class Uniform(Strategy):
    """Every member alike."""

    def draw(self, members: MemberTable, count: int, rng: np.random.Generator) -> list[int]:
        drawn: dict[int, None] = {}
        while len(drawn) < count:
            drawn[int(rng.integers(len(members)))] = None
        return list(drawn)


class Greedy(Strategy):
    """The members with the largest score, always; of equals the earlier one."""

    def loaded(self, members: MemberTable) -> None:
        self._ranking = Ranking(members.score.values)

    def added(self, members: MemberTable, position: int) -> None:
        self._ranking.add(float(members.score.values[position]))

    def draw(self, members: MemberTable, count: int, rng: np.random.Generator) -> list[int]:
        return [self._ranking.at(rank) for rank in range(count)]


class PowerLaw(Greedy):
    """p ∝ r^−α for the member of rank r by score, 1 for the best, α = 1.

    ShinkaEvolve (Lange et al. 2025, arXiv 2509.19349, section 3.1, power-law sampling): α = 0
    would be uniform, α → ∞ greedy.
    """

    def loaded(self, members: MemberTable) -> None:
        super().loaded(members)
        self._room(len(members))

    def added(self, members: MemberTable, position: int) -> None:
        super().added(members, position)
        if len(members) > len(self._sums):
            self._room(len(members))

    def _room(self, members: int) -> None:
        """Running sums of r^−α, which depend on no member: for more ranks than there are."""
        ranks = 1 << max(members, SMALLEST).bit_length()
        self._sums: Floats = np.cumsum(np.arange(1, ranks + 1, dtype=np.float64) ** -ALPHA)

    def draw(self, members: MemberTable, count: int, rng: np.random.Generator) -> list[int]:
        sums, drawn = self._sums[: len(members)], dict[int, None]()
        while len(drawn) < count:
            rank = int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
            drawn[min(rank, len(sums) - 1)] = None
        return [self._ranking.at(rank) for rank in drawn]


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

    def draw(self, members: MemberTable, count: int, rng: np.random.Generator) -> list[int]:
        drawn: list[int] = []
        for _ in range(count):
            drawn.append(self._descend(members, set(drawn), rng))
        return drawn

    def _descend(self, members: MemberTable, taken: set[int], rng: np.random.Generator) -> int:
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


def _taken_below(members: MemberTable, taken: set[int]) -> dict[int, int]:
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


STRATEGIES: dict[str, type[Strategy]] = {
    "dgm": Dgm,
    "clade": Clade,
    "power-law": PowerLaw,
    "uniform": Uniform,
    "greedy": Greedy,
}


def strategy(name: str) -> type[Strategy]:
    """The strategy of that name.

    Raises:
        UsageError: there is none.
    """
    try:
        return STRATEGIES[name]
    except KeyError:
        known = ", ".join(STRATEGIES)
        raise UsageError(f"no selection strategy is called {name!r}; there are: {known}") from None
