"""Recombination always gives an agent that parses, differs, loads and learns."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import libcst as cst
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.agents.loading import composed, make

from cambrian.agents.catalogue import catalogue, read_card
from cambrian.agents.edits import Edit, EditError, apply
from cambrian.agents.recombine import Proposal, operations, recombine
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.recombine.knobs import knobs_of_card, knobs_of_ranges
from cambrian.agents.recombine.surgery import LearnerCode, Part
from cambrian.agents.roles import ROLES, required
from cambrian.agents.seeds import load_seed, seed_names
from cambrian.agents.tree import SourceTree

SEEDS = [load_seed(name) for name in seed_names()]
FULL = composed(("reservoir", {"capacity": 100}), "hopfield", "gate")
OTHER = composed("dark_replay", ("ewc", {"strength": 9.0}), lr=0.11)
PARENTS = [*SEEDS, FULL, OTHER]
ROLE_OF = {role: {n for n, m in catalogue().items() if m.role == role} for role in ROLES}
NEEDED = {role for role in ROLES if required(role)}


def child(parents: Sequence[SourceTree], seed: object) -> tuple[SourceTree, Proposal]:
    proposal = recombine(parents, None, random.Random(str(seed)))
    return apply(parents[0], proposal.edit), proposal


def runs(tree: SourceTree) -> bool:
    learner = make(tree, inputs=8, outputs=3, observations=16)
    learner.observe(torch.rand(8, 8), torch.arange(8) % 3)
    learner.observe(torch.rand(8, 8), torch.arange(8) % 3)
    learner.task_boundary()
    return bool(learner.predict(torch.rand(5, 8)).isfinite().all())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 5), st.integers(0, 5), st.integers())
def test_a_child_differs_loads_learns_and_repeats(one: int, two: int, seed: int) -> None:
    parents = [PARENTS[one], PARENTS[two]]
    tree, proposal = child(parents, seed)
    assert tree.fingerprint not in {parent.fingerprint for parent in parents}
    assert Edit.from_json(proposal.edit.to_json()) == proposal.edit
    assert proposal.operation["kind"]
    assert cst.parse_module(tree["learner.py"]).code == tree["learner.py"]
    assert runs(tree)
    assert child(parents, seed)[0] == tree


def test_fifty_generations_never_break() -> None:
    pool = list(SEEDS)
    kinds: Counter[str] = Counter()
    for generation in range(50):
        chance = random.Random(generation)
        parents = chance.sample(pool, 2)
        tree, proposal = child(parents, f"chain/{generation}")
        kinds[proposal.operation["kind"]] += 1
        pool = [*pool, tree][-12:]
        if generation % 5 == 4:
            assert runs(tree)
    assert {"graft", "tune", "transplant", "crossover"} <= set(kinds)
    for path in pool[-1]:
        if path.startswith("parts/"):
            assert f"from {path[:-3].replace('/', '.')} import" in pool[-1]["learner.py"]


def test_every_operation_turns_up() -> None:
    kinds = Counter(child([FULL, OTHER], seed)[1].operation["kind"] for seed in range(40))
    assert set(kinds) == {"graft", "tune", "swap", "remove", "crossover"}
    assert max(kinds.values()) < 28


# one operation at a time


def apply_change(tree: SourceTree, change: operations.Change) -> SourceTree:
    return tree.replace(change.agent.changes(tree))


def parts_of(tree: SourceTree) -> list[str]:
    """The parts that the learner can do without."""
    return [part.module for part in Agent.of(tree).optional]


def graft_of_a_part(tree: SourceTree) -> operations.Change:
    """A graft that adds a part, and replaces none."""
    for seed in itertools.count():
        change = operations.graft(Agent.of(tree), catalogue(), random.Random(seed))
        if "removed" not in change.operation:
            return change
    raise AssertionError


def test_a_graft_adds_one_call_one_import_and_one_file() -> None:
    change = graft_of_a_part(FULL)
    name = change.operation["mechanism"]
    tree = apply_change(FULL, change)
    assert parts_of(tree) == ["reservoir", "hopfield", "gate", name]
    assert set(tree) == set(FULL) | {f"parts/{name}.py"}
    assert tree[f"parts/{name}.py"] == catalogue()[name].source
    assert catalogue()[name].reference in change.title
    before, after = FULL["learner.py"].splitlines(), tree["learner.py"].splitlines()
    assert [line for line in after if line not in before and line.strip()] == [
        f"from parts.{name} import {catalogue()[name].cls}",
        next(line for line in after if line.strip().startswith(f"{catalogue()[name].cls}(")),
    ]
    assert [line for line in before if line not in after] == []


def test_a_graft_never_joins_what_excludes_each_other() -> None:
    for seed in range(40):
        change = operations.graft(Agent.of(FULL), catalogue(), random.Random(seed))
        assert change.operation["mechanism"] not in {"dark_replay", "reservoir"}


def test_a_gate_is_grafted_only_beside_a_head() -> None:
    names = {
        operations.graft(
            Agent.of(composed("reservoir")), catalogue(), random.Random(seed)
        ).operation["mechanism"]
        for seed in range(30)
    }
    assert "gate" not in names and "class_mean" in names


def test_weights_say_which_mechanisms_are_picked() -> None:
    weights = dict.fromkeys(catalogue(), 0.0) | {"gpm": 1.0}
    for seed in range(30):
        proposal = recombine([load_seed("finetune")], None, random.Random(seed), weights)
        if proposal.operation["kind"] == "transplant":
            assert proposal.operation["mechanism"] == "gpm"


def test_a_full_agent_takes_no_more_parts() -> None:
    names = ["reservoir", "hopfield", "gate", "ewc", "gpm", "self_rate"]
    with pytest.raises(EditError, match="room for another part"):
        operations.graft(Agent.of(composed(*names)), catalogue(), random.Random(0))


def test_removing_takes_call_import_and_file() -> None:
    change = operations.remove(Agent.of(FULL), catalogue(), random.Random(0))
    gone = change.operation["mechanism"]
    tree = apply_change(FULL, change)
    assert gone not in parts_of(tree) and len(parts_of(tree)) == 2
    assert f"parts/{gone}.py" not in tree and f"parts.{gone}" not in tree["learner.py"]


def test_a_swap_keeps_the_number_of_parts() -> None:
    change = operations.swap(Agent.of(FULL), catalogue(), random.Random(0))
    tree = apply_change(FULL, change)
    assert len(parts_of(tree)) == 3
    assert change.operation["removed"] not in parts_of(tree)
    assert change.operation["mechanism"] in parts_of(tree)


def test_what_a_learner_cannot_do_without_is_swapped_for_its_like_and_never_removed() -> None:
    seen = set()
    for seed in range(60):
        chance = random.Random(seed)
        operation = chance.choice([operations.swap, operations.remove, operations.graft])
        try:
            change = operation(Agent.of(FULL), catalogue(), chance)
        except EditError:
            continue
        agent = Agent.of(apply_change(FULL, change))
        roles = Counter(agent.role(part) for part in agent.parts)
        assert all(roles[role] == 1 for role in NEEDED)
        gone = change.operation.get("removed", change.operation["mechanism"])
        seen |= {(operation.__name__, role) for role in NEEDED if gone in ROLE_OF[role]}
    assert {("swap", "optimiser"), ("graft", "network")} <= seen


def test_tuning_moves_one_to_three_knobs_within_their_ranges() -> None:
    for seed in range(40):
        agent = Agent.of(FULL)
        change = operations.tune(agent, catalogue(), random.Random(seed))
        moved: dict[str, list[Any]] = change.operation["changes"]
        assert 1 <= len(moved) <= 3
        for name, (old, new) in moved.items():
            owner, knob_name = name.split(".")
            knobs = agent.knobs
            if owner != "learner":
                knobs = knobs_of_card(catalogue()[owner].card)
            knob = knobs[knob_name]
            assert new != old and type(new) is type(old)
            assert new in knob.choices if knob.choices else knob.low <= new <= knob.high


def test_tuning_changes_only_the_lines_of_its_knobs() -> None:
    for seed in range(20):
        change = operations.tune(Agent.of(FULL), catalogue(), random.Random(seed))
        tree = apply_change(FULL, change)
        before, after = FULL["learner.py"].splitlines(), tree["learner.py"].splitlines()
        assert len(before) == len(after)
        changed = sum(one != two for one, two in zip(before, after, strict=True))
        assert 1 <= changed <= len(change.operation["changes"])


def test_a_crossover_takes_files_and_knobs_of_both() -> None:
    seen: set[str] = set()
    knobs: set[Any] = set()
    for seed in range(24):
        change = operations.crossover(
            Agent.of(FULL), Agent.of(OTHER), catalogue(), random.Random(seed)
        )
        tree = apply_change(FULL, change)
        names = parts_of(tree)
        seen |= set(names)
        knobs.add(Agent.of(tree).code.knobs()["lr"])
        assert not {"reservoir", "dark_replay"} <= set(names)
        assert {Agent.of(tree).role(part) for part in Agent.of(tree).parts} >= NEEDED
        for part in Agent.of(tree).parts:
            if part.module == "ewc":
                assert part.values == {"strength": 9.0}
            if part.module == "reservoir":
                assert part.values == {"capacity": 100}
    assert seen == {"reservoir", "hopfield", "gate", "dark_replay", "ewc"}
    assert knobs == {Agent.of(FULL).code.knobs()["lr"], 0.11}


def test_a_crossover_brings_the_other_parents_rewritten_copy() -> None:
    mine = composed("ewc")
    theirs = mine.replace({"parts/ewc.py": mine["parts/ewc.py"] + "\nREWRITTEN = True\n"})
    copies = {
        apply_change(
            mine,
            operations.crossover(
                Agent.of(mine), Agent.of(theirs), catalogue(), random.Random(seed)
            ),
        ).get("parts/ewc.py")
        for seed in range(20)
    }
    assert copies >= {mine["parts/ewc.py"], theirs["parts/ewc.py"]}


@pytest.mark.parametrize(
    ("name", "idea"), [("replay", "reservoir"), ("random_features", "class_mean")]
)
def test_a_flat_agent_is_transplanted_with_its_idea_and_its_knobs(name: str, idea: str) -> None:
    seed = load_seed(name)
    flat = seed.replace({"learner.py": seed["learner.py"].replace("lr: float = 0.2", "lr = 0.3")})
    skeleton = Agent.of(load_seed("composed"))
    change = operations.transplant(Agent.of(flat), skeleton, catalogue(), random.Random(1))
    tree = apply_change(flat, change)
    assert parts_of(tree)[0] == idea and len(parts_of(tree)) == 2
    assert tree["improver.py"] == flat["improver.py"]
    assert runs(tree)


def test_transplanting_carries_the_learning_rate() -> None:
    seed = load_seed("finetune")
    lr = Agent.of(seed).code.knobs()["lr"]
    flat = seed.replace({"learner.py": seed["learner.py"].replace(f"= {lr}", "= 0.123", 1)})
    skeleton = Agent.of(load_seed("composed"))
    change = operations.transplant(Agent.of(flat), skeleton, catalogue(), random.Random(0))
    assert Agent.of(apply_change(flat, change)).code.knobs()["lr"] == 0.123


# code that was rewritten by somebody else


def test_the_agents_own_copy_says_what_may_be_tuned() -> None:
    source = catalogue()["ewc"].source.replace('"range": [1.0, 300.0]', '"range": [40.0, 41.0]')
    agent = Agent.of(composed("ewc").replace({"parts/ewc.py": source}))
    assert agent.part_knobs(agent.optional[0])["strength"].low == 40.0


def test_a_part_without_a_card_is_left_alone_by_tuning() -> None:
    source = "class Reservoir:\n    def __init__(self, capacity=200):\n        pass\n"
    tree = composed("reservoir").replace({"parts/reservoir.py": source})
    for seed in range(30):
        change = operations.tune(Agent.of(tree), catalogue(), random.Random(seed))
        assert not any(name.startswith("reservoir.") for name in change.operation["changes"])


@pytest.mark.parametrize(
    "card",
    [
        "CARD = 7",
        "CARD = {'knobs': 3}",
        "CARD = {'knobs': {'capacity': {'range': [5, 1]}}}",
        "CARD = {'knobs': {'capacity': {'range': [0, 1], 'scale': 'log'}}}",
        "CARD = {'knobs': {'capacity': {'range': 'ab'}, 7: {}}, 'tags': 3, 'conflicts': 'x'}",
        "CARD = {'knobs': {'capacity': {'range': [1, 1e999]}}}",
        "CARD = {'knobs': {'nothing_like_it': {'range': [1, 2]}}}",
        "CARD = {'knobs': {'capacity': {'choices': []}}, 'title': ['x']}",
    ],
)
def test_nonsense_in_a_card_does_no_harm(card: str) -> None:
    source = f"{card}\n\nclass Reservoir:\n    def __init__(self, capacity=200):\n        pass\n"
    tree = composed("reservoir", "ewc").replace({"parts/reservoir.py": source})
    for seed in range(12):
        assert child([tree, FULL], seed)[0] != tree


@pytest.mark.parametrize(
    "ranges",
    [None, [], {"lr": 3}, {"lr": (2, 1, "log")}, {"lr": (0, 1, "log")}, {"lr": ("a", "b", "int")},
     {"lr": (0, float("nan"), "linear")}, {"lr": []}, {3: (0, 1, "int")}, {"lr": [{}, 1]}],
)  # fmt: skip
def test_nonsense_in_ranges_gives_no_knob(ranges: object) -> None:
    assert knobs_of_ranges(ranges) == {}


def test_an_agent_without_known_structure_is_refused() -> None:
    tree = SourceTree({"learner.py": "class Learner:\n    pass\n"})
    with pytest.raises(EditError, match=r"expected a list assigned to `parts`.*found neither"):
        recombine([tree], None, random.Random(0))
    with pytest.raises(EditError, match="at least one parent"):
        recombine([], None, random.Random(0))


def test_a_rewritten_layout_is_kept_and_understood() -> None:
    tree = FULL.replace(
        {
            "learner.py": FULL["learner.py"]
            .replace("        self.parts = [\n", "        self.parts = [  # mine\n")
            .replace("Reservoir(capacity=100),", "Reservoir(200 // 2,   batch = 16),  # keep")
        }
    )
    agent = Agent.of(tree)
    code = agent.with_part(agent.optional[0], {"batch": 24}).code
    assert "Reservoir(200 // 2,   batch = 24)" in code.source
    assert runs(tree.replace({"learner.py": code.source}))


def test_entries_that_are_no_plain_calls_stay() -> None:
    tree = composed("reservoir")
    odd = tree["learner.py"].replace("Reservoir(),", "*[], make_part(3), Reservoir(),")
    code = LearnerCode(odd).with_parts([Part("ewc", "ElasticWeights", {"every": 9})])
    for kept in ("*[]", "make_part(3)", "ElasticWeights(every=9)"):
        assert kept in code.source
    assert "Reservoir" not in code.source


def test_a_file_that_something_else_imports_is_not_dropped() -> None:
    tree = composed("reservoir", "ewc")
    tree = tree.replace({"parts/ewc.py": "import parts.reservoir\n" + tree["parts/ewc.py"]})
    agent = Agent.of(tree)
    left = agent.with_parts([part for part in agent.parts if part.module != "reservoir"])
    assert "parts/reservoir.py" in left.files


def test_cards_survive_recombination() -> None:
    tree, _ = child([FULL, OTHER], 3)
    for path, text in tree.items():
        if path.startswith("parts/") and path != "parts/skeleton.py":
            assert read_card(text) is not None
