"""A simulated search is a run without the slow parts: the same draws, gates and lag."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from tests.evolution.selection.grove import Grove

from cambrian.archive import Archive
from cambrian.archive.tables.clades import UNIT
from cambrian.evolution.admission.neighbours import Neighbours
from cambrian.evolution.admission.results import SEARCH_SEEDS
from cambrian.evolution.admission.rules import ArchiveState, judge
from cambrian.evolution.admission.thresholds import ADMISSIONS, AdmissionName, Rules
from cambrian.evolution.selection.members import Joined, Members
from cambrian.evolution.selection.selection import STRATEGIES, Selection, strategy
from cambrian.evolution.settings import LAG
from cambrian.experiments.admitting import DrawnScores, route
from cambrian.experiments.analytic import LANDSCAPES, SEEDS
from cambrian.experiments.measures import diversity, measures, stones
from cambrian.experiments.search import Search

NAMES = ("f0", "f1", "f2", "f3")


@pytest.mark.parametrize("admission", ADMISSIONS)
def test_the_verdict_is_that_of_a_run(admission: AdmissionName) -> None:
    rng = np.random.default_rng(0)
    verdicts = set()
    for _ in range(60):
        base = rng.uniform(-0.1, 0.6) + rng.normal(0, 0.05, (4, len(SEARCH_SEEDS)))
        parent = DrawnScores(NAMES, base)
        moved = base + rng.normal(0, 0.08, (4, 1)) + rng.normal(0, 0.02, base.shape)
        child = DrawnScores(NAMES, moved)
        spots = np.array([parent.behaviour(NAMES, SEARCH_SEEDS).mean(axis=0)])
        standing = ArchiveState(Neighbours(spots), 10, int(rng.integers(5)))
        found = judge(child, parent, NAMES, standing, Rules(), admission=admission)
        way = route(child, parent, NAMES, standing, Rules(), admission)
        assert (way and (way.kind, way.reason)) == (found.kind and (found.kind, found.reason))
        verdicts.add(found.kind)
    assert len(verdicts) > 1


@pytest.mark.parametrize("name", STRATEGIES)
def test_members_without_an_archive_are_drawn_as_those_of_one(tmp_path: Path, name: str) -> None:
    chosen = strategy(name)()
    members = Members(chosen, 1 if chosen.needs_vectors else 0)
    chosen.loaded(members)
    rng = np.random.default_rng(3)
    with Archive.create(tmp_path / "a") as archive:
        grove, places = Grove(archive), dict[int, int]()
        for at in range(40):
            score, admitted = float(rng.uniform(0, 1)), at < 3 or bool(rng.random() < 0.7)
            parents = [] if at < 3 else rng.choice(list(places), 2, replace=False).tolist()
            if parents:
                grove.child(*parents, score=score, admitted=admitted)
            else:
                grove.seed(score)
            number = archive.agents.get(grove.ids[at]).number
            assert number is not None
            won, here = 4 * round(score * UNIT), [places[one] for one in parents]
            above = here[0] if here else -1
            members.climb(above, won, 4, int(admitted))
            if admitted:
                places[at] = len(members)
                joined = Joined(number, score, above, at - 3 if here else -1, won, 4)
                vector = np.array([score][: members.vectors.values.shape[1]])
                members.join(joined, vector, here)
        selection = Selection(archive, name)
        for index in range(40, 80):
            theirs = selection.draw(None, 2, np.random.default_rng(index), index)
            mine = chosen.draw(members, 2, np.random.default_rng(index), index)
            numbers = {int(members.number.values[position]) for position in mine}
            assert numbers == {parent.number for parent in theirs}


def test_a_proposal_sees_the_archive_as_it_was_so_many_proposals_before() -> None:
    search = Search(LANDSCAPES["smooth"], 0, "last", "keep-all", 30).run()
    assert len(search.agents) == SEEDS + 30
    for index, agent in enumerate(search.agents[SEEDS:]):
        newest = index - LAG + SEEDS if index >= LAG else SEEDS - 1
        assert newest in agent.others and max(agent.others) == newest


def test_random_search_draws_seed_agents_only() -> None:
    search = Search(LANDSCAPES["rugged"], 1, "random", "keep-all", 60).run()
    assert {agent.parent for agent in search.agents[SEEDS:]} <= set(range(SEEDS))


def test_greedy_draws_the_best_that_it_sees() -> None:
    search = Search(LANDSCAPES["smooth"], 0, "greedy", "keep-all", 40).run()
    for index, agent in enumerate(search.agents[SEEDS:]):
        seen = search.agents[: max(SEEDS, SEEDS + index - LAG + 1)]
        assert agent.parent == max(seen, key=lambda one: float(one.scores.mean())).number


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_smaller_budget_is_the_beginning_of_a_larger_one(name: str) -> None:
    ground = LANDSCAPES["stones"]
    long = Search(ground, 2, name, "stepping-stones", 60).run()
    short = Search(ground, 2, name, "stepping-stones", 25).run()
    assert short.champions == long.champions[:25]


def test_strategies_and_rules_share_their_luck() -> None:
    ground = LANDSCAPES["noisy"]
    one = Search(ground, 5, "greedy", "better", 20).run()
    other = Search(ground, 5, "uniform", "keep-all", 20).run()
    for mine, its in zip(one.agents[:SEEDS], other.agents[:SEEDS], strict=True):
        assert (mine.scores == its.scores).all()
    assert (one.agents[SEEDS].scores - one.world.values(one.agents[SEEDS].genotype)[:, None]) == (
        pytest.approx(
            other.agents[SEEDS].scores - other.world.values(other.agents[SEEDS].genotype)[:, None]
        )
    )


def test_strict_admission_never_crosses_the_valley_and_keeping_all_lets_lower_ones_in() -> None:
    ground = LANDSCAPES["stones"]
    strict = Search(ground, 0, "uniform", "better", 150).run()
    for agent in strict.members[SEEDS:]:
        assert agent.scores.mean() > strict.agents[agent.parent].scores.mean()
    loose = Search(ground, 0, "uniform", "keep-all", 150).run()
    assert any(a.value < loose.agents[a.parent].value for a in loose.members[SEEDS:])


def test_no_genotype_is_evaluated_twice() -> None:
    search = Search(LANDSCAPES["rugged"], 0, "greedy", "better", 300).run()
    seen = [agent.genotype.tobytes() for agent in search.agents[SEEDS:]]
    assert len(seen) == len(set(seen)) and len(search.champions) == 300


def test_the_figures_are_those_of_the_curve_and_the_tree() -> None:
    search = Search(LANDSCAPES["smooth"], 0, "power-law", "keep-all", 120).run()
    found = measures(search, 0.7)
    curve = search.champions
    assert found["at_25"] == pytest.approx(curve[24], abs=1e-4)
    assert found["at_end"] == pytest.approx(search.champion.value, abs=1e-4)
    assert found["area"] == pytest.approx(np.mean(curve), abs=1e-4)
    assert found["time"] == next(at for at, value in enumerate(curve, 1) if value >= 0.7)
    assert measures(search, 2.0)["time"] is None and "at_500" not in found
    apart = [np.mean(a.genotype != b.genotype) for a, b in combinations(search.members, 2)]
    assert diversity(search.members) == pytest.approx(np.mean(apart))


def test_stones_are_ancestors_of_the_champion_that_gained_nothing() -> None:
    search = Search(LANDSCAPES["stones"], 3, "last", "keep-all", 100).run()
    line, agents = [], search.agents
    here = agents[search.champion.parent] if search.champion.parent >= 0 else None
    while here is not None and here.parent >= 0:
        line.append(here.value <= agents[here.parent].value)
        here = agents[here.parent]
    assert stones(agents, search.champion) == sum(line)
    assert stones(agents, agents[0]) == 0
    last = agents[-1]
    lowered = [a for a in agents[SEEDS:] if a.value <= agents[a.parent].value]
    assert lowered and stones(agents, last) > 0
