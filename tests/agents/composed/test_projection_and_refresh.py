"""Lateral neurons find what a decomposition finds; refresh goes up before it goes down."""

from __future__ import annotations

import pytest
import torch
from tests.agents.loading import blobs, composed, make, teach

from cambrian.agents.part import Batch

X, Y = blobs(96)
BASIC = 4


def test_the_hebbian_rule_finds_orthonormal_rows_of_nearly_the_best_energy() -> None:
    """At least 95 % of what the same number of singular vectors holds."""
    x = X @ torch.diag(torch.linspace(1.0, 0.1, X.shape[1]))
    learner = make(
        composed(("hebbian_projection", {"neurons": 8, "samples": 96, "sweeps": 200})),
        boundaries=True,
    )
    teach(learner, x, Y)
    learner.task_boundary()
    rows = learner.parts[BASIC].lateral[0]
    assert rows.shape == (8, 20)
    assert torch.allclose(rows @ rows.T, torch.eye(8), atol=1e-2)
    held = (x @ rows.T).square().sum()
    best = torch.linalg.svdvals(x)[:8].square().sum()
    assert 0.95 * best < held <= 1.001 * best


def test_steps_leave_what_earlier_inputs_span_alone() -> None:
    tree = composed(("hebbian_projection", {"neurons": 16, "samples": 96}), hidden=64)
    learner = make(tree, inputs=100, boundaries=True)
    chance = torch.Generator().manual_seed(0)
    low = torch.randn(96, 12, generator=chance) @ torch.randn(12, 100, generator=chance)
    teach(learner, low, torch.randint(0, 6, (96,), generator=chance))
    learner.task_boundary()
    grads = [torch.randn(w.shape, generator=chance) for w in learner.weights]
    first = learner.parts[BASIC].gradients(learner, None, grads)[0]
    left = (low @ first.T).norm() / (low.norm() * first.norm())
    assert left < 0.01 < (low @ grads[0].T).norm() / (low.norm() * grads[0].norm())


def test_no_neurons_are_added_for_what_is_spanned_already_and_none_beyond_their_room() -> None:
    tree = composed(("hebbian_projection", {"neurons": 6, "samples": 64}))
    learner = make(tree, boundaries=True)
    one = X[:1].repeat(64, 1)
    teach(learner, one, Y[:1].repeat(64))
    learner.task_boundary()
    part = learner.parts[BASIC]
    rows = part.lateral[0]
    assert torch.allclose(one - (one @ rows.T) @ rows, torch.zeros_like(one), atol=1e-3)
    learner.task_boundary()
    assert len(part.lateral[0]) == len(rows), "nothing new was seen"
    for start in range(0, 96, 8):
        teach(learner, X[start : start + 8].repeat(8, 1), Y[start : start + 8].repeat(8))
        learner.task_boundary()
    assert sum(one.nbytes for one in part.lateral) <= part.room
    assert all(len(one) < one.shape[1] for one in part.lateral)


@pytest.mark.parametrize("size", [1e-3, 1e-2])
def test_refresh_raises_the_loss_before_the_step_that_lowers_it(size: float) -> None:
    learner = make(composed(("refresh", {"size": size, "noise": 0.0})))
    before = float(learner.objective(Batch(X[:16], Y[:16], None)).detach())
    weights = [weight.detach().clone() for weight in learner.weights]
    loss, grads = learner.only("update")(learner, Batch(X[:16], Y[:16], None))
    assert float(loss.detach()) > before
    moved = [w.detach() - old for w, old in zip(learner.weights, weights, strict=True)]
    assert sum(float((m * g).sum()) for m, g in zip(moved, grads, strict=True)) > 0
    for change, old in zip(moved, weights, strict=True):
        assert float(change.norm()) <= size * float(old.norm()) * (1 + 1e-4)


def test_refresh_of_no_size_is_backpropagation() -> None:
    plain = make(composed())
    refreshed = make(composed(("refresh", {"size": 0.0})))
    teach(plain, X, Y)
    teach(refreshed, X, Y)
    assert torch.equal(plain.predict(X), refreshed.predict(X))
