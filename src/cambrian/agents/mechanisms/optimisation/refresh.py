"""Refresh: unlearn a little before every step, so that what is learned anew is learned better.

Wang et al. 2024, "A Unified and General Framework for Continual Learning", eq. 12 and algorithm
1 with J = 1: theta <- theta + eta F^-1 grad L + noise of variance 2 eta F^-1, then the usual step
from there. As in their code for it, the step up is rescaled to each tensor's length and its size is
a knob; the Fisher information is a running mean of squared gradients.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cambrian.agents.part import Batch, Carry, PartsLearner

CARD = {
    "name": "refresh",
    "role": "update",
    "title": "refresh learning (unlearn, then learn)",
    "paper": "Wang et al. 2024, arXiv:2403.13249",
    "year": 2024,
    "claim": "A small step up the loss before each step down discards what is outdated, and makes "
    "memory better kept and generalised.",
    "measured": "split-mnist with replay 0.828 -> 0.825, with dark replay 0.873 -> 0.865: no gain",
    "knobs": {
        "size": {"default": 1e-3, "range": [1e-5, 1e-2], "scale": "log", "type": "float"},
        "noise": {"default": 1e-3, "range": [1e-5, 1e-2], "scale": "log", "type": "float"},
        "decay": {"default": 0.01, "range": [1e-4, 0.1], "scale": "log", "type": "float"},
    },
    "tags": ["gradient", "plasticity"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class Refresh:
    """size: of the step up, as a share of a tensor's own length. noise: its standard deviation, in
    units of the step's. decay: weight of the newest squared gradient in the running mean."""

    copies = 1.0

    def __init__(self, size: float = 1e-3, noise: float = 1e-3, decay: float = 0.01) -> None:
        self.size, self.noise, self.decay = size, noise, decay

    def build(self, learner: PartsLearner) -> None:
        self.fisher = [torch.zeros_like(weight) for weight in learner.weights]
        self.generator = learner.generator()

    def update(self, learner: PartsLearner, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        first = torch.autograd.grad(
            learner.objective(batch), learner.weights, materialize_grads=True
        )
        with torch.no_grad():
            for weight, grad, fisher in zip(learner.weights, first, self.fisher, strict=True):
                fisher.lerp_(grad.square(), self.decay)
                weight.add_(self._up(weight, grad, fisher))
        loss = learner.objective(batch)
        return loss, list(torch.autograd.grad(loss, learner.trained, materialize_grads=True))

    def resized(self, learner: PartsLearner, carry: Sequence[Carry]) -> None:
        self.fisher = [change(f) for change, f in zip(carry, self.fisher, strict=True)]

    def _up(self, weight: Tensor, grad: Tensor, fisher: Tensor) -> Tensor:
        """The step up the loss, less where the Fisher information is large beside its mean."""
        far = self.size * weight.norm() / grad.norm().clamp(min=1e-12)
        chance = torch.randn(weight.shape, generator=self.generator).to(weight)
        noise = self.noise * self.size * weight.square().mean().sqrt() * chance
        certain = fisher / fisher.mean().clamp(min=1e-20)
        up: Tensor = (far * grad + noise) / (1.0 + certain)
        return up
