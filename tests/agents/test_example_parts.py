"""The parts of docs/extend.md: one file each, at most 60 lines, and each does what it says."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.agents.loading import accuracy, blobs, composed, load_learner, make, teach

from cambrian.agents.catalogue import Mechanism, catalogue, hook_names, read_mechanism
from cambrian.agents.contract import TaskSpec
from cambrian.agents.recombine import recombine
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.roles import KINDS, ROLES, SKELETONS
from cambrian.agents.seeds import load_seed

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "examples" / "parts").glob("*.py"))
FOUND = {path.stem: read_mechanism(path.stem, "", path.read_text("utf-8")) for path in FILES}
X, Y = blobs(480)
TEST_X, TEST_Y = blobs(200, seed=1)


def with_part(name: str, *others: str, **more: Any) -> Any:
    """A tree with an example part and others of the catalogue."""
    return composed(name, *others, mechanisms=FOUND, **more)


def test_there_is_an_example_of_each_role_that_the_page_names() -> None:
    page = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
    roles = [found.role for found in FOUND.values()]
    assert sorted(roles) == ["control", "head", "memory", "meta", "network", "optimiser"]
    for name in FOUND:
        assert f"examples/parts/{name}.py" in page
    for hook in hook_names():
        assert f"`{hook}`" in page, hook
    for role in ROLES:
        assert f"| {role} |" in page, role


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_is_short_and_its_card_complete(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
    card = FOUND[path.stem].card
    assert set(card["kinds"]) <= set(KINDS) and set(card["skeletons"]) <= set(SKELETONS)
    shipped = set(catalogue()["reservoir"].card) - {"version"}
    assert set(card) - {"needs"} == shipped
    assert card["name"] == path.stem


@pytest.mark.parametrize("name", ["residual", "lion", "window", "naive_bayes"])
def test_a_stream_learner_with_an_example_part_learns_and_repeats(name: str) -> None:
    scores = []
    for _ in range(2):
        learner = make(with_part(name, lr=0.05 if name == "residual" else 0.2))
        for _ in range(2):
            teach(learner, X, Y)
        scores.append(learner.predict(TEST_X))
    assert torch.equal(*scores)
    assert accuracy(learner, TEST_X, TEST_Y) > 0.9


def test_lion_is_that_of_its_paper() -> None:
    learner = make(with_part("lion", lr=0.2))
    weights = [weight.detach().clone() for weight in learner.weights]
    mean = [torch.zeros_like(weight) for weight in weights]
    for start in (0, 16, 32):
        x, y = X[start : start + 16], Y[start : start + 16]
        held = [weight.requires_grad_() for weight in weights]
        loss = torch.nn.functional.cross_entropy(learner.forward(x, held)[1], y)
        grads = torch.autograd.grad(loss, held)
        with torch.no_grad():
            steps = [(0.9 * m + 0.1 * g).sign() for m, g in zip(mean, grads, strict=True)]
            weights = [w - 0.001 * s for w, s in zip(weights, steps, strict=True)]
            mean = [0.99 * m + 0.01 * g for m, g in zip(mean, grads, strict=True)]
        learner.observe(x, y)
    for mine, theirs in zip(learner.weights, weights, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


def test_the_window_holds_the_latest_within_its_claim() -> None:
    row = 20 * 4 + 8
    probe = make(with_part("window"))
    network = sum(weight.nbytes for weight in probe.weights)
    learner = make(with_part("window"), memory_bytes=network + 30 * row)
    teach(learner, X[:96], Y[:96])
    assert torch.equal(learner.parts[-1].x, X[66:96])
    learner.forget(X[90:92], Y[90:92])
    assert len(learner.parts[-1].x) == 28


def test_the_head_forgets_no_class() -> None:
    learner = make(with_part("naive_bayes", "gate"))
    for label in range(6):
        teach(learner, X[label == Y], Y[label == Y])
    assert accuracy(learner, TEST_X, TEST_Y) > 0.9


def test_the_meta_part_starts_where_all_tasks_fit() -> None:
    tree = with_part("joint_start", skeleton="composed_meta")
    spec = TaskSpec("regression", (1,), 1, episodic=True, support=10)
    learner = load_learner(tree)(spec, seed=0)
    x = torch.linspace(-1, 1, 20)[:, None]
    for number in range(200):
        learner.observe(x, x + 0.1 * (number % 3 - 1))
    assert float((learner.predict(x) - x).square().mean()) < 0.05
    fitted = learner.adapt(x, x + 1.0, 100)
    assert float((fitted.predict(x) - x - 1).square().mean()) < 0.05


def test_the_control_part_finds_the_action_that_pays() -> None:
    """Four lights, four levers: the reward is for the lever under the light."""
    tree = with_part("reinforce", skeleton="composed_control")
    spec = TaskSpec("control", (4,), 0, actions=4)
    learner, chance = load_learner(tree)(spec, seed=0), torch.Generator().manual_seed(0)
    none, eye = torch.zeros(16, dtype=torch.bool), torch.eye(4)
    for _ in range(400):
        lights = torch.randint(0, 4, (16,), generator=chance)
        paid = learner.act(eye[lights]) == lights
        learner.feedback(paid.float(), ~none, none, eye[lights])
    assert torch.equal(learner.predict(eye).argmax(1), torch.arange(4))


def test_recombination_takes_an_example_as_one_of_its_own() -> None:
    everything: dict[str, Mechanism] = {**catalogue(), **FOUND}
    seed = load_seed("composed")
    weights = dict.fromkeys(everything, 0.0) | {"residual": 1.0}
    proposal = recombine([seed], everything, random.Random(2), weights)
    for number in range(40):
        if proposal.operation.get("mechanism") == "residual":
            break
        proposal = recombine([seed], everything, random.Random(number), weights)
    tree = seed.replace(dict(proposal.edit.files))
    roles = [Agent.of(tree).role(part) for part in Agent.of(tree).parts]
    assert roles.count("network") == 1 and "parts/residual.py" in tree
    assert all(role in ROLES for role in roles)
