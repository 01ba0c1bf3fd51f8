"""Plain fine-tuning: a multilayer perceptron and stochastic gradient descent. It forgets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


@dataclass
class Knobs:
    lr: float = 0.2
    hidden: int = 256


RANGES = {
    "lr": (0.005, 0.5, "log"),
    "hidden": (64, 384, "int"),
}


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        generator = torch.Generator().manual_seed(seed)
        widths = [spec.inputs, self.knobs.hidden, self.knobs.hidden, spec.outputs]
        self.weights: list[Tensor] = []
        for fan_in, fan_out in pairwise(widths):
            bound = fan_in**-0.5
            weight = torch.empty(fan_out, fan_in).uniform_(-bound, bound, generator=generator)
            self.weights += [weight.to(self.device), torch.zeros(fan_out, device=self.device)]
        for weight in self.weights:
            weight.requires_grad_()

    def forward(self, x: Tensor) -> Tensor:
        w1, b1, w2, b2, w3, b3 = self.weights
        hidden = F.linear(x.reshape(len(x), -1), w1, b1).relu()
        return F.linear(F.linear(hidden, w2, b2).relu(), w3, b3)

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        loss = F.cross_entropy(self.forward(x), y)
        grads = torch.autograd.grad(loss, self.weights)
        with torch.no_grad():
            torch._foreach_add_(self.weights, grads, alpha=-self.knobs.lr)

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        return self.forward(x).log_softmax(1)
