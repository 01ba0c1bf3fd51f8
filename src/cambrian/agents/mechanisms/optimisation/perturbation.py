"""Weight perturbation: gradients without a way back, from differences of the loss alone.

Spall 1992, "Multivariate stochastic approximation using a simultaneous perturbation gradient
approximation" (SPSA), eq. 2.2, averaged over a few directions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.agents.part import Batch, PartsLearner

CARD = {
    "name": "perturbation",
    "role": "update",
    "title": "weight perturbation (SPSA)",
    "paper": "Spall 1992, doi:10.1109/9.119632",
    "year": 1992,
    "claim": "Two evaluations of the loss estimate the whole gradient, without derivatives; the "
    "noise grows with the number of weights.",
    "measured": "",
    "knobs": {
        "directions": {"default": 4, "range": [1, 16], "scale": "log", "type": "int"},
        "size": {"default": 0.01, "range": [0.001, 0.1], "scale": "log", "type": "float"},
        "scale": {"default": 0.02, "range": [0.002, 0.2], "scale": "log", "type": "float"},
    },
    "tags": ["forward-only"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class Perturbation:
    """size: how far a weight is moved, either way. scale: factor on the estimate, whose length is
    that of the gradient times the root of weights per direction. Parts' own tensors stay."""

    def __init__(self, directions: int = 4, size: float = 0.01, scale: float = 0.02) -> None:
        self.directions, self.size, self.scale = directions, size, scale

    def build(self, learner: PartsLearner) -> None:
        self.generator = learner.generator()

    @torch.no_grad()
    def update(self, learner: PartsLearner, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        grads = [torch.zeros_like(weight) for weight in learner.trained]
        own = grads[: len(learner.weights)]
        for _ in range(self.directions):
            signs = [self._signs(weight) for weight in learner.weights]
            losses = [
                learner.objective(batch, torch._foreach_add(learner.weights, signs, alpha=size))  # type: ignore[arg-type]
                for size in (self.size, -self.size)
            ]
            slope = float(losses[0] - losses[1]) / (2 * self.size)
            torch._foreach_add_(own, signs, alpha=self.scale * slope / self.directions)
        return learner.objective(batch), grads

    def _signs(self, weight: Tensor) -> Tensor:
        coins = torch.randint(0, 2, weight.shape, generator=self.generator)
        return (2 * coins - 1).to(weight)
