"""Structures, places of knobs, and tuning at random or at an optimiser's points."""

from __future__ import annotations

import random

import pytest
from tests.agents.loading import composed

from cambrian.agents.catalogue import catalogue
from cambrian.agents.edits import EditError
from cambrian.agents.recombine import Learned, operations, recombine
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.recombine.isolated import recombine_in_a_row
from cambrian.agents.recombine.kinds import COMPOSED, FLOOR, shares
from cambrian.agents.recombine.knobs import Knob, knobs_of_card
from cambrian.agents.recombine.structure import places_of, structure_of
from cambrian.agents.recombine.tuning import TOLD, drawn, told
from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import SourceTree

FULL = composed(("reservoir", {"capacity": 100}), "hopfield", "gate")


def test_tuning_keeps_the_structure_and_a_graft_changes_it() -> None:
    agent = Agent.of(FULL)
    for optimise in (False, True):
        for seed in range(8):
            learned = Learned(optimise=optimise)
            tuned = operations.tune(agent, catalogue(), random.Random(seed), learned).agent
            assert structure_of(tuned).name == structure_of(agent).name
            assert structure_of(tuned).at != structure_of(agent).at
    grafted = operations.graft(agent, catalogue(), random.Random(0)).agent
    assert structure_of(grafted).name != structure_of(agent).name


def test_notes_and_the_improver_are_no_structure_and_parts_are() -> None:
    tree = load_seed("composed")
    before = structure_of(Agent.of(tree))
    noted = tree.replace({"NOTES.md": "something else", "improver.py": "import json\n"})
    assert structure_of(Agent.of(noted)) == before
    path = next(path for path in tree if path.startswith("parts/"))
    other = tree.replace({path: tree[path] + "\nUNUSED = 1\n"})
    assert structure_of(Agent.of(other)).name != before.name


def test_a_knobs_value_has_a_place_and_the_place_gives_it_back() -> None:
    for mechanism in catalogue().values():
        for knob in knobs_of_card(mechanism.card).values():
            for seed in range(5):
                value = knob.sample(random.Random(seed))
                at = knob.place(value)
                assert 0.0 <= at <= 1.0
                again = knob.at(at)
                assert again == (pytest.approx(value, rel=0.01) if knob.scale == "log" else value)
                assert type(again) is type(value)
    either = Knob("either", choices=(True, False, "auto"))
    assert [either.at(either.place(choice)) for choice in either.choices] == [True, False, "auto"]
    assert either.place(7) == 0.5 and either.at(2.0) == "auto" and either.at(-1.0) is True


def test_a_tune_goes_to_a_point_of_its_own_structure_only() -> None:
    agent = Agent.of(FULL)
    places, structure = places_of(agent), structure_of(agent)
    point = [0.25] * len(places)
    there = Learned(optimise=True, structure=structure.name, points=[point])
    tuned = operations.tune(agent, catalogue(), random.Random(3), there).agent
    wanted = {place.name: place.knob.at(0.25) for place in places}
    assert {place.name: place.value for place in places_of(tuned)} == wanted
    elsewhere = Learned(optimise=True, structure="another", points=[point])
    other = operations.tune(agent, catalogue(), random.Random(3), elsewhere).agent
    assert {place.name: place.value for place in places_of(other)} != wanted


def test_a_point_that_moves_nothing_and_one_of_another_length_are_said() -> None:
    agent = Agent.of(FULL)
    structure = structure_of(agent)
    same = Learned(optimise=True, structure=structure.name, points=[structure.at])
    with pytest.raises(EditError, match="no knob moved"):
        operations.tune(agent, catalogue(), random.Random(0), same)
    short = Learned(optimise=True, structure=structure.name, points=[[0.5]])
    with pytest.raises(EditError, match=r"expected a point of \d+ places; got 1"):
        operations.tune(agent, catalogue(), random.Random(0), short)


@pytest.mark.parametrize("optimise", [False, True])
def test_knobs_that_moved_no_score_are_moved_seldom(optimise: bool) -> None:
    places = places_of(Agent.of(FULL))
    idle = places[-1].name
    moves = 0
    for seed in range(2000):
        learned = Learned(optimise=optimise, knobs={idle: 0.05})
        values = drawn(places, random.Random(seed), learned)
        moves += idle in {place.name for place, _ in values}
    assert 0 < moves < 200  # of about 250 or 2,000, were it as the others


def test_a_title_names_the_furthest_moves_and_counts_the_others() -> None:
    agent = Agent.of(FULL)
    change = operations.tune(agent, catalogue(), random.Random(1), Learned(optimise=True))
    changes = change.operation["changes"]
    assert len(changes) > TOLD
    assert change.title.endswith(f" and {len(changes) - TOLD} more")
    assert told({"learner.lr": (0.1, 0.2)}) == "lr 0.1 → 0.2"


def test_shares_keep_every_kind_above_the_floor_and_sum_to_one() -> None:
    assert shares(COMPOSED, {}) == COMPOSED
    for favour in ({"tune": 1e6}, dict.fromkeys(COMPOSED, 0.0), {"graft": 0.0, "swap": 2.0}):
        found = shares(COMPOSED, favour)
        assert sum(found.values()) == pytest.approx(1.0)
        assert min(found.values()) >= FLOOR - 1e-12
    assert shares(COMPOSED, {"tune": 1e6})["tune"] > 0.75


def test_an_operation_says_where_it_began_and_ended_in_another_process_too() -> None:
    learned = Learned(kinds={"composed": {"tune": 1e6}}, optimise=True)
    here = recombine([FULL], None, random.Random("4"), None, learned)
    assert recombine_in_a_row([FULL], ["4"], learned=learned) == [here]
    assert here.operation["kind"] == "tune"
    began, ended = here.operation["of"], here.operation["made"]
    assert began == structure_of(Agent.of(FULL)).to_json()
    assert ended["structure"] == began["structure"] and ended["at"] != began["at"]


def test_a_flat_learner_has_a_structure_too() -> None:
    tree: SourceTree = load_seed("finetune")
    structure = structure_of(Agent.of(tree))
    assert len(structure.at) == len(Agent.of(tree).knobs)
