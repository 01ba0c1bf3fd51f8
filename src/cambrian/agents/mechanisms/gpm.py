"""Gradient projection memory: steps stay orthogonal to the inputs that earlier data used.

Saha et al. 2021, "Gradient Projection Memory for Continual Learning", algorithm 1: per layer, a
basis of the input activations that holds a share `energy` of their norm; gradients lose their
part in it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CARD = {
    "name": "gpm",
    "class": "GradientProjection",
    "title": "gradient projection memory",
    "paper": "Saha et al. 2021, arXiv:2103.09762",
    "year": 2021,
    "claim": "Weight changes orthogonal to earlier layer inputs cannot disturb earlier answers.",
    "measured": "permuted digits, domain-incremental: 0.833 -> 0.902, forgetting 0.090 -> 0.001",
    "hooks": ["build", "gradients", "after_batch", "boundary"],
    "knobs": {
        "energy": {"default": 0.95, "range": [0.7, 0.99], "scale": "linear", "type": "float"},
        "every": {"default": 4000, "range": [1000, 16000], "scale": "log", "type": "int"},
        "samples": {"default": 200, "range": [64, 300], "scale": "log", "type": "int"},
    },
    "tags": ["consolidation", "projection"],
    "conflicts": [],
}


class GradientProjection:
    """Extends its bases at boundaries, or every `every` observations where none are revealed.

    A basis is (inputs of the layer, k) with orthonormal columns, made of `samples` recent inputs.
    """

    def __init__(self, energy: float = 0.95, every: int = 4000, samples: int = 200) -> None:
        self.energy, self.every, self.samples = energy, every, samples
        self.since = 0

    def build(self, learner: Any) -> None:
        matrices = learner.weights[::2]
        self.bases = [torch.zeros(w.shape[1], 0, device=w.device) for w in matrices]
        self.recent = torch.zeros(0, learner.spec.inputs, device=learner.device)

    def gradients(self, learner: Any, batch: Any, grads: list[Tensor]) -> list[Tensor]:
        projected = list(grads)
        for layer, basis in enumerate(self.bases):
            if basis.shape[1]:
                grad = grads[2 * layer]
                projected[2 * layer] = grad - (grad @ basis) @ basis.T
        return projected

    def after_batch(self, learner: Any, batch: Any) -> None:
        self.recent = torch.cat((self.recent, batch.x[: batch.new]))[-self.samples :]
        self.since += batch.new
        if not learner.spec.boundaries and self.since >= self.every:
            self.boundary(learner)

    @torch.no_grad()
    def boundary(self, learner: Any) -> None:
        if not len(self.recent):
            return
        self.since = 0
        *inputs, _ = learner.layers(self.recent)
        self.bases = [self._extend(b, x.T) for b, x in zip(self.bases, inputs, strict=True)]

    def _extend(self, basis: Tensor, inputs: Tensor) -> Tensor:
        """Add directions of the inputs (d, n) until the basis holds their `energy` (eq. 9)."""
        total = inputs.square().sum()
        rest = inputs - basis @ (basis.T @ inputs)
        directions, sizes, _ = torch.linalg.svd(rest, full_matrices=False)
        held = (total - rest.square().sum() + sizes.square().cumsum(0)) / total.clamp(min=1e-12)
        held = torch.cat((1.0 - rest.square().sum()[None] / total.clamp(min=1e-12), held))
        extra = int((held < self.energy).sum())
        room = max(basis.shape[0] - 1 - basis.shape[1], 0)
        return torch.cat((basis, directions[:, : min(extra, room)]), dim=1)
