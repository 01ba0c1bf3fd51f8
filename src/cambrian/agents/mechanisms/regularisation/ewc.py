"""Elastic weight consolidation, online: important weights are pulled back to where they were.

Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting in neural networks", eq. 3; one running
Fisher for all that came before, as in Schwarz et al. 2018 ("Progress & Compress", online EWC).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.part import Batch, Carry, PartsLearner, sized

CARD = {
    "name": "ewc",
    "role": "regulariser",
    "title": "elastic weight consolidation",
    "paper": "Kirkpatrick et al. 2017, arXiv:1612.00796; online: Schwarz et al. 2018, "
    "arXiv:1805.06370",
    "year": 2017,
    "claim": "A quadratic pull, scaled by the diagonal Fisher, protects the weights that earlier "
    "data depends on.",
    "measured": "permuted digits, domain-incremental: 0.833 -> 0.866; nothing in "
    "class-incremental (0.193)",
    "knobs": {
        "strength": {"default": 30.0, "range": [1.0, 300.0], "scale": "log", "type": "float"},
        "every": {"default": 2000, "range": [500, 8000], "scale": "log", "type": "int"},
        "decay": {"default": 0.9, "range": [0.5, 1.0], "scale": "linear", "type": "float"},
        "samples": {"default": 64, "range": [16, 128], "scale": "log", "type": "int"},
    },
    "tags": ["consolidation"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class ElasticWeights:
    """Consolidates at boundaries, or every `every` observations where none are revealed.

    The Fisher is estimated on the `samples` latest inputs, with targets drawn from the network:
    labels by its probabilities, real numbers with noise of variance one.
    """

    copies = 1.5

    def __init__(
        self, strength: float = 30.0, every: int = 2000, decay: float = 0.9, samples: int = 64
    ) -> None:
        self.strength, self.every, self.decay, self.samples = strength, every, decay, samples

    def holds(self, learner: PartsLearner, share: float) -> float:
        return 4.0 * sized(self.samples, share) * learner.spec.inputs

    def build(self, learner: PartsLearner) -> None:
        self.samples = sized(self.samples, learner.share)
        # half precision: importances need no more, and memory is scarce
        self.fisher = [torch.zeros_like(w, dtype=torch.bfloat16) for w in learner.weights]
        self.anchor = [weight.detach().clone() for weight in learner.weights]
        learner.recent.keep(self.samples)
        self.since = learner.clock.seen
        self.generator = learner.generator()
        self.ready = False

    def gradients(self, learner: PartsLearner, batch: Batch, grads: list[Tensor]) -> list[Tensor]:
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

    def after_batch(self, learner: PartsLearner, batch: Batch) -> None:
        if not learner.spec.boundaries and learner.clock.seen - self.since >= self.every:
            self.boundary(learner)

    def boundary(self, learner: PartsLearner) -> None:
        recent = learner.recent.last(self.samples)
        if not len(recent):
            return
        self.since, self.ready = learner.clock.seen, True
        self.anchor = [weight.detach().clone() for weight in learner.weights]
        fishers = [self.decay * fisher.float() for fisher in self.fisher]
        for x in recent[:, None]:
            _, logits = learner.forward(x)
            grads = torch.autograd.grad(self._loss(learner, logits), learner.weights)
            torch._foreach_addcmul_(fishers, grads, grads, 1.0 / len(recent))
        self.fisher = [fisher.to(torch.bfloat16) for fisher in fishers]

    def drift(self, learner: PartsLearner) -> None:
        self.boundary(learner)

    def resized(self, learner: PartsLearner, carry: Sequence[Carry]) -> None:
        self.fisher = [change(fisher) for change, fisher in zip(carry, self.fisher, strict=True)]
        self.anchor = [change(anchor) for change, anchor in zip(carry, self.anchor, strict=True)]

    def _loss(self, learner: PartsLearner, logits: Tensor) -> Tensor:
        """Minus the log-likelihood of targets drawn for one input, logits (1, width)."""
        if learner.labelled or learner.spec.kind == "sequence":
            logits = logits.view(-1, learner.spec.outputs)
            chances = logits.detach().softmax(1).cpu()
            drawn = torch.multinomial(chances, 1, generator=self.generator)[:, 0]
            return F.cross_entropy(logits, drawn.to(logits.device), reduction="sum")
        noise = torch.randn(logits.shape, generator=self.generator).to(logits.device)
        return 0.5 * (logits - logits.detach() - noise).square().sum()
