"""Adam: every weight gets a step of its own size.

Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cambrian.agents.part import Carry, PartsLearner

CARD = {
    "name": "adam",
    "role": "optimiser",
    "title": "Adam",
    "paper": "Kingma and Ba 2015, arXiv:1412.6980",
    "year": 2015,
    "claim": "Dividing by the root of the second moment makes progress where gradients are small.",
    "version": 2,
    "measured": "digit-sums with replay at a rate of 0.05: 0.31 -> 0.47",
    "knobs": {
        "scale": {"default": 0.02, "range": [0.004, 0.1], "scale": "log", "type": "float"},
        "first": {"default": 0.9, "range": [0.0, 0.95], "scale": "linear", "type": "float"},
        "second": {"default": 0.99, "range": [0.9, 0.999], "scale": "linear", "type": "float"},
    },
    "tags": ["optimiser"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class Adam:
    """`scale` turns the learner's rate (0.05, say) into Adam's (0.001)."""

    copies = 2.0

    def __init__(self, scale: float = 0.02, first: float = 0.9, second: float = 0.99) -> None:
        self.scale, self.first, self.second = scale, first, second
        self.steps = 0

    def build(self, learner: PartsLearner) -> None:
        self.mean = [torch.zeros_like(weight) for weight in learner.trained]
        self.square = [torch.zeros_like(weight) for weight in learner.trained]

    def optimise(self, learner: PartsLearner, grads: list[Tensor]) -> list[Tensor]:
        self.steps += 1
        torch._foreach_lerp_(self.mean, grads, 1.0 - self.first)
        torch._foreach_mul_(self.square, self.second)
        torch._foreach_addcmul_(self.square, grads, grads, 1.0 - self.second)
        correction = (1.0 - self.second**self.steps) ** 0.5
        size = list(torch._foreach_sqrt(self.square))
        torch._foreach_add_(size, 1e-8 * correction)
        steps = list(torch._foreach_div(self.mean, size))
        torch._foreach_mul_(steps, self.scale * correction / (1.0 - self.first**self.steps))
        return steps

    def resized(self, learner: PartsLearner, carry: Sequence[Carry]) -> None:
        for at, change in enumerate(carry):
            self.mean[at], self.square[at] = change(self.mean[at]), change(self.square[at])
