"""Plain stochastic gradient descent: the step is the gradient.

Robbins and Monro 1951, "A Stochastic Approximation Method".
"""

from __future__ import annotations

from torch import Tensor

from cambrian.agents.part import PartsLearner

CARD = {
    "name": "sgd",
    "role": "optimiser",
    "title": "gradient descent",
    "paper": "Robbins and Monro 1951, doi:10.1214/aoms/1177729586",
    "year": 1951,
    "claim": "Steps along noisy gradients converge where the rate falls slowly enough.",
    "measured": "split-mnist, plain: 0.194",
    "knobs": {},
    "tags": ["optimiser"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class SGD:
    def optimise(self, learner: PartsLearner, grads: list[Tensor]) -> list[Tensor]:
        return grads
