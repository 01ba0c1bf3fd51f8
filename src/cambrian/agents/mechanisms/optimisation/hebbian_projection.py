"""Hebbian orthogonal projection: lateral neurons learn what earlier inputs span; steps avoid it.

Xiao et al. 2024, "Hebbian Learning based Orthogonal Projection for Continual Learning of Spiking
Neural Networks" (HLOP), section 4.2: lateral weights H (k, inputs) answer y = H x, give back
x' = H^T y, and change by Hebbian and anti-Hebbian terms, y (x - x')^T (Oja 1989, the subspace
rule), so that their rows come to span the principal subspace. The gradient of a layer is formed
with traces that lose their part in it, x - H^T H x. The form for networks without spikes; rates,
sweeps and sizes are ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cambrian.agents.part import Batch, Carry, PartsLearner, sized

CARD = {
    "name": "hebbian_projection",
    "role": "regulariser",
    "title": "Hebbian orthogonal projection",
    "paper": "Xiao et al. 2024, arXiv:2402.11984",
    "year": 2024,
    "claim": "Lateral neurons that learn by a local rule span what earlier tasks used, and steps "
    "orthogonal to it leave their answers alone, without any decomposition of a matrix.",
    "measured": "five permutations of all images: 0.830 -> 0.876, forgetting 0.092 -> 0.022; exact "
    "projection (gpm) 0.884",
    "knobs": {
        "neurons": {"default": 24, "range": [6, 80], "scale": "log", "type": "int"},
        "every": {"default": 4000, "range": [1000, 16000], "scale": "log", "type": "int"},
        "samples": {"default": 200, "range": [64, 300], "scale": "log", "type": "int"},
        "sweeps": {"default": 60, "range": [20, 200], "scale": "log", "type": "int"},
    },
    "tags": ["consolidation", "projection", "local"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}

RATE, STRONGEST = 1.0, 0.6
"""Of the rule, and the variance of the strongest direction of its inputs, to which they are scaled:
with a product below 1 it is stable."""
GROUP = 4
"""So many neurons learn at a time, from what those before leave; more at once find the weaker
directions slowly."""
LEAST = 1e-3
"""No neurons are added for what varies less, beside the strongest direction of all."""
LEARNED = 0.3
"""The length that a row has to have got beside the others; the rule takes it towards 1. What it
lacks to that is made up for: along a direction that is spanned twice, steps would go back."""
POWERS = 12
TASKS = 5
"""How many times the neurons of one boundary may be held; later boundaries find no room."""


class HebbianProjection:
    """Adds `neurons` to each layer at boundaries, or every `every` observations where none are
    revealed; they learn from `samples` recent inputs, gone over `sweeps` times. Those of before
    stay as they are, and the new ones see what these do not span."""

    def __init__(
        self, neurons: int = 24, every: int = 4000, samples: int = 200, sweeps: int = 60
    ) -> None:
        self.neurons, self.every, self.samples, self.sweeps = neurons, every, samples, sweeps

    def holds(self, learner: PartsLearner, share: float) -> float:
        inputs, features = learner.spec.inputs, learner.features(share)
        neurons = TASKS * sized(self.neurons, share)
        return 4.0 * (sized(self.samples, share) * inputs + neurons * (inputs + features))

    def build(self, learner: PartsLearner) -> None:
        self.samples = sized(self.samples, learner.share)
        self.neurons = sized(self.neurons, learner.share)
        self.room = (
            4 * TASKS * self.neurons * (learner.spec.inputs + learner.features(learner.share))
        )
        self.lateral = [w.new_zeros(0, w.shape[1]).detach() for w in learner.weights[::2]]
        self.generator = learner.generator()
        learner.recent.keep(self.samples)
        self.since = learner.clock.seen

    def gradients(self, learner: PartsLearner, batch: Batch, grads: list[Tensor]) -> list[Tensor]:
        """Without their part in what the lateral neurons span: since a layer's gradient is a sum
        of errors times inputs, projecting the inputs is projecting it."""
        projected = list(grads)
        for layer, lateral in enumerate(self.lateral):
            if len(lateral):
                grad = grads[2 * layer]
                projected[2 * layer] = grad - (grad @ lateral.T) @ lateral
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
            held = sum(lateral.nbytes for lateral in self.lateral)
            room = (self.room - held) // (4 * x.shape[1])
            new = min(self.neurons, room, x.shape[1] - 1 - len(self.lateral[layer]))
            if new > 0:
                self.lateral[layer] = self._grown(self.lateral[layer], x, new)

    def drift(self, learner: PartsLearner) -> None:
        self.boundary(learner)

    def resized(self, learner: PartsLearner, carry: Sequence[Carry]) -> None:
        """Neurons stay where a layer's inputs do; where they have changed, they start anew."""
        for layer, lateral in enumerate(self.lateral):
            inputs = learner.weights[2 * layer].shape[1]
            if lateral.shape[1] != inputs:
                self.lateral[layer] = lateral.new_zeros(0, inputs)

    @staticmethod
    def _answered(lateral: Tensor, x: Tensor) -> Tensor:
        """x' = H^T H x, as rows (R, inputs)."""
        return (x @ lateral.T) @ lateral

    def _grown(self, lateral: Tensor, x: Tensor, new: int) -> Tensor:
        """With at most so many rows (new, inputs) more, which the Hebbian rule finds for what
        those before leave of inputs x (R, inputs)."""
        most, strongest_of_all = len(lateral) + new, self._strongest(x)
        while len(lateral) < most:
            rest = x - self._answered(lateral, x)
            strongest = self._strongest(rest)
            if strongest <= LEAST * strongest_of_all:
                break
            rest = rest * (STRONGEST / strongest) ** 0.5
            rows = self._drawn(min(GROUP, most - len(lateral)), len(x)).to(x) @ rest
            rows = 0.5 * rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-12)
            for _ in range(self.sweeps):
                said = rest @ rows.T
                rows = rows + RATE * said.T @ (rest - said @ rows) / len(rest)
            base, sizes = torch.linalg.qr((rows - self._answered(lateral, rows)).T)
            learned = sizes.diagonal().abs() > LEARNED
            if not bool(learned.any()):
                break
            lateral = torch.cat((lateral, base.T[learned]))
        return lateral

    def _strongest(self, x: Tensor) -> float:
        """The largest variance (uncentred) in any direction of inputs, by power iteration."""
        direction = self._drawn(1, x.shape[1]).to(x)[0]
        for _ in range(POWERS):
            direction = direction / direction.norm().clamp(min=1e-12)
            direction = x.T @ (x @ direction) / len(x)
        return float(direction.norm())

    def _drawn(self, rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, generator=self.generator)
