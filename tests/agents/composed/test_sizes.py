"""Composed agents fit into the allowances that they are told, whatever parts they are made of."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from cambrian.agents.compose import compose
from cambrian.agents.tree import SourceTree
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.benchmarks.base import Outcome
from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.job import allowed, drive
from cambrian.measurement import Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.channel import Cost
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.session import Session

CHOICES = (
    ("mlp", "conv"),
    ("sgd", "momentum", "adam"),
    (None, "reservoir", "dark_replay"),
    (None, "class_mean", ("class_mean", {"source": "network"})),
    (None, "hopfield", ("hopfield", {"source": "network"})),
    (None, "ewc", "gpm"),
    (None, "weight_average"),
    (None, "self_rate"),
    (None, "label_map"),
)


def _run(tree: SourceTree, name: str, seed: int, **other: Any) -> tuple[Outcome, Cost, int, int]:
    """What a tree did on the stream of a seed, what it cost, and what was allowed."""
    bench = benchmark(name)
    stream = allowed(bench.stream_of("full", seed), calibration(bench, "full", seed))
    stream = dataclasses.replace(stream, **other)
    with Session(PlainBackend()) as session:
        session.install(tree)
        with session.job() as channel:
            outcome, cost = drive(channel, bench, stream, Unit(name, "full", seed))
    return outcome, cost, stream.memory_bytes, stream.flops


@pytest.mark.parametrize("draw", range(6))
def test_any_choice_of_parts_fits_into_the_bytes_and_operations_allowed(draw: int) -> None:
    rng = random.Random(draw)
    parts = [part for place in CHOICES if (part := rng.choice(place)) is not None]
    tree = compose(*parts, lr=0.05, steps=rng.choice((1, 3)))
    name, seed = rng.choice(("rare-classes", "moved-inputs")), rng.choice((1, 2))
    _, cost, bytes_allowed, flops_allowed = _run(tree, name, seed)
    assert 0 < cost.state_bytes <= bytes_allowed, parts
    assert 0 < cost.flops <= flops_allowed, parts


def test_an_agent_that_fits_is_what_it_would_be_without_allowances() -> None:
    tree = compose("reservoir", "momentum", lr=0.05)
    held, cost, bytes_allowed, _ = _run(tree, "rare-classes", 1)
    free, free_cost, _, _ = _run(tree, "rare-classes", 1, memory_bytes=1 << 40, flops=0)
    assert cost.state_bytes < 0.92 * bytes_allowed
    assert held.raw == free.raw
    assert cost.state_bytes == free_cost.state_bytes


def test_every_part_shrinks_where_not_all_fit() -> None:
    tree = compose("adam", "reservoir", "ewc", "hopfield", lr=0.05)
    _, cost, _, _ = _run(tree, "rare-classes", 1, memory_bytes=400_000)
    assert 200_000 < cost.state_bytes <= 400_000


def test_steps_are_left_out_evenly_where_operations_would_not_last() -> None:
    tree = compose("reservoir", lr=0.1, steps=3)
    all_steps, free, _, _ = _run(tree, "rare-classes", 2, flops=0)
    fewer = int(0.6 * free.flops)
    paced, cost, _, _ = _run(tree, "rare-classes", 2, flops=fewer)
    assert 0.7 * fewer < cost.flops <= fewer
    assert paced.raw > 0.8 * all_steps.raw


def test_what_questions_will_cost_is_kept_back_before_they_come() -> None:
    """Tests of all tasks so far grow with the stream, and a head of many rows answers them dearly:
    a pace that looks back only is over what is allowed in the end."""
    parts = ("adam", "dark_replay", "hopfield", "kernel_ridge", "gpm", "gate")
    tree = compose("conv", *parts, lr=0.03)
    _, cost, _, most = _run(tree, "domains-in-turn", 4)
    assert 0.8 * most < cost.flops <= most


def test_a_learner_that_knows_nothing_of_pace_still_runs_out() -> None:
    tree = SourceTree(
        {
            "learner.py": """
import torch
from cambrian.agents.contract import Learner as Base


class Learner(Base):
    def observe(self, x, y, task=None):
        torch.ones(64, 512) @ torch.ones(512, 512)

    def predict(self, x, task=None):
        return torch.zeros(len(x), self.spec.outputs)
"""
        }
    )
    with pytest.raises(LearnerFailed, match="over its allowance"):
        _run(tree, "rare-classes", 1, flops=10**8)
