"""One simulated search: the loop of a run, with a landscape in the place of everything slow.

Selection, admission, the lag and the lengths of edits are the real code. Proposal k draws two
parents from the members as decided through k − L with the generator of (seed, k); its child is
held against the better one; a genotype that is known is tried again up to five times, then the
proposal is spent.

Luck is common: edits and the noise of proposal k, and the shared effect of each seed, are the same
for every strategy and rule on the same repeat, so that searches are compared in pairs.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from cambrian.archive.tables.clades import UNIT
from cambrian.evaluators.statistics import mean_interval
from cambrian.evolution.admission.neighbours import Neighbours
from cambrian.evolution.admission.results import SEARCH_SEEDS
from cambrian.evolution.admission.rules import ArchiveState
from cambrian.evolution.admission.thresholds import NEW, AdmissionName, Rules
from cambrian.evolution.rewriting.proposing import TRIES, edits_in_a_row
from cambrian.evolution.selection.arrays import Floats
from cambrian.evolution.selection.members import Joined, Members
from cambrian.evolution.selection.selection import strategy
from cambrian.evolution.settings import LAG
from cambrian.experiments.admitting import DrawnScores, route
from cambrian.experiments.landscape import Genotype, Landscape

SHARED = 0.05
"""The standard deviation, over seeds, of what is the same for every agent on a family and seed."""


@dataclass(frozen=True)
class Agent:
    """Someone who was evaluated.

    Attributes:
        value: the true value. lower: the lower bound of the score, which champions go by.
        parent: the number of the one it was held against; −1 for a seed agent.
    """

    number: int
    genotype: Genotype
    value: float
    lower: float
    parent: int
    others: tuple[int, ...]
    scores: Floats
    results: DrawnScores
    admitted: bool = True


@dataclass(frozen=True)
class Luck:
    """All that is drawn for a repeat: chances (budget, tries, c), noise (seeds + budget, families,
    search seeds), shared (families, search seeds)."""

    chances: Floats
    noise: Floats
    shared: Floats


def luck(landscape: Landscape, repeat: int, seeds: int, budget: int) -> Luck:
    """What a repeat draws; that of a smaller budget is the beginning of that of a larger one."""
    name = crc32(landscape.name.encode())
    one, two, three = (np.random.default_rng([repeat, name, at]) for at in (1, 2, 3))
    shape = landscape.families, len(SEARCH_SEEDS)
    return Luck(
        one.random((budget, TRIES, landscape.chances)),
        landscape.noise * two.standard_normal((seeds + budget, *shape)),
        SHARED * three.standard_normal(shape),
    )


class Search:
    """A search by one strategy and one rule on one repeat of a landscape.

    Attributes:
        agents: everyone who was evaluated, by number, seed agents first.
        champions: the true value of the champion after each proposal; the champion is the member
            with the best lower bound, as decided.
    """

    def __init__(
        self, landscape: Landscape, repeat: int, name: str, admission: AdmissionName, budget: int
    ) -> None:
        self.world = landscape.world(repeat)
        self.agents: list[Agent] = []
        self.champions: list[float] = []
        self._seed = repeat
        self._admission, self._rules = admission, Rules()
        self._names = tuple(f"f{at}" for at in range(landscape.families))
        self._chained = name == "random"
        self._strategy = strategy(name)()
        self._members = Members(
            self._strategy, landscape.families if self._strategy.needs_vectors else 0
        )
        self._strategy.loaded(self._members)
        self._position: dict[int, int] = {}
        self._known: set[bytes] = set()
        self._champion = -1
        self._admitted = self._novel = 0
        self._behaviours = Neighbours(np.empty((0, 0)))
        self._luck = luck(landscape, repeat, len(self.world.seeds), budget)
        for genotype in self.world.seeds:
            agent = self._evaluated(genotype, -1, ())
            self._keep(agent)
            self._see(-1, agent)

    @property
    def champion(self) -> Agent:
        """The member with the best lower bound; of equals the earlier one."""
        return self.agents[self._champion]

    @property
    def members(self) -> list[Agent]:
        """Everyone who was admitted, seed agents first."""
        return [agent for agent in self.agents if agent.admitted]

    def run(self) -> Search:
        """Spend the budget; the search itself, for chaining."""
        undecided: deque[tuple[int, Agent]] = deque()
        for index in range(len(self._luck.chances)):
            while undecided and undecided[0][0] <= index - LAG:
                self._see(*undecided.popleft())
            child = self._propose(index)
            if child is not None:
                undecided.append((index, child))
            self.champions.append(self.champion.value)
        return self

    def _propose(self, index: int) -> Agent | None:
        """The child of a proposal, decided; None where every try was known."""
        rng = np.random.default_rng([self._seed, index])
        count = min(2, len(self._members))
        drawn = self._strategy.draw(self._members, count, rng, index)
        score, number = self._members.score.values, self._members.number.values
        parents = sorted((-score[at], number[at]) for at in drawn)
        numbers = [int(which) for _, which in parents]
        genotypes = [self.agents[which].genotype for which in numbers]
        steps = edits_in_a_row(self._seed, index, chained=self._chained)
        mate = genotypes[1] if count > 1 else None
        for chances in self._luck.chances[index]:
            genotype = self.world.edit(genotypes[0], mate, steps, chances)
            if genotype.tobytes() not in self._known:
                child = self._evaluated(genotype, numbers[0], tuple(numbers), index)
                if child.admitted:
                    self._keep(child)
                return child
        return None

    def _evaluated(
        self, genotype: Genotype, parent: int, others: tuple[int, ...], index: int = -1
    ) -> Agent:
        self._known.add(genotype.tobytes())
        values = self.world.values(genotype)
        row = len(self.world.seeds) + index if index >= 0 else len(self.agents)
        scores = values[:, None] + self._luck.shared + self._luck.noise[row]
        results = DrawnScores(self._names, scores)
        admitted = parent < 0 or self._is_admitted(results, self.agents[parent].results)
        lower = mean_interval(results.per_seed(self._names, SEARCH_SEEDS)).lower
        value = float(values.mean())
        agent = Agent(
            len(self.agents), genotype, value, lower, parent, others, scores, results, admitted
        )
        self.agents.append(agent)
        return agent

    def _is_admitted(self, child: DrawnScores, parent: DrawnScores) -> bool:
        standing = ArchiveState(self._behaviours, self._admitted, self._novel)
        way = route(child, parent, self._names, standing, self._rules, self._admission)
        self._admitted += way is not None
        self._novel += way is not None and way.reason == NEW
        return way is not None

    def _keep(self, agent: Agent) -> None:
        """What decisions know at once: in proposal order there is no lag between them."""
        if self._champion < 0 or agent.lower > self.champion.lower:
            self._champion = agent.number
        if self._admission == "stepping-stones":
            behaviour = agent.results.behaviour(self._names, SEARCH_SEEDS)
            self._behaviours.add(behaviour.mean(axis=0))

    def _see(self, index: int, agent: Agent) -> None:
        """What selection knows, `LAG` proposals later."""
        trials = agent.scores.size
        successes = int(np.rint(np.clip(agent.scores, 0.0, 1.0) * UNIT).sum())
        parent = self._position.get(agent.parent, -1)
        members = self._members
        members.climb(parent, successes, trials, int(agent.admitted))
        if not agent.admitted:
            return
        self._position[agent.number] = len(members)
        vector = agent.scores.mean(axis=1)
        joined = Joined(agent.number, float(vector.mean()), parent, index, successes, trials)
        shape = members.vectors.values.shape[1]
        members.join(joined, vector[:shape], [self._position[other] for other in agent.others])
