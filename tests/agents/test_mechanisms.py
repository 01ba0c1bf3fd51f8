"""Mechanisms do what their papers say, alone, by role and in a sample of pairs."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import torch
from tests.agents.loading import accuracy, blobs, composed, load_learner, make, teach
from torch import Tensor

from cambrian.agents.catalogue import catalogue
from cambrian.agents.contract import TaskSpec
from cambrian.agents.roles import exclusive

NAMES = sorted(catalogue())
BASIC = 4
"""How many parts a learner cannot do without; they come first."""
ROLE = {name: found.role for name, found in catalogue().items()}
STREAM = [name for name in NAMES if "stream" in catalogue()[name].card["skeletons"]]
X, Y = blobs(480)
TEST_X, TEST_Y = blobs(200, seed=1)


def short_run(tree: Any, seed: int = 0) -> Tensor:
    """A short stream in three stages with boundaries; the scores before and after it."""
    learner = make(tree, seed=seed, boundaries=True, observations=240)
    before = learner.predict(TEST_X)
    for stage in range(3):
        rows = (Y // 2).eq(stage)
        teach(learner, X[rows][:80], Y[rows][:80])
        learner.task_boundary()
    return torch.cat((before, learner.predict(TEST_X)))


def classes_in_turn(learner: Any, boundaries: bool = True) -> float:
    """Accuracy on all classes after they came two at a time, three times over."""
    for stage in range(3):
        rows = (Y // 2).eq(stage)
        for _ in range(3):
            teach(learner, X[rows], Y[rows])
        if boundaries:
            learner.task_boundary()
    return accuracy(learner, TEST_X, TEST_Y)


def sampled_pairs() -> list[tuple[str, str]]:
    """Two pairs for each mechanism, of roles that go together; which ones, the names decide, so
    that a new mechanism adds its own two and changes few of the others'."""
    pairs = set()
    for name in STREAM:
        others = [
            other
            for other in STREAM
            if other != name and not (ROLE[name] == ROLE[other] and exclusive(ROLE[name]))
        ]
        others.sort(key=lambda other: hashlib.sha256(f"{name}+{other}".encode()).digest())
        pairs |= {(min(name, other), max(name, other)) for other in others[:2]}
    return sorted(pairs)


@pytest.mark.parametrize("name", STREAM)
def test_each_alone_gives_finite_scores_and_repeats(name: str) -> None:
    scores = short_run(composed(name))
    assert scores.isfinite().all() and scores.shape == (400, 6)
    assert torch.equal(scores, short_run(composed(name)))


@pytest.mark.parametrize("pair", sampled_pairs(), ids="+".join)
def test_sampled_pairs_work_together(pair: tuple[str, str]) -> None:
    assert short_run(composed(*pair)).isfinite().all()


@pytest.mark.parametrize("kind", ["classification", "regression", "sequence", "active"])
def test_one_of_every_role_works_on_every_kind_of_task(kind: str) -> None:
    """A part that does not fit the kind is idle; of the others, one of each role at once, then
    the others of the role."""
    x = torch.rand(64, 6, 4, generator=torch.Generator().manual_seed(0))
    y = {
        "classification": (x.sum((1, 2)) > 12).long(),
        "active": (x.sum((1, 2)) > 12).long(),
        "regression": torch.stack((x.sum((1, 2)), x[:, 0, 0]), 1) / 6,
        "sequence": (x.cumsum(1).sum(2) > 6).long(),
    }[kind]
    shape = {"sequence": (64, 6, 2)}.get(kind, (64, 2))
    left = {role: [n for n in STREAM if ROLE[n] == role] for role in ROLE.values()}
    while any(left.values()):
        chosen = [names.pop() for names in left.values() if names]
        learner = load_learner(composed(*chosen, lr=0.02))(
            TaskSpec(kind, (6, 4), 2, batch_size=16, boundaries=True), seed=0
        )
        for _ in range(3):
            teach(learner, x, y)
            learner.task_boundary()
        learner.drifted()
        answers = learner.predict(x)
        assert answers.shape == shape and answers.isfinite().all(), chosen


@pytest.mark.parametrize(
    "part",
    [
        ("class_mean", {"source": "network"}),
        ("hopfield", {"source": "network"}),
        ("self_rate", {"rule": "homeostatic"}),
        ("momentum", {"nesterov": True}),
        ("reservoir", {"recency": 0.5, "asymmetry": 0.5}),
        ("conv", {"kernel": 3}),
    ],
)
def test_every_choice_works(part: Any) -> None:
    tree = composed(part, steps=2)
    scores = short_run(tree)
    assert scores.isfinite().all()
    assert torch.equal(scores, short_run(tree))


def test_without_parts_the_composed_learner_is_plain_descent() -> None:
    learner = make(composed(lr=0.1))
    weights = [w.detach().clone().requires_grad_() for w in learner.weights]
    _, logits = learner.forward(X[:16], weights)
    grads = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, Y[:16]), weights)
    learner.observe(X[:16], Y[:16])
    for weight, old, grad in zip(learner.weights, weights, grads, strict=True):
        assert torch.allclose(weight, old - 0.1 * grad, atol=1e-6)


# replay


def test_replay_prevents_forgetting() -> None:
    plain = classes_in_turn(make(composed()))
    assert plain < 0.5
    for name in ("reservoir", "dark_replay"):
        assert classes_in_turn(make(composed(name))) > plain + 0.3


def test_full_recency_is_a_window_of_the_latest_samples() -> None:
    learner = make(composed(("reservoir", {"capacity": 64, "recency": 1.0})))
    teach(learner, X[:320], Y[:320])
    held = {tuple(row) for row in learner.parts[BASIC].x.tolist()}
    assert held == {tuple(row) for row in X[256:320].tolist()}


def test_the_asymmetric_loss_does_not_push_down_absent_classes() -> None:
    """ER-ACE, eq. 3: the gradient of new rows is zero at classes seen before but not present."""
    learner = make(composed(("reservoir", {"asymmetry": 1.0})))
    learner.parts[BASIC].known[:] = True
    learner.observe(X[Y < 2][:16], Y[Y < 2][:16])
    before = learner.weights[-1].detach().clone()
    assert torch.allclose(before[2:], torch.zeros(4), atol=1e-7)
    assert (before[:2] != 0).all()


def test_dark_replay_matches_the_logits_it_stored() -> None:
    learner = make(composed(("dark_replay", {"capacity": 16, "alpha": 2.0, "beta": 0.0})))
    learner.observe(X[:16], Y[:16])
    part = learner.parts[BASIC]
    assert torch.equal(part.x, X[:16]) and torch.equal(part.y, Y[:16])
    with torch.no_grad():
        learner.weights[-1].add_(torch.arange(6.0))  # disturb the network

    def distance() -> float:
        _, logits = learner.forward(part.x)
        return float((logits.detach() - part.z).square().mean())

    first = distance()
    for row in range(16):  # rows that are in the buffer already keep it much as it is
        learner.observe(X[row : row + 1], Y[row : row + 1])
    assert distance() < 0.5 * first


# consolidation


def test_ewc_pulls_important_weights_back_to_where_they_were() -> None:
    """Kirkpatrick et al. 2017, eq. 3: the pull is the strength times the Fisher times the way."""
    learner = make(composed(("ewc", {"strength": 2.0}), lr=0.01), boundaries=True)
    teach(learner, X[:96], Y[:96])
    learner.task_boundary()
    part = learner.parts[BASIC]
    assert all((fisher >= 0).all() and fisher.sum() > 0 for fisher in part.fisher)
    zero = [torch.zeros_like(weight) for weight in learner.weights]
    assert all((pull == 0).all() for pull in part.gradients(learner, None, zero))
    with torch.no_grad():
        for weight in learner.weights:
            weight.add_(0.5)
    for pull, fisher in zip(part.gradients(learner, None, zero), part.fisher, strict=True):
        assert torch.allclose(pull, 2.0 * 0.5 * fisher.float(), atol=1e-6)


def test_ewc_consolidates_by_itself_where_no_boundary_is_told() -> None:
    learner = make(composed(("ewc", {"every": 100})))
    teach(learner, X[:96], Y[:96])
    assert not learner.parts[BASIC].ready
    teach(learner, X[96:112], Y[96:112])
    assert learner.parts[BASIC].ready


def test_gpm_steps_leave_earlier_answers_alone() -> None:
    """Saha et al. 2021: with a full basis of the first inputs, later steps cannot change them."""
    tree = composed(("gpm", {"energy": 0.99, "samples": 64}), hidden=96)
    learner = make(tree, inputs=100, boundaries=True)
    chance = torch.Generator().manual_seed(0)
    x, y = torch.randn(64, 100, generator=chance), torch.randint(0, 6, (64,), generator=chance)
    teach(learner, x, y)
    learner.task_boundary()
    for basis in learner.parts[BASIC].bases:
        assert torch.allclose(basis.T @ basis, torch.eye(basis.shape[1]), atol=1e-4)
    grads = [torch.randn(w.shape, generator=chance) for w in learner.weights]
    for grad, inputs in zip(
        learner.parts[BASIC].gradients(learner, None, grads)[::2], learner.layers(x), strict=False
    ):
        left = (inputs.detach() @ grad.T).norm() / (inputs.detach().norm() * grad.norm())
        assert left < 0.03


def test_gpm_holds_the_energy_it_was_asked_for() -> None:
    tree = composed(("gpm", {"energy": 0.8, "samples": 64}))
    learner = make(tree, boundaries=True)
    teach(learner, X[:64], Y[:64])
    learner.task_boundary()
    basis = learner.parts[BASIC].bases[0]
    held = float((X[:64] @ basis).square().sum() / X[:64].square().sum())
    less = float((X[:64] @ basis[:, :-1]).square().sum() / X[:64].square().sum())
    assert held >= 0.8 > less


def test_the_weight_average_trails_the_weights() -> None:
    learner = make(composed(("weight_average", {"decay": 0.8})))
    average = [weight.detach().clone() for weight in learner.weights]
    for start in range(0, 96, 16):
        learner.observe(X[start : start + 16], Y[start : start + 16])
        average = [
            0.8 * a + 0.2 * w.detach() for a, w in zip(average, learner.weights, strict=True)
        ]
    expected = learner.forward(TEST_X, average)[1].log_softmax(1)
    assert torch.allclose(learner.predict(TEST_X), expected, atol=1e-5)


# optimisers: the reference is torch's own


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_that_of_torch(nesterov: bool) -> None:
    values: dict[str, Any] = {"decay": 0.8, "scale": 1.0, "nesterov": nesterov}
    learner = make(composed(("momentum", values), lr=0.05))
    weights = [w.detach().clone().requires_grad_() for w in learner.weights]
    torch_sgd = torch.optim.SGD(weights, lr=0.05, momentum=0.8, nesterov=nesterov)
    _same_descent(learner, weights, torch_sgd)


def test_adam_is_that_of_torch() -> None:
    values: dict[str, Any] = {"scale": 0.02, "first": 0.9, "second": 0.99}
    learner = make(composed(("adam", values), lr=0.05))
    weights = [w.detach().clone().requires_grad_() for w in learner.weights]
    _same_descent(learner, weights, torch.optim.Adam(weights, lr=0.001, betas=(0.9, 0.99)))


def _same_descent(learner: Any, weights: list[Tensor], other: torch.optim.Optimizer) -> None:
    for start in range(0, 160, 16):
        x, y = X[start : start + 16], Y[start : start + 16]
        other.zero_grad()
        torch.nn.functional.cross_entropy(learner.forward(x, weights)[1], y).backward()  # type: ignore[no-untyped-call]
        other.step()
        learner.observe(x, y)
    for mine, theirs in zip(learner.weights, weights, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)


def test_the_rate_rises_with_surprise_and_relaxes() -> None:
    learner = make(composed(("self_rate", {"step": 1.0, "most": 4.0, "slow": 0.95}), lr=0.05))
    for _ in range(6):
        teach(learner, X, Y)
    calm = learner.lr
    wrong = (Y + 1) % 6
    teach(learner, X[:64], wrong[:64])
    assert learner.lr > 1.5 * calm
    for _ in range(12):
        teach(learner, X, wrong)
    assert learner.lr < 1.2 * 0.05


def test_the_homeostatic_rate_stays_within_its_bounds() -> None:
    values: dict[str, Any] = {"rule": "homeostatic", "step": 2.0, "most": 3.0}
    learner = make(composed(("self_rate", values), lr=0.06))
    rates = set()
    for shift in range(6):
        for start in range(0, 480, 16):
            rows = slice(start, start + 16)
            learner.observe(X[rows], (Y[rows] + shift) % 6)
            rates.add(learner.lr)
    assert len(rates) > 1
    assert min(rates) >= 0.06 / 3 - 1e-9 and max(rates) <= 0.06 * 3 + 1e-9


# heads


def test_heads_do_not_forget_classes() -> None:
    for name in ("class_mean", "hopfield"):
        assert classes_in_turn(make(composed((name, {"weight": 0.9})))) > 0.9


def test_the_class_mean_head_equals_a_discriminant_computed_at_once() -> None:
    learner = make(composed(("class_mean", {"weight": 1.0, "sharpness": 1.0, "features": 100})))
    teach(learner, X, Y)
    part = learner.parts[BASIC]
    phi = part._phi(X, X)
    means = torch.stack([phi[label == Y].mean(0) for label in range(6)])
    centred = phi - means[Y]
    assert torch.allclose(part.means, means, atol=1e-4)
    assert torch.allclose(part.scatter, centred.T @ centred, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("name", ["class_mean", "hopfield"])
def test_heads_with_forgetting_follow_labels_that_change(name: str) -> None:
    settings: dict[str, Any] = {"class_mean": {"forgetting": 0.2}, "hopfield": {"keys": 8}}
    learner = make(composed((name, {**settings[name], "weight": 0.9})))
    teach(learner, X, Y)
    teach(learner, X, (Y + 1) % 6)
    assert accuracy(learner, TEST_X, (TEST_Y + 1) % 6) > 0.9


def test_the_class_mean_head_fits_the_memory_it_is_given() -> None:
    learner = make(composed("class_mean"), memory_bytes=300_000)
    part = learner.parts[BASIC]
    tensors = [value for value in vars(part).values() if isinstance(value, Tensor)]
    assert sum(tensor.nbytes for tensor in tensors) < 100_000
    teach(learner, X, Y)
    assert accuracy(learner, TEST_X, TEST_Y) > 0.9


def test_hopfield_keys_are_the_latest_of_each_class() -> None:
    learner = make(composed(("hopfield", {"keys": 4})))
    teach(learner, X, Y)
    stored = learner.parts[BASIC].stored.view(6, 4, -1)
    for label in range(6):
        held = {tuple(row) for row in stored[label].tolist()}
        assert held == {tuple(row) for row in X[label == Y][-4:].tolist()}


def test_the_gate_trusts_the_head_that_predicts_best() -> None:
    """A network that cannot learn beside a head that can, and the other way round."""
    head: dict[str, Any] = {"weight": 0.5}
    still = make(composed(("class_mean", head), "gate", lr=1e-6))
    teach(still, X, Y)
    assert accuracy(still, TEST_X, TEST_Y) > 0.9
    lost = make(composed(("class_mean", {"sharpness": 1e-4}), "gate", lr=0.2))
    teach(lost, X, Y)
    teach(lost, X, Y)
    network, head_loss = lost.parts[BASIC + 1].losses
    assert network < head_loss
    assert accuracy(lost, TEST_X, TEST_Y) > 0.9


# the label map


def swapped(y: Tensor, one: int, other: int) -> Tensor:
    names = torch.arange(6)
    names[[one, other]] = names[[other, one]]
    return names[y]


def test_a_swap_of_names_costs_the_label_map_few_samples() -> None:
    results = {}
    for parts in ((), ("label_map",)):
        learner = make(composed("reservoir", *parts, lr=0.1))
        for _ in range(4):
            teach(learner, X, Y)
        teach(learner, X[:48], swapped(Y[:48], 1, 4))
        results[parts] = accuracy(learner, TEST_X, swapped(TEST_Y, 1, 4))
    assert results[("label_map",)] > 0.95
    assert results[()] < results[("label_map",)] - 0.1


def test_new_classes_and_new_domains_are_not_taken_for_new_names() -> None:
    learner = make(composed("reservoir", "label_map"))
    classes_in_turn(learner)
    assert torch.equal(learner.parts[BASIC + 1].label_of, torch.arange(6))
    learner = make(composed("reservoir", "label_map"))
    for _ in range(3):
        teach(learner, X, Y)
    chance = torch.Generator().manual_seed(3)
    for _ in range(3):
        pixels = torch.randperm(20, generator=chance)
        teach(learner, X[:, pixels], Y)
    assert torch.equal(learner.parts[BASIC + 1].label_of, torch.arange(6))
