"""The kernel ridge head and packed replay do what their papers say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from tests.agents.loading import accuracy, blobs, composed, load_learner, make, teach

from cambrian.agents.contract import TaskSpec
from cambrian.agents.part import Batch, PackedRows

BASIC = 4
X, Y = blobs(480)
TEST_X, TEST_Y = blobs(200, seed=1)


def head(**values: Any) -> Any:
    """A learner whose answer is the head's nearly alone."""
    return make(composed(("kernel_ridge", {"weight": 0.9, **values})))


def arc_cosine(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Cho and Saul 2009, eq. 6, of unit vectors."""
    angle = np.arccos(np.clip(one @ two.T, -1.0, 1.0))
    found: np.ndarray = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
    return found


def test_the_kernel_ridge_head_answers_as_scikit_learns_does() -> None:
    learner = head(rows=96, ridge=0.05, keep="latest", sharpness=1.0)
    teach(learner, X[:96], Y[:96])
    part = learner.parts[BASIC]
    learner.predict(TEST_X)
    part.metric, part.changed, part.fitted = None, 96, 10**9  # solve once more, without whitening
    learner.predict(TEST_X)
    centre = X[:96].mean(0)
    rows = torch.nn.functional.normalize(X[:96] - centre).numpy()
    asked = torch.nn.functional.normalize(TEST_X - centre).numpy()
    wanted = torch.nn.functional.one_hot(Y[:96], 6).float().numpy() - 1.0 / 6.0
    theirs = KernelRidge(alpha=0.05, kernel="precomputed").fit(arc_cosine(rows, rows), wanted)
    expected = theirs.predict(arc_cosine(asked, rows))
    asked_of = part._kernel(TEST_X - part.centre, part._centred(part.used), part.lengths)
    order = part.born.argsort(descending=True)
    assert torch.equal(part.used.numbers, part.x.numbers[order])
    mine = (asked_of @ part.solved[0]).numpy()
    assert np.abs(mine - expected).max() < 0.02  # rows are kept in a byte a number


def test_what_is_said_of_rows_left_out_is_what_is_said_without_them() -> None:
    learner = head(rows=60, keep="latest")
    teach(learner, X[:48], Y[:48])
    part = learner.parts[BASIC]
    part.metric, part.centre = None, part.mean
    rows = part.born.argsort(descending=True)[:48]
    every = part._left_out(rows, learner)
    for at in (0, 17, 47):
        others = torch.cat((rows[:at], rows[at + 1 :]))
        solved = torch.cholesky_solve(part._wanted(learner, others), part._factor(others))
        z, asked = (part.x.get(each) - part.centre for each in (others, rows[at : at + 1]))
        alone = part._kernel(asked, z, part._length(z)) @ solved
        assert torch.allclose(every[at], alone[0], atol=1e-3)


def test_whitening_is_chosen_where_it_helps() -> None:
    chance = torch.Generator().manual_seed(0)
    y = torch.randint(0, 2, (200,), generator=chance)
    x = torch.randn(200, 16, generator=chance)
    x[:, 0] = x[:, 0] * 0.1 + (2.0 * y - 1.0) * 0.2  # what matters varies least
    x[:, 1:] *= 3.0
    learner = make(composed(("kernel_ridge", {"rows": 200, "weight": 0.9})), inputs=16, outputs=2)
    teach(learner, x[:160], y[:160])
    learner.predict(x)
    assert learner.parts[BASIC].metric is not None
    assert accuracy(learner, x[160:], y[160:]) > 0.85
    learner.parts[BASIC].metric, learner.parts[BASIC].changed = None, 200
    learner.parts[BASIC].fitted = 10**9
    assert accuracy(learner, x[160:], y[160:]) < 0.8


@pytest.mark.parametrize("keep", ["asked", "balanced"])
def test_rows_kept_evenly_remember_every_class(keep: str) -> None:
    learner = head(rows=60, keep=keep)
    for stage in range(3):
        rows = (Y // 2).eq(stage)
        teach(learner, X[rows], Y[rows])
    assert learner.parts[BASIC].y.bincount(minlength=6).tolist() == [10] * 6
    assert accuracy(learner, TEST_X, TEST_Y) > 0.9


def test_what_is_asked_before_it_is_told_is_answered_from_the_latest_rows() -> None:
    learner = head(rows=100)
    right = 0
    for labels in (Y, (Y + 1) % 6):
        for start in range(0, 480, 16):
            x, y = X[start : start + 16], labels[start : start + 16]
            right += int((learner.predict(x).argmax(1) == y).sum())
            learner.observe(x, y)
    part = learner.parts[BASIC]
    assert part.online > 2 and len(part.weights) > 1
    assert torch.equal(part.born.sort().values, torch.arange(860, 960, dtype=torch.int32))
    assert right > 0.85 * 960


def test_shorter_windows_win_where_labels_change_often() -> None:
    learner = head(rows=160, keep="latest")
    for turn in range(6):
        for start in range(0, 96, 16):
            x, y = X[start : start + 16], (Y[start : start + 16] + turn) % 6
            learner.predict(x)
            learner.observe(x, y)
    weights = learner.parts[BASIC].weights
    assert abs(float(weights.sum()) - 1.0) < 1e-5
    assert float(weights[1:].sum()) > float(weights[0])


@pytest.mark.parametrize(("shift", "kept"), [(0, True), (1, False)])
def test_rows_that_mislead_are_dropped_at_a_boundary_and_others_stay(
    shift: int, kept: bool
) -> None:
    tree = composed(("kernel_ridge", {"rows": 200, "keep": "balanced", "weight": 0.9}))
    learner = make(tree, boundaries=True)
    teach(learner, X[:200], Y[:200])
    learner.task_boundary()
    teach(learner, X[200:280], (Y[200:280] + shift) % 6)
    learner.task_boundary()
    born = learner.parts[BASIC].born
    assert bool(((born >= 0) & (born < 200)).any()) is kept
    assert accuracy(learner, TEST_X, (TEST_Y + shift) % 6) > 0.8


def test_the_kernel_ridge_head_learns_real_numbers() -> None:
    spec = TaskSpec("regression", (4,), 2, batch_size=16)
    learner = load_learner(composed(("kernel_ridge", {"weight": 0.95})))(spec, seed=0)
    x = torch.randn(256, 4, generator=torch.Generator().manual_seed(1))
    y = torch.stack((x[:, 0].abs(), x[:, 1] + x[:, 2]), 1)
    teach(learner, x[:240], y[:240])
    error = (learner.predict(x[240:]) - y[240:]).square().mean()
    assert float(error) < 0.3 * float(y.var())


def test_solving_keeps_to_its_share_of_the_operations_allowed() -> None:
    tree = composed(("kernel_ridge", {"rows": 200, "keep": "latest"}))
    learner = make(tree, flops=20_000_000, observations=480)
    for start in range(0, 480, 16):
        learner.predict(X[start : start + 16])
        learner.observe(X[start : start + 16], Y[start : start + 16])
    part = learner.parts[BASIC]
    assert 0 < part.spent <= 0.3 * 20_000_000
    assert len(part.lengths) < 200


def test_packed_rows_are_right_to_half_a_step() -> None:
    x = torch.randn(30, 12, generator=torch.Generator().manual_seed(2)) * 5.0
    packed = PackedRows(40, 12, x.device)
    packed.put(torch.arange(30), x)
    wrong = (packed.get(slice(30)) - x).abs()
    assert bool((wrong <= x.abs().amax(1, keepdim=True) / 253.0).all())
    packed.put(torch.tensor([3]), torch.zeros(1, 12))
    assert torch.equal(packed.get(torch.tensor([3])), torch.zeros(1, 12))


def test_packed_replay_fills_what_the_allowance_leaves_and_no_more() -> None:
    tree = composed("packed_replay", hidden=32)
    held = {}
    for room in (40_000, 80_000):
        learner = make(tree, memory_bytes=room, observations=10**6)
        part = learner.parts[BASIC]
        held[room] = part.capacity
        assert part.capacity * part.size(learner) < room
    assert held[80_000] - held[40_000] == pytest.approx(
        0.9 * 0.92 * 40_000 / (20 + 4 + 8), rel=0.01
    )


def test_two_parts_do_not_take_the_same_bytes() -> None:
    tree = composed("packed_replay", ("gpm", {"every": 64}), hidden=32)
    learner = make(tree, memory_bytes=60_000, observations=10**6)
    replay, gpm = learner.parts[BASIC], learner.parts[BASIC + 1]
    assert gpm.room + replay.capacity * replay.size(learner) < 60_000
    tree = composed(("gpm", {"every": 64}), "packed_replay", hidden=32)
    learner = make(tree, memory_bytes=60_000, observations=10**6)
    gpm, replay = learner.parts[BASIC], learner.parts[BASIC + 1]
    assert gpm.room + replay.capacity * replay.size(learner) < 60_000


def test_packed_replay_draws_rare_classes_as_often_as_balance_says() -> None:
    drawn = {}
    for balance in (0.0, 1.0):
        learner = make(composed(("packed_replay", {"balance": balance, "batch": 600})))
        teach(learner, X[Y < 2][:128], Y[Y < 2][:128])
        teach(learner, X[Y == 4][:8], Y[Y == 4][:8])
        batch = Batch(X[:1], Y[:1])
        learner.parts[BASIC].replay(learner, batch)
        drawn[balance] = float((batch.y[1:] == 4).float().mean())
    assert drawn[0.0] == pytest.approx(8 / 136, abs=0.04)
    assert drawn[1.0] == pytest.approx(1 / 3, abs=0.08)


def test_packed_replay_gives_up_what_it_is_asked_to_forget() -> None:
    learner = make(composed(("packed_replay", {})))
    teach(learner, X[:64], Y[:64])
    part = learner.parts[BASIC]
    learner.forget(X[:16], Y[:16])
    assert part.seen == 48
    kept = part.x.get(slice(48))
    assert float((kept - X[16:64]).abs().max()) < 0.02
    part.compress(learner, 10 * part.size(learner))
    assert part.capacity == 10 and len(part.y) == 10


def test_the_kernel_ridge_head_gives_up_what_it_is_asked_to_forget() -> None:
    learner = head(rows=120)
    teach(learner, X[:96], Y[:96])
    learner.predict(TEST_X)
    part = learner.parts[BASIC]
    learner.forget(X[:80], Y[:80])
    assert not len(part.lengths) and int((part.born >= 0).sum()) == 16
    kept = part.x.get(slice(16))
    assert float((kept - X[80:96]).abs().max()) < 0.02
    learner.forget(X[80:96], Y[80:96])
    alone = learner.predict(TEST_X[:8])
    assert alone.isfinite().all()


def test_a_compressed_kernel_ridge_head_answers_from_its_latest_rows() -> None:
    learner = head(rows=120, keep="latest")
    teach(learner, X[:96], Y[:96])
    part = learner.parts[BASIC]
    part.compress(learner, 40 * 200)
    assert part.rows < 60 and int((part.born >= 0).sum()) == part.rows
    assert int(part.born.min()) == 96 - part.rows
    assert accuracy(learner, TEST_X, TEST_Y) > 0.7


def test_a_large_question_between_a_small_one_and_its_labels_is_no_harm() -> None:
    learner = head(rows=60, keep="latest")
    teach(learner, X[:48], Y[:48])
    learner.predict(X[48:64])
    learner.predict(TEST_X)
    part = learner.parts[BASIC]
    assert part.said.untyped_storage().nbytes() == 0
    learner.observe(X[48:64], Y[48:64])
    assert part.online == 0


def test_a_new_episode_starts_without_the_rows_of_the_last() -> None:
    learner = head(rows=200, keep="latest")
    teach(learner, X[:96], Y[:96])
    learner.predict(TEST_X)
    learner.parts[BASIC].episode(learner)
    assert int((learner.parts[BASIC].born >= 0).sum()) == 0
    teach(learner, X[:64], (Y[:64] + 1) % 6)
    assert accuracy(learner, TEST_X, (TEST_Y + 1) % 6) > 0.8


def test_a_number_that_is_none_does_no_lasting_harm() -> None:
    learner = head(rows=200)
    broken = X[:16].clone()
    broken[3, 2] = torch.nan
    learner.parts[BASIC].on_batch(learner, broken, Y[:16])
    teach(learner, X[16:200], Y[16:200])
    assert learner.parts[BASIC].mean.isfinite().all()
    assert accuracy(learner, TEST_X, TEST_Y) > 0.9
