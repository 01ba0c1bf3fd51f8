"""An optimiser: steps of one size, along the sign of an average (Chen et al. 2023, algorithm 2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cambrian.agents.part import Carry, PartsLearner

CARD = {
    "name": "lion",
    "role": "optimiser",
    "title": "Lion",
    "paper": "Chen et al. 2023, arXiv:2302.06675",
    "year": 2023,
    "claim": "The sign of an average of gradients is a good enough direction, and half the memory.",
    "measured": "",
    "knobs": {
        "scale": {"default": 0.005, "range": [0.0005, 0.05], "scale": "log", "type": "float"},
        "now": {"default": 0.9, "range": [0.5, 0.99], "scale": "linear", "type": "float"},
        "slow": {"default": 0.99, "range": [0.9, 0.999], "scale": "linear", "type": "float"},
    },
    "tags": ["optimiser"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class Lion:
    """`scale` turns the learner's rate (0.2, say) into Lion's (0.001)."""

    def __init__(self, scale: float = 0.005, now: float = 0.9, slow: float = 0.99) -> None:
        self.scale, self.now, self.slow = scale, now, slow

    def build(self, learner: PartsLearner) -> None:
        self.mean = [torch.zeros_like(weight) for weight in learner.trained]

    def optimise(self, learner: PartsLearner, grads: list[Tensor]) -> list[Tensor]:
        steps = torch._foreach_lerp(grads, self.mean, self.now)
        torch._foreach_lerp_(self.mean, grads, 1.0 - self.slow)
        return [self.scale * step.sign() for step in steps]

    def resized(self, learner: PartsLearner, carry: Sequence[Carry]) -> None:
        for at, change in enumerate(carry):
            self.mean[at] = change(self.mean[at])
