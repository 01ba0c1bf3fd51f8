"""Hand counts of floating point operations against torch's counter, and the meter against both."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cambrian.evaluators import metrics
from cambrian.evaluators.metrics import Resources
from cambrian.sandbox.runner.meter import FlopMeter

WIDTHS = [784, 256, 256, 10]
BATCH = 32


def perceptron() -> nn.Sequential:
    layers = [nn.Linear(a, b) for a, b in pairwise(WIDTHS)]
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


def counted(network: nn.Module, x: torch.Tensor, *, backward: bool) -> int:
    with FlopCounterMode(display=False) as counter:
        loss = network(x).square().sum()
        if backward:
            loss.backward()
    return int(counter.get_total_flops())


def test_a_forward_pass_is_two_operations_per_weight_and_sample() -> None:
    by_hand = 2 * 32 * (784 * 256 + 256 * 256 + 256 * 10)
    assert (
        sum(metrics.linear_flops(BATCH, a, b) for a, b in pairwise(WIDTHS))
        == by_hand
        == counted(perceptron(), torch.zeros(BATCH, 784), backward=False)
    )


def test_a_step_of_training_is_three_passes_but_for_the_inputs_gradient() -> None:
    by_hand = 2 * 32 * (2 * 784 * 256 + 3 * 256 * 256 + 3 * 256 * 10)
    assert metrics.training_flops(BATCH, WIDTHS) == by_hand
    assert counted(perceptron(), torch.zeros(BATCH, 784), backward=True) == by_hand


def test_a_convolution_counts_its_input_channels() -> None:
    """Avalanche's count leaves them out: sixteen times too low here."""
    layer = nn.Conv2d(16, 8, (3, 5), padding=(1, 2))
    by_hand = 2 * 4 * 16 * 8 * 3 * 5 * 10 * 12
    assert metrics.convolution_flops(4, 16, 8, (3, 5), (10, 12)) == by_hand
    assert counted(layer, torch.zeros(4, 16, 10, 12), backward=False) == by_hand


def test_a_three_dimensional_input_counts_every_position() -> None:
    """Avalanche's count takes the last axis alone."""
    assert counted(nn.Linear(5, 3), torch.zeros(7, 11, 5), backward=False) == (
        metrics.linear_flops(7 * 11, 5, 3)
    )


def test_the_meter_of_a_sandbox_counts_the_same_for_calls_that_are_alike() -> None:
    network, x = perceptron(), torch.zeros(BATCH, 784)
    meter = FlopMeter()
    for _ in range(300):
        meter.call(lambda: network(x).square().sum().backward())
    assert meter.total == 300 * metrics.training_flops(BATCH, WIDTHS)


def test_what_is_spent_adds_up_and_what_is_held_is_the_most() -> None:
    costs = [Resources(5, 1.0, 100, 40), Resources(7, 0.5, 80, 50)]
    assert metrics.cumulative(costs) == [costs[0], Resources(12, 1.5, 100, 50)]
