"""Agents of archives from before parts had roles (protocol 1) run, and are still rewritten."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
import torch
from tests.agents.loading import make

from cambrian.agents.catalogue import catalogue
from cambrian.agents.edits import EditError, apply
from cambrian.agents.recombine import operations, recombine
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import SourceTree

KEPT = Path(__file__).parent / "protocol1"
FILES = {path.stem: path.read_text(encoding="utf-8") for path in KEPT.iterdir()}
LISTED = "            Reservoir(capacity=200),\n"
OLD = SourceTree(
    {
        "learner.py": FILES["learner"]
        .replace(LISTED, LISTED + "            ElasticWeights(strength=9.0),\n")
        .replace("from parts.res", "from parts.ewc import ElasticWeights\nfrom parts.res"),
        "parts/reservoir.py": FILES["reservoir"],
        "parts/ewc.py": FILES["ewc"],
    }
)


def runs(tree: SourceTree) -> bool:
    learner = make(tree, inputs=8, outputs=3, observations=16)
    for _ in range(2):
        learner.observe(torch.rand(8, 8), torch.arange(8) % 3)
    return bool(learner.predict(torch.rand(5, 8)).isfinite().all())


def test_an_older_agent_runs_with_its_own_skeleton() -> None:
    assert runs(OLD)


@pytest.mark.parametrize("operation", [operations.graft, operations.swap])
def test_todays_mechanisms_do_not_go_onto_its_hooks(operation: operations.Simple) -> None:
    with pytest.raises(EditError, match=r"expected a learner with PARTS_PROTOCOL = 3; got 1"):
        operation(Agent.of(OLD), catalogue(), random.Random(0))


def test_it_is_not_crossed_with_an_agent_of_today() -> None:
    with pytest.raises(EditError, match=r"one protocol and skeleton; got 1 stream and 3 stream"):
        operations.crossover(
            Agent.of(OLD), Agent.of(load_seed("composed")), catalogue(), random.Random(0)
        )


def test_recombination_gives_children_that_run_in_every_way_that_is_left() -> None:
    kinds: Counter[str] = Counter()
    for seed in range(24):
        proposal = recombine([OLD, load_seed("composed")], None, random.Random(seed))
        kinds[proposal.operation["kind"]] += 1
        if seed % 4 == 0 or kinds[proposal.operation["kind"]] == 1:
            assert runs(apply(OLD, proposal.edit))
    assert set(kinds) == {"transplant", "tune", "remove"}


def test_a_transplant_takes_its_parts_and_knobs_to_the_skeleton_of_today() -> None:
    slower = OLD.replace(
        {"learner.py": OLD["learner.py"].replace("lr: float = 0.2", "lr: float = 0.07")
         .replace("hidden: int = 256", "hidden: int = 128")}
    )  # fmt: skip
    skeleton = Agent.of(load_seed("composed"))
    change = operations.transplant(Agent.of(slower), skeleton, catalogue(), random.Random(0))
    tree = slower.replace(change.agent.changes(slower))
    agent = Agent.of(tree)
    assert agent.protocol == 3
    assert [part.module for part in agent.optional][:2] == ["reservoir", "ewc"]
    assert {part.module: part.values for part in agent.parts}["ewc"] == {"strength": 9.0}
    assert {part.module: part.values for part in agent.parts}["mlp"] == {
        "hidden": 128, "layers": 2, "gain": 1.0,
    }  # fmt: skip
    assert agent.code.knobs()["lr"] == 0.07
    assert runs(tree)
