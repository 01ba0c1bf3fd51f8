"""Heavy-ball or Nesterov momentum.

Polyak 1964; Sutskever et al. 2013, "On the importance of initialization and momentum", eqs. 1-4.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cambrian.agents.part import Carry, PartsLearner

CARD = {
    "name": "momentum",
    "role": "optimiser",
    "title": "momentum",
    "paper": "Sutskever et al. 2013, PMLR 28:1139-1147; Polyak 1964",
    "year": 2013,
    "claim": "A decaying sum of past gradients speeds progress along directions that agree.",
    "version": 2,
    "measured": "joint training on the same digits: 0.880 -> 0.953 with momentum and more epochs",
    "knobs": {
        "decay": {"default": 0.9, "range": [0.5, 0.97], "scale": "linear", "type": "float"},
        "scale": {"default": 0.4, "range": [0.05, 1.0], "scale": "log", "type": "float"},
        "nesterov": {"default": False, "choices": [False, True], "type": "choice"},
    },
    "tags": ["optimiser"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class Momentum:
    """`scale` multiplies the step: the sum of past gradients is 1 / (1 - decay) times longer."""

    copies = 1.0

    def __init__(self, decay: float = 0.9, scale: float = 0.4, nesterov: bool = False) -> None:
        self.decay, self.scale, self.nesterov = decay, scale, nesterov

    def build(self, learner: PartsLearner) -> None:
        self.sum = [torch.zeros_like(weight) for weight in learner.trained]

    def optimise(self, learner: PartsLearner, grads: list[Tensor]) -> list[Tensor]:
        torch._foreach_mul_(self.sum, self.decay)
        torch._foreach_add_(self.sum, grads, alpha=self.scale)
        if not self.nesterov:
            return self.sum
        ahead = list(torch._foreach_mul(self.sum, self.decay))
        torch._foreach_add_(ahead, grads, alpha=self.scale)
        return ahead

    def resized(self, learner: PartsLearner, carry: Sequence[Carry]) -> None:
        for at, change in enumerate(carry):
            self.sum[at] = change(self.sum[at])
