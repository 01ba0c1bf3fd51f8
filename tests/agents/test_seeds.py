"""The seed agents learn, repeat exactly, and stay within what they may use."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import fields
from typing import Any

import pytest
import torch
from tests.agents.loading import accuracy, blobs, load_learner, make, teach

from cambrian.agents.contract import TaskSpec
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.seeds import all_seed_names, load_seed, seed_names
from cambrian.errors import NotFound

NAMES = all_seed_names()
X, Y = blobs(960)
TEST_X, TEST_Y = blobs(200, seed=1)


def test_the_four_seed_agents() -> None:
    assert seed_names() == ("composed", "finetune", "random_features", "replay")
    assert set(NAMES) - set(seed_names()) == {"maml", "protonet", "reptile", "transformer"}
    with pytest.raises(NotFound, match="got 'nobody'"):
        load_seed("nobody")


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_agent_learns(name: str) -> None:
    learner = make(load_seed(name), observations=len(X))
    teach(learner, X, Y)
    assert accuracy(learner, TEST_X, TEST_Y) > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_agent_repeats_exactly_and_differs_by_seed(name: str) -> None:
    def scores(seed: int, noise: int) -> torch.Tensor:
        torch.manual_seed(noise)  # the global generator must not matter
        learner = make(load_seed(name), seed=seed)
        teach(learner, X[:320], Y[:320])
        result: torch.Tensor = learner.predict(TEST_X)
        return result

    assert torch.equal(scores(1, 5), scores(1, 6))
    assert not torch.equal(scores(1, 5), scores(2, 5))


@pytest.mark.parametrize("name", NAMES)
def test_predicting_changes_nothing_and_inputs_stay_untouched(name: str) -> None:
    learner = make(load_seed(name))
    teach(learner, X[:160], Y[:160])
    x, y = X[:16].clone(), Y[:16].clone()
    first = learner.predict(x)
    assert torch.equal(first, learner.predict(x))
    learner.observe(x, y)
    assert torch.equal(x, X[:16]) and torch.equal(y, Y[:16])
    assert first.shape == (16, 6) and first.dtype == torch.float32 and first.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_images_and_an_untaught_learner_are_handled(name: str) -> None:
    spec = TaskSpec("classification", (4, 5), 3, batch_size=2)
    learner = load_learner(load_seed(name))(spec, seed=0)
    assert learner.predict(torch.rand(7, 4, 5)).shape == (7, 3)
    learner.observe(torch.rand(1, 4, 5), torch.tensor([2]))
    learner.task_boundary()
    assert learner.predict(torch.rand(1, 4, 5)).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_every_range_belongs_to_a_knob_and_holds_its_default(name: str) -> None:
    agent = Agent.of(load_seed(name))
    learner = make(load_seed(name))
    assert {field.name for field in fields(learner.knobs)} == set(agent.knobs)
    for knob_name, knob in agent.knobs.items():
        assert knob.low <= getattr(learner.knobs, knob_name) <= knob.high


def test_replay_keeps_a_uniform_sample_of_the_stream() -> None:
    """Algorithm R: every tenth of the stream is equally likely to be in the buffer."""
    learner = make(load_seed("replay"), inputs=1, outputs=2)
    held: Counter[int] = Counter()
    for seed in range(20):
        learner = make(load_seed("replay"), inputs=1, outputs=2, seed=seed)
        for start in range(0, 1000, 50):
            steps = torch.arange(start, start + 50).float()[:, None]
            learner._store(steps / 1000, torch.zeros(50, dtype=torch.int64))
        held.update((learner.x[:, 0] * 10).long().tolist())
    assert sum(held.values()) == 20 * 200
    assert all(300 < held[tenth] < 500 for tenth in range(10)), held


def test_replay_stores_inputs_with_their_own_labels() -> None:
    learner = make(load_seed("replay"))
    teach(learner, X, Y)
    lookup = {tuple(x.tolist()): int(y) for x, y in zip(X, Y, strict=True)}
    assert all(
        lookup[tuple(x.tolist())] == int(y) for x, y in zip(learner.x, learner.y, strict=True)
    )


def test_the_composed_seed_with_replay_trains_like_the_flat_one() -> None:
    """One part, the reservoir: the same algorithm, so much the same accuracy while forgetting."""
    results = []
    for name in ("replay", "composed"):
        learner = make(load_seed(name))
        for label in range(6):
            rows = label == Y
            teach(learner, X[rows], Y[rows])
        results.append(accuracy(learner, TEST_X, TEST_Y))
    assert min(results) > 0.7 and abs(results[0] - results[1]) < 0.15


def test_random_features_match_a_discriminant_computed_at_once() -> None:
    learner = make(load_seed("random_features"))
    teach(learner, X, Y, batch=7)
    phi = learner._phi(X)
    means = torch.stack([phi[label == Y].mean(0) for label in range(6)])
    centred = phi - means[Y]
    assert torch.allclose(learner.means, means, atol=1e-3)
    assert torch.allclose(learner.scatter, centred.T @ centred, rtol=1e-2, atol=0.5)


def test_random_features_fit_the_memory_they_are_given() -> None:
    small = make(load_seed("random_features"), memory_bytes=400_000)
    large = make(load_seed("random_features"))
    assert large.scatter.shape == (1000, 1000)
    tensors = [value for value in vars(small).values() if isinstance(value, torch.Tensor)]
    assert sum(tensor.nbytes for tensor in tensors) < 400_000


def test_a_learner_can_be_copied() -> None:
    """Evaluators may copy a learner to look ahead; generators and parts must come along."""
    learner: Any = make(load_seed("composed"))
    teach(learner, X[:160], Y[:160])
    twin = copy.deepcopy(learner)
    for each in (learner, twin):
        teach(each, X[160:320], Y[160:320])
    assert torch.equal(learner.predict(TEST_X), twin.predict(TEST_X))
