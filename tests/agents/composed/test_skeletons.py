"""The three skeletons do what the contract's verbs ask, and their parts hear of it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from tests.agents.loading import accuracy, blobs, composed, load_learner, make, teach
from torch import Tensor

from cambrian.agents.contract import TaskSpec
from cambrian.agents.part import Batch
from cambrian.agents.seeds import load_seed

X, Y = blobs(480)
TEST_X, TEST_Y = blobs(200, seed=1)
BASIC = 4


class Listening:
    """A part that writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def replay(self, learner: Any, batch: Batch) -> None:
        self.heard.append(("task", batch.task, learner.task))

    def drift(self, learner: Any) -> None:
        self.heard.append("drift")


class Temperature:
    """A part with a tensor of its own that is trained: what the logits are multiplied with."""

    def build(self, learner: Any) -> None:
        self.scale = torch.ones(1, requires_grad=True)

    def parameters(self) -> list[Tensor]:
        return [self.scale]

    def scores(self, learner: Any, batch: Batch, logits: Tensor) -> Tensor:
        return logits * self.scale


# the stream


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_what_a_part_trains_of_its_own_is_trained_with_the_network(optimiser: str) -> None:
    learner = make(composed(optimiser, "ewc", "gpm"), boundaries=True)
    learner.parts.append(part := Temperature())
    learner.assemble()
    teach(learner, X[:160], Y[:160])
    assert learner.trained[-1] is part.scale and len(learner.trained) == len(learner.weights) + 1
    assert abs(float(part.scale.detach()) - 1) > 1e-3
    learner.task_boundary()
    teach(learner, X, Y)
    assert accuracy(learner, TEST_X, TEST_Y) > 0.8


def test_the_task_reaches_parts() -> None:
    learner = make(composed(), task_identity=True)
    learner.active.append(part := Listening())
    learner.observe(X[:16], Y[:16], 3)
    assert part.heard == [("task", 3, 3)]
    learner.predict(TEST_X, 4)
    assert learner.task == 4


def test_the_clock_and_the_recent_samples_are_shared() -> None:
    learner = make(composed(("ewc", {"samples": 16}), ("gpm", {"samples": 64}), steps=2))
    teach(learner, X[:160], Y[:160])
    assert (learner.clock.seen, learner.clock.batches, learner.clock.steps) == (160, 10, 20)
    assert torch.equal(learner.recent.last(64), X[96:160])
    assert torch.equal(learner.recent.last(16), X[144:160])
    assert not any(hasattr(part, "recent") for part in learner.parts)


def test_nothing_recent_is_kept_where_no_part_asks() -> None:
    learner = make(composed("reservoir"))
    teach(learner, X[:64], Y[:64])
    assert learner.recent.last(8).numel() == 0


def test_drift_consolidates_and_is_counted() -> None:
    learner = make(composed("ewc", "gpm"))
    learner.active.append(part := Listening())
    teach(learner, X[:64], Y[:64])
    learner.drifted()
    assert learner.parts[BASIC].ready and learner.parts[BASIC + 1].bases[0].shape[1] > 0
    assert part.heard[-1] == "drift" and learner.clock.drifts == 1


def test_claims_end_where_the_allowance_does() -> None:
    learner = make(composed(), memory_bytes=1_000_000)
    held = sum(weight.nbytes for weight in learner.weights)
    assert learner.claimed == held
    assert learner.claim(100) == 100
    assert learner.claim(10_000_000) == 1_000_000 - held - 100
    assert learner.claim(1) == 0
    assert make(composed()).claim(1 << 40) == 1 << 40


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "momentum"])
def test_a_wider_network_goes_on_where_it_was(optimiser: str) -> None:
    """Growing a hidden layer by units that nothing reads yet changes no answer, and every part
    carries what it kept to the new shape."""
    learner = make(composed(optimiser, "ewc", "gpm", "weight_average", layers=1, hidden=96))
    teach(learner, X[:160], Y[:160])
    learner.drifted()
    before = learner.predict(TEST_X)

    def rows(tensor: Tensor) -> Tensor:
        return torch.cat((tensor, tensor.new_zeros(8, *tensor.shape[1:])))

    def columns(tensor: Tensor) -> Tensor:
        return torch.cat((tensor, tensor.new_zeros(len(tensor), 8)), 1)

    learner.resize([rows, rows, columns, lambda tensor: tensor])
    assert [tuple(w.shape) for w in learner.weights] == [(104, 20), (104,), (6, 104), (6,)]
    assert torch.allclose(learner.predict(TEST_X), before, atol=1e-5)
    teach(learner, X, Y)
    learner.drifted()
    assert accuracy(learner, TEST_X, TEST_Y) > 0.8


def test_what_is_forgotten_is_held_no_more() -> None:
    learner = make(composed(("reservoir", {"capacity": 64})))
    teach(learner, X[:48], Y[:48])
    part = learner.parts[BASIC]
    learner.forget(X[:10], Y[:10])
    held = min(part.seen, part.capacity)
    assert (
        held == 38 and torch.equal(part.x[:held], X[10:48]) and torch.equal(part.y[:38], Y[10:48])
    )
    teach(learner, X[48:200], Y[48:200])
    assert part.x.shape == (64, 20) and not (part.x[:, None] == X[:10]).all(2).any()


def test_compressing_gives_up_slots() -> None:
    learner = make(composed(("reservoir", {"capacity": 200})))
    teach(learner, X, Y)
    network = sum(weight.nbytes for weight in learner.weights)
    learner.compress(network + 50 * (20 * 4 + 8))
    part = learner.parts[BASIC]
    assert part.x.shape == (50, 20) and part.capacity == 50
    teach(learner, X, Y)
    assert accuracy(learner, TEST_X, TEST_Y) > 0.8


def test_without_a_part_for_it_data_are_asked_for_by_chance() -> None:
    learner = load_learner(composed())(TaskSpec("classification", (4, 5), 6), seed=0)
    indices = learner.query(torch.rand(30, 4, 5), 7)
    assert indices.shape == (7,) and len(set(indices.tolist())) == 7 and int(indices.max()) < 30
    assert learner.suggest(3).shape == (3, 4, 5)


# the kinds of task


def test_a_part_that_fits_other_kinds_is_idle() -> None:
    learner = load_learner(composed("class_mean", "gate"))(TaskSpec("regression", (4,), 1), seed=0)
    assert len(learner.active) == BASIC and len(learner.parts) == BASIC + 2


def test_two_parts_of_an_exclusive_role_are_an_error_that_names_them() -> None:
    learner = make(composed())
    learner.active = [*learner.active, type(learner.parts[0])()]
    with pytest.raises(TypeError, match=r"one part with the hook run_layers; got \['MLP', 'MLP'\]"):
        learner.predict(TEST_X)


def test_a_composed_learner_fits_real_numbers() -> None:
    learner = load_learner(composed("reservoir", lr=0.1))(TaskSpec("regression", (4,), 2), seed=0)
    x = torch.rand(320, 4, generator=torch.Generator().manual_seed(0))
    y = torch.stack((x.sum(1) - 2, x[:, 0] * x[:, 1]), 1)
    for _ in range(6):
        teach(learner, x, y)
    assert float((learner.predict(x) - y).square().mean()) < 0.1 * float(y.var(0).mean())


def test_a_composed_learner_labels_every_step_of_a_sequence() -> None:
    learner = load_learner(composed(lr=0.1))(TaskSpec("sequence", (5, 2), 3), seed=0)
    x = torch.rand(640, 5, 2, generator=torch.Generator().manual_seed(0))
    y = (x.sum(2) > 1).long()
    for _ in range(8):
        teach(learner, x, y)
    answers = learner.predict(x)
    assert answers.shape == (640, 5, 3)
    assert torch.allclose(answers.exp().sum(2), torch.ones(640, 5), atol=1e-5)
    assert float((answers.argmax(2) == y).float().mean()) > 0.8


# networks and update rules


@pytest.mark.parametrize("shape", [(1, 12, 12), (12, 12), (40,)])
def test_a_convolution_has_the_gradient_that_torch_has(shape: tuple[int, ...]) -> None:
    learner = load_learner(composed(("conv", {"kernel": 3})))(
        TaskSpec("classification", shape, 4), seed=0
    )
    x = torch.randn(6, math.prod(shape), generator=torch.Generator().manual_seed(1))
    w1, b1, w2, b2, w3, b3, w4, b4 = learner.weights
    window, stride = ((1, 3), (1, 2)) if len(shape) == 1 else ((3, 3), (2, 2))
    padding = (window[0] // 2, 1)
    maps = x.reshape(6, *(1, 1, *shape)[-3:])
    for weight, bias in ((w1, b1), (w2, b2)):
        kernels = weight.view(len(weight), -1, *window)
        maps = torch.conv2d(maps, kernels, bias, stride, padding).relu()
    hidden = (maps.flatten(1) @ w3.T + b3).relu()
    assert torch.allclose(learner.forward(x)[1], hidden @ w4.T + b4, atol=1e-5)
    rows = list(learner.layers(x))
    assert [len(r.T) for r in rows[:-1]] == [len(w.T) for w in learner.weights[::2]]


def test_perturbation_estimates_the_gradient_and_learns_without_one() -> None:
    tree = composed(("perturbation", {"directions": 16, "scale": 1.0}), hidden=96, layers=1)
    learner = make(tree, inputs=20)
    batch = Batch(X[:64], Y[:64])
    rule = next(part for part in learner.parts if hasattr(part, "update"))
    with torch.no_grad():
        total = [torch.zeros_like(weight) for weight in learner.weights]
        for _ in range(40):
            torch._foreach_add_(total, rule.update(learner, batch)[1])
    exact = torch.autograd.grad(learner.objective(batch), learner.weights)
    one, other = (torch.cat([t.flatten() for t in each]) for each in (total, exact))
    assert float(torch.cosine_similarity(one, other, dim=0)) > 0.3
    slow = make(composed(("perturbation", {"directions": 8}), hidden=96, layers=1, lr=0.3))
    first = slow.objective(batch).item()
    for _ in range(3):
        teach(slow, X, Y)
    assert slow.objective(batch).item() < 0.9 * first


# learning to learn


def wave(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A small task: a sine of its own height and phase, 10 points to fit and 40 to be tested on."""
    chance = torch.Generator().manual_seed(seed)
    height, phase = 0.5 + 2 * torch.rand(1, generator=chance), torch.rand(1, generator=chance)
    x = 4 * torch.rand(50, 1, generator=chance) - 2
    y = height * (2 * x + 3 * phase).sin()
    return x[:10], y[:10], x[10:], y[10:]


def test_reptile_finds_a_start_from_which_tasks_are_fitted() -> None:
    spec = TaskSpec("regression", (1,), 1, episodic=True, support=10, observations=600 * 10)
    cls = load_learner(load_seed("composed_meta"))
    taught, untaught = cls(spec, seed=0), cls(spec, seed=0)
    for task in range(600):
        x, y, _, _ = wave(task)
        taught.observe(x, y)

    def error(learner: Any) -> float:
        found = []
        for task in range(1000, 1010):
            x, y, test_x, test_y = wave(task)
            fitted = learner.adapt(x, y, 8)
            found.append(float((fitted.predict(test_x) - test_y).square().mean()))
        return sum(found) / len(found)

    assert taught.clock.seen == 6000
    before = [weight.clone() for weight in taught.weights]
    assert error(taught) < 0.7 * error(untaught)
    assert all(torch.equal(a, b) for a, b in zip(before, taught.weights, strict=True))


def test_a_new_episode_starts_where_learning_to_learn_ended() -> None:
    spec = TaskSpec("regression", (1,), 1, episodic=True, support=10)
    learner = load_learner(load_seed("composed_meta"))(spec, seed=0)
    x, y, test_x, _ = wave(1)
    learner.observe(x, y)
    start = learner.predict(test_x)
    learner.new_episode()
    learner.observe(x[:1], y[:1])
    assert not torch.equal(learner.predict(test_x), start)
    learner.new_episode()
    assert torch.equal(learner.predict(test_x), start)


# control

CORRIDOR = TaskSpec("control", (5,), 0, actions=2)


def test_q_learning_walks_to_the_reward() -> None:
    """A corridor of five places, eight walkers at once; the reward is at the right end."""
    learner = load_learner(load_seed("composed_control"))(
        TaskSpec("control", (5,), 0, actions=2), seed=0
    )
    place, eye = torch.full((8,), 2), torch.eye(5)
    earned = []
    for _ in range(300):
        actions = learner.act(eye[place])
        assert actions.shape == (8,) and actions.dtype == torch.int64
        place = (place + 2 * actions - 1).clamp(min=0)
        ended = place == 4
        earned.append(float(ended.float().mean()))
        learner.feedback(ended.float(), ended, torch.zeros(8, dtype=torch.bool), eye[place])
        place[ended] = 2
    assert sum(earned[-50:]) > 1.5 * sum(earned[:50])
    assert (learner.predict(eye[:4]).argmax(1) == 1).all()


def test_q_learning_is_for_discrete_actions() -> None:
    cls = load_learner(load_seed("composed_control"))
    with pytest.raises(ValueError, match="expected a task with discrete actions"):
        cls(TaskSpec("control", (5,), 0, action_shape=(2,)), seed=0)


def test_feedback_without_an_action_is_an_error() -> None:
    learner = load_learner(load_seed("composed_control"))(
        TaskSpec("control", (5,), 0, actions=2), seed=0
    )
    none = torch.zeros(1, dtype=torch.bool)
    with pytest.raises(RuntimeError, match="expected `act` before `feedback`"):
        learner.feedback(torch.zeros(1), none, none, torch.zeros(1, 5))


def test_control_keeps_to_its_allowance() -> None:
    spec = TaskSpec("control", (5,), 0, actions=2, memory_bytes=120_000)
    learner = load_learner(load_seed("composed_control"))(spec, seed=0)
    held = learner.parts[-1].steps.nbytes + 2 * sum(weight.nbytes for weight in learner.weights)
    assert learner.parts[-1].capacity < 2000 and held <= 120_000
