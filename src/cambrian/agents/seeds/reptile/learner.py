"""Reptile: walk a little way towards what each task would have the weights be.

Nichol, Achiam and Schulman 2018, arXiv:1803.02999, algorithm 1: from the weights w, a few steps of
gradient descent on one task lead to w'; then w moves to w + e (w' - w). Each batch is one task.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


@dataclass
class Knobs:
    lr: float = 0.05  # of the steps within a task
    meta: float = 1.0  # e, falling to a tenth in the end
    hidden: int = 64
    steps: int = 5  # within a task, while learning
    rows: int = 10  # of a task, at each of these steps
    clip: float = 2.0  # the longest gradient within a task
    adaptation: int = 16  # steps on a support set, where the benchmark does not say


RANGES = {
    "lr": (0.005, 0.2, "log"),
    "meta": (0.1, 1.0, "log"),
    "hidden": (32, 256, "int"),
    "steps": (2, 10, "int"),
    "rows": (5, 25, "int"),
    "clip": (0.5, 10.0, "log"),
    "adaptation": (4, 40, "int"),
}


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        self.generator = torch.Generator().manual_seed(seed)
        self.weights = self._network()
        self.start: list[Tensor] | None = None
        self.seen = 0

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        if self.start is not None:
            self.weights = self._descend(self.weights, x, y)
            return
        weights = self.weights
        for _ in range(self.knobs.steps):
            chosen = torch.randint(0, len(x), (self.knobs.rows,), generator=self.generator)
            chosen = chosen.to(x.device)
            weights = self._descend(weights, x[chosen], y[chosen])
        self.seen += len(x)
        done = min(1.0, self.seen / max(self.spec.observations, self.seen))
        rate = self.knobs.meta * (1.0 - 0.9 * done)
        self.weights = [
            torch.lerp(old, new, rate) for old, new in zip(self.weights, weights, strict=True)
        ]

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        scores = self._forward(x, self.weights)
        return scores if self.spec.kind == "regression" else scores.log_softmax(1)

    def adapt(self, x: Tensor, y: Tensor, steps: int | None = None) -> Learner:
        copied = copy.copy(self)
        for _ in range(self.knobs.adaptation if steps is None else steps):
            copied.weights = self._descend(copied.weights, x, y)
        return copied

    def new_episode(self) -> None:
        """Back to where a task starts from."""
        self.start = self.weights if self.start is None else self.start
        self.weights = self.start

    # inside

    def _network(self) -> list[Tensor]:
        widths = [self.spec.inputs, self.knobs.hidden, self.knobs.hidden, self.spec.outputs]
        weights = []
        for fan_in, fan_out in pairwise(widths):
            weight = torch.empty(fan_out, fan_in)
            bound = fan_in**-0.5
            weights += [weight.uniform_(-bound, bound, generator=self.generator)]
            weights += [torch.zeros(fan_out).uniform_(-bound, bound, generator=self.generator)]
        return [weight.to(self.device) for weight in weights]

    def _forward(self, x: Tensor, weights: list[Tensor]) -> Tensor:
        w1, b1, w2, b2, w3, b3 = weights
        hidden = F.linear(x.reshape(len(x), -1), w1, b1).tanh()
        return F.linear(F.linear(hidden, w2, b2).tanh(), w3, b3)

    def _descend(self, weights: list[Tensor], x: Tensor, y: Tensor) -> list[Tensor]:
        """New weights, one step down the loss; the old ones stay as they are."""
        weights = [weight.detach().requires_grad_() for weight in weights]
        scores = self._forward(x, weights)
        regression = self.spec.kind == "regression"
        loss = F.mse_loss(scores, y) if regression else F.cross_entropy(scores, y)
        grads = list(torch.autograd.grad(loss, weights))
        with torch.no_grad():
            norm = torch.stack(torch._foreach_norm(grads)).norm().item()
            rate = self.knobs.lr * min(1.0, self.knobs.clip / (norm + 1e-6))
            return list(torch._foreach_add(weights, grads, alpha=-rate))
