"""DiscoGen's task as an example: its score, its five modules, and agents in their place."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "discogen"
OURS = ("task", "adapter", "run")


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in OURS:
        sys.modules.pop(name, None)


def module(name: str) -> Any:
    return importlib.import_module(name)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_score_is_accuracy_less_half_the_forgetting_on_a_matrix_by_hand() -> None:
    matrix = torch.tensor([[0.9, 0.8, 0.6], [0.0, 0.7, 0.8], [0.0, 0.0, 0.7]])
    found = module("task").score(matrix)
    # 0.9 - 0.6 twice in the first row (the best so far); the second and third rows lose nothing
    assert found.accuracy == pytest.approx(0.7)
    assert found.forgetting == pytest.approx(0.6 / 6)
    assert found.score == pytest.approx(0.65)


def test_one_task_alone_forgets_nothing() -> None:
    found = module("task").score(torch.tensor([[0.5]]))
    assert (found.accuracy, found.forgetting, found.score) == (0.5, 0.0, 0.5)


def test_tasks_show_the_same_images_in_other_orders_of_pixels() -> None:
    first, second = module("task").permuted_mnist(2, 3, 50)
    assert torch.equal(first.y, second.y)
    assert not torch.equal(first.x, second.x)
    assert torch.equal(first.x.sort(1).values, second.x.sort(1).values)
    assert set(first.y.tolist()) == set(range(10))


class Told:
    """All five modules, who note what they are asked."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.rates: list[float] = []
        self.held = 0

    def penalty(self, weights: list[Tensor]) -> Tensor:
        self.told.append("penalty")
        return weights[1].sum() * 7.0  # the first bias: a gradient that nothing else gives

    def end_task(self, network: Any, x: Tensor, y: Tensor) -> None:
        self.told.append("end_task")

    def __len__(self) -> int:
        return self.held

    def add(self, x: Tensor, y: Tensor) -> None:
        self.told.append("add")
        self.held += len(x)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        self.told.append("draw")
        return torch.ones(count, 784), torch.zeros(count, dtype=torch.int64)

    def mix(self, x: Tensor, y: Tensor, replay: Told) -> tuple[Tensor, Tensor]:
        self.told.append("mix")
        return replay.draw(4)

    def rate(self, step: int) -> float:
        self.told.append("rate")
        return float(step)

    def step(self, weights: list[Tensor], grads: list[Tensor], rate: float) -> None:
        self.told.append("step")
        self.rates.append(rate)
        self.grad = grads[1]


def test_each_of_the_five_modules_is_asked_at_each_step_and_its_answer_used() -> None:
    task = module("task")
    told = Told()
    trainee = task.Modular(task.Modules(told, told, told, told, told), seed=0)
    plain = task.Modular(task.Modules(told, told, told, told, told), seed=0)
    stream = task.permuted_mnist(2, 0, 200)
    before = [weight.clone() for weight in trainee.network.weights]
    matrix = task.accuracies(trainee, stream, seed=0)
    each = ["mix", "draw", "penalty", "rate", "step", "add"]
    assert told.told == [*each, *each, "end_task"] * 2  # 200 rows are two batches
    assert told.rates == [0.0, 1.0, 2.0, 3.0]  # of the scheduler, given to the optimiser
    assert told.held == 400  # the rows of the task, not those of the sampler
    # no step changed a weight, for this optimiser makes none: what it is given is
    # the loss of the sampler's rows and the penalty
    assert all(torch.equal(a, b) for a, b in zip(before, trainee.network.weights, strict=True))
    rows, labels = told.draw(4)
    loss = torch.nn.functional.cross_entropy(plain.network(rows), labels)
    expected = torch.autograd.grad(loss, plain.network.weights)[1] + 7.0
    assert torch.allclose(told.grad, expected)
    assert matrix[1, 0] == 0.0


def test_the_default_modules_hold_on_to_what_they_learned() -> None:
    task = module("task")
    modules = task.default_modules(40, seed=0)
    network = task.Network(torch.Generator().manual_seed(0))
    x, y = torch.rand(300, 784), torch.randint(10, (300,))
    assert modules.regularizer.penalty(network.weights) is None
    modules.regularizer.end_task(network, x, y)
    assert modules.regularizer.penalty(network.weights).item() == 0.0
    moved = [weight + 0.1 for weight in network.weights]
    assert modules.regularizer.penalty(moved).item() > 0.0
    for _ in range(10):
        modules.replay.add(x, y)
    assert len(modules.replay) == 2000
    mixed, _ = modules.sampler.mix(x[:128] + 2.0, y[:128], modules.replay)
    assert len(mixed) == 128
    assert int((mixed.mean(1) > 1.5).sum()) == 64
    rates = [modules.scheduler.rate(step) for step in range(40)]
    assert rates[0] == 0.0
    assert max(rates) == 1.0
    assert rates[-1] < 1.0


def test_agents_take_the_place_of_the_modules_one_after_the_other() -> None:
    script = module("run")
    chosen = script.agents()
    for name in ("seed composed", "seed replay", "composed: reservoir of 2,000, adam"):
        once, again = (script.scores_of(chosen[name], 1, 2, 150) for _ in range(2))
        assert once == again  # a seed decides everything
        assert 0.0 < once[0].accuracy <= 1.0
        assert not {"learner", "parts"} & set(sys.modules)
    assert script.scores_of(chosen["seed replay"], 1, 2, 150) != script.scores_of(
        chosen["seed finetune"], 1, 2, 150
    )


def test_the_script_prints_a_row_for_everyone_and_writes_the_scores(tmp_path: Path) -> None:
    kept = tmp_path / "scores.json"
    done = run("--quick", "--seeds", "2", "--tasks", "2", "--json", str(kept))
    assert done.returncode == 0, done.stderr
    found = json.loads(kept.read_text())
    assert next(iter(found)) == "default modules"
    assert {"seed composed", "seed finetune", "seed random_features", "seed replay"} < set(found)
    assert "expert rehearsal" in found
    assert all(len(scores) == 2 for scores in found.values())
    assert len(done.stdout.splitlines()) == 2 + len(found)


def test_an_agent_of_an_archive_is_run_by_the_start_of_its_id(tmp_path: Path) -> None:
    tree = load_seed("finetune")
    with Archive.create(tmp_path / "archive") as archive, archive.lock():
        archive.agents.add_seed(tree.identity, tree, "finetune")
    chosen = ("--archive", str(tmp_path / "archive"), "--agent")
    small = ("--quick", "--seeds", "1", "--tasks", "1")
    done = run(*small, *chosen, tree.identity[:10])
    assert done.returncode == 0, done.stderr
    assert f"agent {tree.identity[:12]}" in done.stdout
    lost = run(*small, *chosen, "feedfacefeed")
    assert lost.returncode == 3
    assert "error: " in lost.stderr


def test_half_a_choice_of_an_agent_is_refused() -> None:
    done = run("--agent", "abc")
    assert done.returncode == 2
    assert "--archive PATH and --agent ID together" in done.stderr
