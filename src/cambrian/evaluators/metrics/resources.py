"""What learning costs: FLOPs, processor seconds, peak memory, bytes of state.

FLOPs are torch's own count (`torch.utils.flop_counter`: two per multiply-add, matrix products and
convolutions only), made inside the sandbox by `cambrian.sandbox.runner.meter`. The formulas here
are the hand counts that it is checked against.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod


@dataclass(frozen=True)
class Resources:
    """The cost of one stretch of learning.

    Attributes:
        flops: floating point operations, training and prediction.
        cpu_s: processor seconds, by the control group of the sandbox.
        peak_bytes: the most memory that the sandbox held.
        state_bytes: what the learner keeps between calls.
    """

    flops: int
    cpu_s: float
    peak_bytes: int
    state_bytes: int

    def __add__(self, other: Resources) -> Resources:
        """This, and then that: what is spent adds up, what is held is the larger."""
        return Resources(
            self.flops + other.flops,
            self.cpu_s + other.cpu_s,
            max(self.peak_bytes, other.peak_bytes),
            max(self.state_bytes, other.state_bytes),
        )


def cumulative(costs: Iterable[Resources]) -> list[Resources]:
    """What has been spent after each stretch (NEVIS'22: error against *cumulative* FLOPs)."""
    return list(accumulate(costs))


def linear_flops(batch: int, inputs: int, outputs: int) -> int:
    """Forward pass of a linear layer: 2·B·in·out (a bias is not counted, as torch does not)."""
    return 2 * batch * inputs * outputs


def convolution_flops(
    batch: int, inputs: int, outputs: int, kernel: Sequence[int], output_size: Sequence[int]
) -> int:
    """Forward pass of a convolution: 2·B·C_in·C_out·Πkernel·Πoutput."""
    return 2 * batch * inputs * outputs * prod(kernel) * prod(output_size)


def training_flops(batch: int, widths: Sequence[int]) -> int:
    """One forward and backward pass of a perceptron of these widths, gradients of weights only.

    A layer costs its forward pass three times (forward, gradient of the weights, gradient of the
    inputs), but for the first, whose inputs need no gradient.
    """
    layers = [linear_flops(batch, a, b) for a, b in pairwise(widths)]
    return 3 * sum(layers) - layers[0]
