"""Floating point operations: the light counter counts what torch's own does, and what hands do."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cambrian.sandbox.runner.meter import AllowanceSpent, FlopCounter, FlopMeter, state_bytes


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
    with FlopCounter() as ours:
        work()
    assert ours.total == theirs.get_total_flops() > 0


def test_a_linear_layer_costs_what_hands_count() -> None:
    net, x = nn.Linear(7, 5), torch.rand(4, 7)
    with FlopCounter() as forward:
        loss = net(x).sum()
    assert forward.total == 2 * 4 * 7 * 5
    with FlopCounter() as backward:
        torch.autograd.grad(loss, list(net.parameters()))
    assert backward.total == 2 * 4 * 7 * 5  # of the weights; the inputs need no gradient


def test_a_convolution_costs_what_hands_count() -> None:
    net, x = nn.Conv2d(3, 8, 3, padding=1), torch.rand(2, 3, 6, 6)
    with torch.no_grad(), FlopCounter() as counter:
        net(x)
    assert counter.total == 2 * (2 * 8 * 6 * 6) * (3 * 3 * 3)


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
    meter = FlopMeter(0, most=2 * 2 * 4 * 3)
    calls: list[Tensor] = []

    def work() -> None:
        calls.append(x @ weight)

    meter.call("work", work)
    meter.call("work", work)  # all of it was used, and no more
    with pytest.raises(AllowanceSpent, match="96 FLOPs, over its allowance of 48"):
        meter.call("other work", work)
    assert len(calls) == 2 and meter.total == 96
    unbounded = FlopMeter(0)
    for _ in range(9):
        unbounded.call("work", work)
