"""Floating point operations: counted as torch's own counter does, and as hands do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cambrian.sandbox.runner.meter import AllowanceSpent, FlopMeter, state_bytes

SOURCE = str(Path(__file__).resolve().parents[3] / "src")


def _flops(work: Callable[[], object]) -> int:
    meter = FlopMeter()
    meter.call(work)
    return meter.total


def _mlp() -> Callable[[], object]:
    net = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))
    x, y = torch.rand(4, 7), torch.tensor([0, 1, 2, 0])
    return lambda: torch.autograd.grad(
        nn.functional.cross_entropy(net(x), y), list(net.parameters())
    )


def _convolution() -> Callable[[], object]:
    net = nn.Conv2d(3, 8, 3, padding=1)
    x = torch.rand(2, 3, 6, 6)
    return lambda: torch.autograd.grad(net(x).sum(), list(net.parameters()))


def _attention() -> Callable[[], object]:
    net = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    x = torch.rand(2, 5, 8)
    return lambda: torch.autograd.grad(net(x).sum(), list(net.parameters()))


def _inference() -> Callable[[], object]:
    net, x = nn.Linear(6, 4), torch.rand(3, 6)

    def run() -> Tensor:
        with torch.inference_mode():
            return torch.einsum("bi,bi->b", net(x), net(x))

    return run


def _by_hand() -> Callable[[], object]:
    a, b = torch.rand(3, 4, requires_grad=True), torch.rand(4, 5)
    return lambda: torch.func.vmap(lambda row: row @ b)(a) + torch.outer(a[:, 0], b[0])


@pytest.mark.parametrize("make", [_mlp, _convolution, _attention, _inference, _by_hand])
def test_the_counter_counts_as_torchs_own_does(make: Callable[[], Callable[[], object]]) -> None:
    work = make()
    with FlopCounterMode(display=False) as theirs:
        work()
    assert _flops(work) == theirs.get_total_flops() > 0


def test_a_linear_layer_costs_what_hands_count() -> None:
    net, x = nn.Linear(7, 5), torch.rand(4, 7)
    losses: list[Tensor] = []
    assert _flops(lambda: losses.append(net(x).sum())) == 2 * 4 * 7 * 5
    backward = _flops(lambda: torch.autograd.grad(losses[0], list(net.parameters())))
    assert backward == 2 * 4 * 7 * 5  # of the weights; the inputs need no gradient


def test_a_convolution_costs_what_hands_count() -> None:
    net, x = nn.Conv2d(3, 8, 3, padding=1), torch.rand(2, 3, 6, 6)
    with torch.no_grad():
        assert _flops(lambda: net(x)) == 2 * (2 * 8 * 6 * 6) * (3 * 3 * 3)


def test_products_within_other_operations_are_counted() -> None:
    """Torch's own counter, a mode of the dispatcher, does not see them."""
    a, b = torch.rand(30, 4), torch.rand(40, 4)
    cdist = _flops(lambda: torch.cdist(a, b))
    assert cdist == 2 * 30 * 6 * 40  # with the squares of both as two more columns


def test_every_call_is_counted_whatever_the_calls_before_it_cost() -> None:
    weight, meter = torch.rand(4, 4), FlopMeter()
    for rows in (1, 500, *[1] * 200, 300):
        meter.call(torch.mm, torch.rand(rows, 4), weight)
    assert meter.total == 2 * (1 + 500 + 200 + 300) * 4 * 4


def test_what_a_call_computed_before_it_failed_is_counted() -> None:
    meter = FlopMeter()

    def work() -> None:
        torch.rand(2, 3) @ torch.rand(3, 5)
        torch.rand(2, 3) @ torch.rand(4, 5)

    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        meter.call(work)
    assert meter.total == 2 * 2 * 3 * 5
    meter.call(torch.mm, torch.rand(2, 3), torch.rand(3, 5))
    assert meter.total == 2 * (2 * 2 * 3 * 5)


def test_what_other_threads_of_a_learner_compute_is_counted() -> None:
    def work() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: torch.rand(2, 3) @ torch.rand(3, 5), range(4)))

    assert _flops(work) == 4 * 2 * 2 * 3 * 5


def test_counting_changes_no_answer_by_a_bit() -> None:
    script = (
        "import hashlib, sys, torch\n"
        "if sys.argv[1] == 'counted':\n"
        "    from cambrian.sandbox.runner.operations import count_operations\n"
        "    count_operations()\n"
        "torch.manual_seed(0)\n"
        "net = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.Flatten(),"
        " torch.nn.Linear(108, 5))\n"
        "for _ in range(3):\n"
        "    grads = torch.autograd.grad(net(torch.rand(4, 1, 8, 8)).square().sum(),"
        " list(net.parameters()))\n"
        "    with torch.no_grad():\n"
        "        [p.sub_(g, alpha=0.1) for p, g in zip(net.parameters(), grads)]\n"
        "print(hashlib.sha256(b''.join(p.detach().numpy().tobytes() for p in net.parameters()))"
        ".hexdigest())\n"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", script, how],
            env={**os.environ, "PYTHONPATH": SOURCE},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for how in ("counted", "plain")
    ]
    assert found[0] == found[1] and len(found[0]) > 60


HIDDEN = """
import numpy, torch
HOARD = [torch.zeros(250)]

class Learner:
    shared = numpy.zeros(250, numpy.float32)
    def __init__(self):
        kept = bytearray(1000)
        def closure(default=torch.zeros(250)): return kept
        closure.more = torch.zeros(250)
        self.closure, self.own, self.again = closure, HOARD[0], HOARD
"""


def _hidden() -> tuple[object, ModuleType]:
    module = ModuleType("learner")
    exec(HIDDEN, vars(module))
    return module.Learner(), module


def test_state_in_globals_classes_closures_and_defaults_is_counted_once() -> None:
    learner, module = _hidden()
    assert state_bytes(learner, [module]) == 5 * 1000
    assert state_bytes(learner) == 1000, "the agent's own modules only"


def test_state_that_hides_behind_many_objects_is_not_overlooked() -> None:
    many = [object() for _ in range(2000)]
    with pytest.raises(RuntimeError, match="at most 1000 objects"):
        state_bytes([torch.zeros(10), many], limit=1000)


def test_no_call_is_begun_once_the_allowance_is_spent() -> None:
    weight, x = torch.zeros(4, 3), torch.zeros(2, 4)
    meter = FlopMeter(most=2 * 2 * 4 * 3)
    calls: list[Tensor] = []

    def work() -> None:
        calls.append(x @ weight)

    meter.call(work)
    meter.call(work)  # all of it was used, and no more
    with pytest.raises(AllowanceSpent, match="96 FLOPs, over its allowance of 48"):
        meter.call(work)
    assert len(calls) == 2 and meter.total == 96
    unbounded = FlopMeter()
    for _ in range(9):
        unbounded.call(work)
