"""Selection strategies draw what their formula says, on trees made for it, at any moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evolution.selection.grove import GATE, Grove, chi_squared, frequencies

from cambrian.archive import Archive, Member
from cambrian.errors import CambrianError, UsageError
from cambrian.evolution.selection.arrays import Ranking, SumTree
from cambrian.evolution.selection.selection import STRATEGIES, Selection, strategy
from cambrian.evolution.selection.strategies.dgm import dgm_weights


@pytest.fixture
def grove(tmp_path: Path) -> Grove:
    return Grove(Archive.create(tmp_path / "home"))


@pytest.fixture
def wood(grove: Grove) -> Grove:
    """0 and 1 are seeds; 0 ── 2 ── 4, 0 ── 3 (rejected), 1 ── 5, and 6 of both 5 and 2."""
    for score in (0.3, 0.6):
        grove.seed(score)
    grove.child(0, score=0.5)
    grove.child(0, score=0.1, admitted=False)
    grove.child(2, score=0.7)
    grove.child(1, score=0.2)
    grove.child(5, 2, score=0.55)
    return grove


def expected_by(
    members: Sequence[Member], weights: Sequence[float], grove: Grove
) -> dict[int, float]:
    names = {agent_id: at for at, agent_id in enumerate(grove.ids)}
    total = sum(weights)
    return {names[m.agent_id]: w / total for m, w in zip(members, weights, strict=True)}


DRAWS = 6000
BEYOND_CHANCE = 30.0
"""Of a chi-squared with 5 degrees of freedom: one in 70,000. Seeds are fixed all the same."""


def test_dgm_weighs_as_in_the_paper() -> None:
    weights = dgm_weights(np.array([0.2, 0.5, 0.5]), np.array([0, 0, 3]))
    assert weights == pytest.approx([0.0474, 0.5, 0.125], abs=1e-4)
    extreme = dgm_weights(np.array([-1e6, 1e6]), np.array([10**6, 0]))
    assert 0 < extreme[0] < 1e-300
    assert extreme[1] == 1.0


def test_dgm_draws_by_score_and_admitted_children_of_either_parent(wood: Grove) -> None:
    members = wood.archive.members()
    assert [member.children for member in members] == [1, 1, 2, 0, 1, 0]
    weights = [1 / (1 + math.exp(-10 * (m.score - 0.5))) / (1 + m.children) for m in members]
    expected = expected_by(members, weights, wood)
    assert chi_squared(frequencies(wood, "dgm", DRAWS), expected, DRAWS) < BEYOND_CHANCE


def test_uniform_draws_every_member_alike_and_nobody_else(wood: Grove) -> None:
    expected = expected_by(wood.archive.members(), [1.0] * 6, wood)
    assert chi_squared(frequencies(wood, "uniform", DRAWS), expected, DRAWS) < BEYOND_CHANCE


def test_power_law_draws_by_rank_and_the_best_has_the_first(wood: Grove) -> None:
    members = wood.archive.members()
    ranks = {m.agent_id: r for r, m in enumerate(sorted(members, key=lambda m: -m.score), start=1)}
    expected = expected_by(members, [1 / ranks[m.agent_id] for m in members], wood)
    found = frequencies(wood, "power-law", DRAWS)
    assert chi_squared(found, expected, DRAWS) < BEYOND_CHANCE
    assert max(found, key=lambda at: found[at]) == 4


def test_greedy_draws_the_best_and_never_the_worst(wood: Grove) -> None:
    assert frequencies(wood, "greedy", 20) == {4: 1.0}
    assert frequencies(wood, "greedy", 20, count=2) == {4: 1.0, 1: 1.0}
    wood.child(4, score=0.95)
    assert frequencies(wood, "greedy", 20) == {7: 1.0}


def test_of_equals_greedy_takes_the_earlier_one(grove: Grove) -> None:
    grove.seed(0.4)
    grove.seed(0.4)
    grove.child(1, score=0.4)
    assert frequencies(grove, "greedy", 5) == {0: 1.0}


def _clade(grove: Grove, at: int) -> tuple[float, int]:
    """Successes and trials of an agent and all below it by primary parent, counted by hand."""
    agents = grove.archive.agents
    found = grove.archive.evaluations.of(grove.ids[at])
    won, trials = sum(min(max(row.score or 0.0, 0.0), 1.0) for row in found), len(found)
    for child in agents.children(grove.ids[at], members_only=False):
        if child.parents[0] == grove.ids[at]:
            below = _clade(grove, grove.ids.index(child.id))
            won, trials = won + below[0], trials + below[1]
    return won, trials


def _by_hand(grove: Grove, rng: np.random.Generator) -> int:
    """The descent of `clade` over plain lists, counting everything at every look."""
    agents, here = grove.archive.agents, -1
    members = [m.agent_id for m in grove.archive.members()]
    while True:
        if here < 0:
            children = [a.id for a in agents.seeds()]
        else:
            below = agents.children(grove.ids[here])
            children = [a.id for a in below if a.parents[0] == grove.ids[here]]
        best, onward = -1.0, here
        if here >= 0:
            own = grove.archive.evaluations.of(grove.ids[here])
            won = sum(row.score or 0.0 for row in own)
            best = rng.beta([1 + won], [1 + len(own) - won])[0]
        if children:
            counts = [_clade(grove, grove.ids.index(child)) for child in children]
            draws = rng.beta([1 + w for w, _ in counts], [1 + n - w for w, n in counts])
            if draws.max() > best:
                onward = grove.ids.index(children[int(draws.argmax())])
        assert onward < 0 or grove.ids[onward] in members
        if onward == here:
            return here
        here = onward


def test_clade_descends_as_one_that_counts_everything_at_every_look(wood: Grove) -> None:
    selection, ours, by_hand = (
        Selection(wood.archive, "clade"),
        *(np.random.default_rng(9) for _ in range(2)),
    )
    drawn = [selection.draw(None, 1, ours)[0].agent_id for _ in range(150)]
    assert drawn == [wood.ids[_by_hand(wood, by_hand)] for _ in range(150)]
    assert len(set(drawn)) == 6


def test_looking_at_a_clade_changes_no_count(wood: Grove) -> None:
    """HGM's released code added a clade's outcomes to the node at every look (PEERS.md §2)."""
    before = wood.archive.database.rows("SELECT * FROM nodes")
    selection, rng = Selection(wood.archive, "clade"), np.random.default_rng(0)
    first = [selection.draw(None, 1, rng)[0].agent_id for _ in range(300)]
    counts = selection._members.clade_trials.values.tolist()
    assert wood.archive.database.rows("SELECT * FROM nodes") == before
    assert counts == [row["clade_trials"] for row in before if row["member"]]
    again = np.random.default_rng(0)
    assert [selection.draw(None, 1, again)[0].agent_id for _ in range(300)] == first


def test_clade_prefers_the_line_whose_descendants_do_well(grove: Grove) -> None:
    """Two seeds alike; the children of one do well, those of the other are rejected."""
    grove.seed(0.4, trials=5)
    grove.seed(0.4, trials=5)
    for _ in range(6):
        grove.child(0, score=0.8, trials=5)
        grove.child(1, score=0.1, trials=5, admitted=False)
    found = frequencies(grove, "clade", 1000)
    assert found.get(1, 0.0) < 0.02
    # Flat sampling over clade estimates (HGM's) would look at the same evidence.
    assert _clade(grove, 0)[0] / _clade(grove, 0)[1] > 0.7
    assert _clade(grove, 1)[0] / _clade(grove, 1)[1] < 0.2


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_two_parents_are_different_and_the_better_comes_first(wood: Grove, name: str) -> None:
    selection, rng = Selection(wood.archive, name), np.random.default_rng(3)
    for _ in range(200):
        one, other = selection.draw(None, 2, rng)
        assert one.agent_id != other.agent_id
        assert (-one.score, one.number) < (-other.score, other.number)
    everyone = 2 if name == "random" else 6  # the seeds
    assert len(selection.draw(None, 6, rng)) == everyone
    assert len(selection.draw(None, 50, rng)) == everyone


SHAPES = st.lists(
    st.tuples(
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.sampled_from([0.1, 0.35, 0.5, 0.8]),
        st.booleans(),
    ),
    min_size=1,
    max_size=14,
)


@pytest.mark.parametrize("name", STRATEGIES)
def test_one_that_was_parked_and_is_admitted_later_is_drawn_as_if_it_had_never_been(
    grove: Grove, name: str
) -> None:
    """By who watched all of it as by who looks afterwards; and it may be the best."""
    grove.seed(0.2)
    archive, proposals = grove.archive, grove.archive.proposals
    growing = Selection(archive, name)
    grove.child(0, score=0.5)
    parked = proposals.open(grove.run.id, 1, 0, [grove.ids[0]], "recombine")
    agent_id, files = grove.code()
    proposals.record_variant(parked.id, agent_id, files, title="t", hypothesis="h", stage="smoke")
    proposals.close(parked.id, "parked", "the engine was down")
    grove.ids.append(agent_id)
    grove.child(1, score=0.4)
    for _ in range(2):
        assert _draw(growing, 2, 0) == _draw(Selection(archive, name), 2, 0)
    proposals.reopen(parked.id)
    grove.evaluate(agent_id, 0.9, 4)
    proposals.record(parked.id, "improvement", "ok", [GATE], score=0.9, lower=0.8, upper=1.0)
    for through in (2, 3, 3):
        if through == 3 and len(proposals.select()) == 3:
            grove.child(2, score=0.3)
        assert _draw(growing, through, 0) == _draw(Selection(archive, name), through, 0)
        found = sorted(growing._members.number.values.tolist())
        assert found == [member.number for member in archive.members(through)]
    if name == "greedy":
        assert agent_id in _draw(growing, 3, 0)


@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, lag=st.integers(1, 4))
def test_what_a_proposal_draws_depends_on_no_process_and_on_nothing_decided_later(
    shape: list[tuple[int, int, float, bool]], lag: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Proposal k draws the same from arrays that grew with the archive, and from arrays that are
    loaded when everything has been decided; and what it sees is `members(k − lag)`."""
    archive = Archive.create(tmp_path_factory.mktemp("grove") / "home")
    grove = Grove(archive)
    grove.seed(0.3)
    grove.seed(0.5)
    growing = {name: Selection(archive, name) for name in STRATEGIES}
    members, drawn = [0, 1], []
    for k, (one, two, score, admitted) in enumerate(shape):
        drawn.append({name: _draw(growing[name], k, lag) for name in STRATEGIES})
        first, second = members[one % len(members)], members[two % len(members)]
        parents = [first] if first == second else [first, second]
        child = grove.child(*parents, score=score, trials=one % 3, admitted=admitted)
        members += [child] if admitted else []
    for k in range(len(shape)):
        again = {name: _draw(Selection(archive, name), k, lag) for name in STRATEGIES}
        assert again == drawn[k], f"proposal {k}"
        _sees_the_members(archive, max(-1, k - lag))
    archive.close()


def _draw(selection: Selection, k: int, lag: int) -> list[str]:
    rng = np.random.default_rng([1, k])
    return [parent.agent_id for parent in selection.draw(max(-1, k - lag), 2, rng)]


def _sees_the_members(archive: Archive, through: int) -> None:
    selection = Selection(archive, "uniform")
    selection.draw(through, 1, np.random.default_rng(0))
    seen, members = selection._members, archive.members(through)
    assert seen.number.values.tolist() == [m.number for m in members]
    assert seen.children.values.tolist() == [m.children for m in members]
    assert seen.score.values.tolist() == [m.score for m in members]


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 1500), st.floats(0, 1)), max_size=30),
)
def test_a_tree_of_sums_is_what_it_holds_however_it_came_to_hold_it(
    weights: list[float], changes: list[tuple[int, float]]
) -> None:
    tree, plain = SumTree(np.array(weights)), dict(enumerate(weights))
    for position, weight in changes:
        tree[position], plain[position] = weight, weight
    whole = np.zeros(max(plain) + 1)
    whole[list(plain)] = list(plain.values())
    fresh = SumTree(whole)
    assert tree.total == fresh.total
    if fresh.total <= 0:
        with pytest.raises(CambrianError, match="every weight is zero"):
            tree.find(0.0)
        return
    for share in np.linspace(0, 1, 17, endpoint=False):
        position = tree.find(share * tree.total)
        assert position == fresh.find(share * fresh.total)
        assert whole[position] > 0
        before = math.fsum(whole[:position])
        assert before - 1e-9 <= share * tree.total <= before + whole[position] + 1e-9


@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.9]), max_size=40),
    st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.9]), min_size=1, max_size=40),
    st.integers(2, 8),
)
def test_a_ranking_is_a_stable_sort_by_score(
    first: list[float], later: list[float], newcomers: int
) -> None:
    ranking = Ranking(np.array(first), newcomers)
    for score in later:
        ranking.add(score)
    everyone = [*first, *later]
    expected = sorted(range(len(everyone)), key=lambda at: (-everyone[at], at))
    assert [ranking.at(rank) for rank in range(len(everyone))] == expected


@given(st.lists(st.tuples(st.floats(-3, 3), st.integers(0, 99)), min_size=1, max_size=70))
def test_a_weight_is_the_same_to_the_last_bit_alone_and_among_others(
    rows: list[tuple[float, int]],
) -> None:
    score, children = (np.array(column) for column in zip(*rows, strict=True))
    alone = [float(dgm_weights(score[i : i + 1], children[i : i + 1])[0]) for i in range(len(rows))]
    assert dgm_weights(score, children).tolist() == alone


def test_an_unknown_strategy_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"best-first.*dgm, clade, power-law, uniform, greedy"):
        strategy("best-first")


def test_no_members_is_an_error(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "home") as archive, pytest.raises(ValueError, match="at least"):
        Selection(archive, "dgm").draw(None, 1, np.random.default_rng(0))
