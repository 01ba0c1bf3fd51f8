"""A multilayer perceptron with rectified units.

Nair and Hinton 2010, "Rectified Linear Units Improve Restricted Boltzmann Machines"; weights start
uniform in +-gain / sqrt(fan in), where a gain of sqrt(6) is eq. 10 of He et al. 2015,
arXiv:1502.01852.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.part import PartsLearner, sized

CARD = {
    "name": "mlp",
    "role": "network",
    "title": "multilayer perceptron",
    "paper": "Nair and Hinton 2010, ICML 27:807-814; start: He et al. 2015, arXiv:1502.01852",
    "year": 2010,
    "claim": "Rectified units train without vanishing gradients; any input can be given flat.",
    "measured": "split-mnist, plain: 0.194; trained on all classes at once: 0.953",
    "knobs": {
        "hidden": {"default": 256, "range": [96, 384], "scale": "log", "type": "int"},
        "layers": {"default": 2, "range": [1, 3], "scale": "log", "type": "int"},
        "gain": {"default": 1.0, "range": [0.7, 3.0], "scale": "log", "type": "float"},
    },
    "tags": ["network", "dense"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class MLP:
    """`layers` hidden layers of `hidden` units; `gain` is the width of the initial weights."""

    def __init__(self, hidden: int = 256, layers: int = 2, gain: float = 1.0) -> None:
        self.hidden, self.layers, self.gain = hidden, layers, gain

    def widths(self, learner: PartsLearner, share: float) -> list[int]:
        """Of the inputs, of each hidden layer, of the outputs."""
        hidden = sized(self.hidden, share)
        return [learner.spec.inputs, *[hidden] * self.layers, learner.width]

    def holds(self, learner: PartsLearner, share: float) -> float:
        return 4.0 * sum((a + 1) * b for a, b in pairwise(self.widths(learner, share)))

    def wide(self, learner: PartsLearner, share: float) -> int:
        return sized(self.hidden, share)

    def network(self, learner: PartsLearner) -> list[Tensor]:
        generator = learner.generator()
        widths = self.widths(learner, learner.share)
        weights = []
        for fan_in, fan_out in pairwise(widths):
            bound = self.gain * fan_in**-0.5
            weight = torch.empty(fan_out, fan_in).uniform_(-bound, bound, generator=generator)
            weights += [weight, torch.zeros(fan_out)]
        return [weight.to(learner.device) for weight in weights]

    def run_layers(
        self, learner: PartsLearner, x: Tensor, weights: list[Tensor]
    ) -> Iterator[Tensor]:
        for index in range(0, len(weights), 2):
            yield x
            x = F.linear(x, weights[index], weights[index + 1])
            x = x if index == len(weights) - 2 else x.relu()
        yield x
