"""Elastic weight consolidation, online: important weights are pulled back to where they were.

Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting in neural networks", eq. 3; one running
Fisher for all that came before, as in Schwarz et al. 2018 ("Progress & Compress", online EWC).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

CARD = {
    "name": "ewc",
    "class": "ElasticWeights",
    "title": "elastic weight consolidation",
    "paper": "Kirkpatrick et al. 2017, arXiv:1612.00796; online: Schwarz et al. 2018, "
    "arXiv:1805.06370",
    "year": 2017,
    "claim": "A quadratic pull, scaled by the diagonal Fisher, protects the weights that earlier "
    "data depends on.",
    "measured": "permuted digits, domain-incremental: 0.833 -> 0.866; nothing in "
    "class-incremental (0.193)",
    "hooks": ["build", "gradients", "after_batch", "boundary"],
    "knobs": {
        "strength": {"default": 30.0, "range": [1.0, 300.0], "scale": "log", "type": "float"},
        "every": {"default": 2000, "range": [500, 8000], "scale": "log", "type": "int"},
        "decay": {"default": 0.9, "range": [0.5, 1.0], "scale": "linear", "type": "float"},
        "samples": {"default": 64, "range": [16, 128], "scale": "log", "type": "int"},
    },
    "tags": ["consolidation"],
    "conflicts": [],
}


class ElasticWeights:
    """Consolidates at boundaries, or every `every` observations where none are revealed.

    The Fisher is estimated on the `samples` latest inputs, with labels drawn from the network.
    """

    def __init__(
        self, strength: float = 30.0, every: int = 2000, decay: float = 0.9, samples: int = 64
    ) -> None:
        self.strength, self.every, self.decay, self.samples = strength, every, decay, samples
        self.since = 0

    def build(self, learner: Any) -> None:
        # half precision: importances need no more, and memory is scarce
        self.fisher = [torch.zeros_like(w, dtype=torch.bfloat16) for w in learner.weights]
        self.anchor = [weight.detach().clone() for weight in learner.weights]
        self.recent = torch.zeros(0, learner.spec.inputs, device=learner.device)
        self.generator = learner.generator()
        self.ready = False

    def gradients(self, learner: Any, batch: Any, grads: list[Tensor]) -> list[Tensor]:
        if not self.ready:
            return grads
        most = 1.0 / max(learner.lr, 1e-6)  # a stronger pull would overshoot the anchor
        pull = [(self.strength * fisher.float()).clamp(max=most) for fisher in self.fisher]
        return [
            grad + rate * (weight - anchor)
            for grad, rate, weight, anchor in zip(
                grads, pull, learner.weights, self.anchor, strict=True
            )
        ]

    def after_batch(self, learner: Any, batch: Any) -> None:
        new = batch.x[: batch.new]
        self.recent = torch.cat((self.recent, new))[-self.samples :]
        self.since += batch.new
        if not learner.spec.boundaries and self.since >= self.every:
            self.boundary(learner)

    def boundary(self, learner: Any) -> None:
        if not len(self.recent):
            return
        self.since, self.ready = 0, True
        self.anchor = [weight.detach().clone() for weight in learner.weights]
        fishers = [self.decay * fisher.float() for fisher in self.fisher]
        for x in self.recent[:, None]:
            _, logits = learner.forward(x)
            drawn = torch.multinomial(logits.detach().softmax(1).cpu(), 1, generator=self.generator)
            loss = F.cross_entropy(logits, drawn[0].to(x.device))
            grads = torch.autograd.grad(loss, learner.weights)
            torch._foreach_addcmul_(fishers, grads, grads, 1.0 / len(self.recent))
        self.fisher = [fisher.to(torch.bfloat16) for fisher in fishers]
