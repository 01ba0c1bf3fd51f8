"""Gradient projection memory: steps stay orthogonal to the inputs that earlier data used.

Saha et al. 2021, "Gradient Projection Memory for Continual Learning", algorithm 1: per layer, a
basis of the input activations that holds a share `energy` of their norm; gradients lose their
part in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from cambrian.agents.part import Batch, Carry, PartsLearner, sized

CARD = {
    "name": "gpm",
    "role": "regulariser",
    "title": "gradient projection memory",
    "paper": "Saha et al. 2021, arXiv:2103.09762",
    "year": 2021,
    "claim": "Weight changes orthogonal to earlier layer inputs cannot disturb earlier answers.",
    "measured": "permuted digits, domain-incremental: 0.833 -> 0.902, forgetting 0.090 -> 0.001",
    "knobs": {
        "energy": {"default": 0.95, "range": [0.7, 0.99], "scale": "linear", "type": "float"},
        "every": {"default": 4000, "range": [1000, 16000], "scale": "log", "type": "int"},
        "samples": {"default": 200, "range": [64, 300], "scale": "log", "type": "int"},
    },
    "tags": ["consolidation", "projection"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


LEAST = 24
"""Columns of a basis of the inputs that it asks room for; more where bytes are left."""


class GradientProjection:
    """Extends its bases at boundaries, or every `every` observations where none are revealed.

    A basis is (inputs of the layer, k) with orthonormal columns, made of `samples` recent inputs.
    """

    def __init__(self, energy: float = 0.95, every: int = 4000, samples: int = 200) -> None:
        self.energy, self.every, self.samples = energy, every, samples

    def holds(self, learner: PartsLearner, share: float) -> float:
        return 4.0 * (sized(self.samples, share) + sized(LEAST, share)) * learner.spec.inputs

    def build(self, learner: PartsLearner) -> None:
        self.samples = sized(self.samples, learner.share)
        self.room = learner.spare + 4.0 * sized(LEAST, learner.share) * learner.spec.inputs
        learner.spare = 0.0 if math.isfinite(learner.spare) else learner.spare
        matrices = learner.weights[::2]
        self.bases = [torch.zeros(w.shape[1], 0, device=w.device) for w in matrices]
        learner.recent.keep(self.samples)
        self.since = learner.clock.seen

    def gradients(self, learner: PartsLearner, batch: Batch, grads: list[Tensor]) -> list[Tensor]:
        projected = list(grads)
        for layer, basis in enumerate(self.bases):
            if basis.shape[1]:
                grad = grads[2 * layer]
                projected[2 * layer] = grad - (grad @ basis) @ basis.T
        return projected

    def after_batch(self, learner: PartsLearner, batch: Batch) -> None:
        if not learner.spec.boundaries and learner.clock.seen - self.since >= self.every:
            self.boundary(learner)

    @torch.no_grad()
    def boundary(self, learner: PartsLearner) -> None:
        recent = learner.recent.last(self.samples)
        if not len(recent):
            return
        self.since = learner.clock.seen
        *inputs, _ = learner.layers(recent)
        for layer, x in enumerate(inputs):
            held = sum(basis.nbytes for basis in self.bases)
            columns = max(0.0, self.room - held) / (4 * len(self.bases[layer]))
            self.bases[layer] = self._extend(self.bases[layer], x.T, columns)

    def drift(self, learner: PartsLearner) -> None:
        self.boundary(learner)

    def resized(self, learner: PartsLearner, carry: Sequence[Carry]) -> None:
        """Bases stay where a layer's inputs do; where they have changed, a basis starts anew."""
        for layer, basis in enumerate(self.bases):
            inputs = learner.weights[2 * layer].shape[1]
            if len(basis) != inputs:
                self.bases[layer] = basis.new_zeros(inputs, 0)

    def _extend(self, basis: Tensor, inputs: Tensor, most: float) -> Tensor:
        """Add directions of the inputs (d, n), at most so many, until the basis holds their
        `energy` (eq. 9)."""
        total = inputs.square().sum()
        rest = inputs - basis @ (basis.T @ inputs)
        directions, sizes, _ = torch.linalg.svd(rest, full_matrices=False)
        held = (total - rest.square().sum() + sizes.square().cumsum(0)) / total.clamp(min=1e-12)
        held = torch.cat((1.0 - rest.square().sum()[None] / total.clamp(min=1e-12), held))
        extra = int((held < self.energy).sum())
        room = int(min(max(basis.shape[0] - 1 - basis.shape[1], 0), most))
        return torch.cat((basis, directions[:, : min(extra, room)]), dim=1)
