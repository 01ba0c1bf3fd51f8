"""First-order MAML: weights from which a few steps of gradient descent lead to what a task wants.

Finn, Abbeel and Levine 2017, arXiv:1703.03400, algorithm 1 without second derivatives (section
5.2): a few steps on some rows of a task, then the gradient on its other rows, taken there and
applied here.
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
    meta: float = 0.003  # of Adam, on the weights that every task starts from
    hidden: int = 64
    steps: int = 5  # within a task, while learning
    tasks: int = 2  # whose gradients are added up before each step of Adam
    clip: float = 2.0  # the longest gradient within a task
    adaptation: int = 16  # steps on a support set, where the benchmark does not say


RANGES = {
    "lr": (0.005, 0.2, "log"),
    "meta": (0.0003, 0.01, "log"),
    "hidden": (32, 256, "int"),
    "steps": (1, 10, "int"),
    "tasks": (1, 8, "int"),
    "clip": (0.5, 10.0, "log"),
    "adaptation": (4, 40, "int"),
}


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        self.weights = self._network(torch.Generator().manual_seed(seed))
        self.optimiser = torch.optim.Adam(self.weights, lr=self.knobs.meta)
        self.fast: list[Tensor] | None = None
        self.waiting = 0

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        if self.fast is not None:
            self.fast = self._descend(self.fast, x, y)
            return
        half = min(self.spec.support or len(x), (len(x) + 1) // 2)
        weights: list[Tensor] = list(self.weights)
        for _ in range(self.knobs.steps):
            weights = self._descend(weights, x[:half], y[:half])
        rest = slice(half, None) if len(x) > 1 else slice(None)
        for weight, grad in zip(
            self.weights, self._gradient(weights, x[rest], y[rest]), strict=True
        ):
            share = grad / self.knobs.tasks
            weight.grad = share if weight.grad is None else weight.grad + share
        self.waiting += 1
        if self.waiting == self.knobs.tasks:
            self.optimiser.step()
            self.optimiser.zero_grad()
            self.waiting = 0

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        scores = self._forward(x, self.weights if self.fast is None else self.fast)
        return scores if self.spec.kind == "regression" else scores.log_softmax(1)

    def adapt(self, x: Tensor, y: Tensor, steps: int | None = None) -> Learner:
        copied = copy.copy(self)
        weights: list[Tensor] = list(self.weights)
        for _ in range(self.knobs.adaptation if steps is None else steps):
            weights = self._descend(weights, x, y)
        copied.fast = weights
        return copied

    def new_episode(self) -> None:
        """Back to where a task starts from."""
        self.fast = list(self.weights)

    # inside

    def _network(self, generator: torch.Generator) -> list[Tensor]:
        widths = [self.spec.inputs, self.knobs.hidden, self.knobs.hidden, self.spec.outputs]
        weights = []
        for fan_in, fan_out in pairwise(widths):
            bound = (6.0 / fan_in) ** 0.5 if fan_out != widths[-1] else fan_in**-0.5
            weight = torch.empty(fan_out, fan_in)
            weights += [weight.uniform_(-bound, bound, generator=generator)]
            weights += [torch.zeros(fan_out)]
        return [weight.to(self.device).requires_grad_() for weight in weights]

    def _forward(self, x: Tensor, weights: list[Tensor]) -> Tensor:
        w1, b1, w2, b2, w3, b3 = weights
        hidden = F.linear(x.reshape(len(x), -1), w1, b1).relu()
        return F.linear(F.linear(hidden, w2, b2).relu(), w3, b3)

    def _gradient(self, weights: list[Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        """The gradient of the loss at some weights, as if nothing had led to them."""
        weights = [weight.detach().requires_grad_() for weight in weights]
        scores = self._forward(x, weights)
        regression = self.spec.kind == "regression"
        loss = F.mse_loss(scores, y) if regression else F.cross_entropy(scores, y)
        return torch.autograd.grad(loss, weights)

    def _descend(self, weights: list[Tensor], x: Tensor, y: Tensor) -> list[Tensor]:
        """New weights, one step down the loss; the old ones stay as they are."""
        grads = list(self._gradient(weights, x, y))
        with torch.no_grad():
            norm = torch.stack(torch._foreach_norm(grads)).norm().item()
            rate = self.knobs.lr * min(1.0, self.knobs.clip / (norm + 1e-6))
            return list(torch._foreach_add(weights, grads, alpha=-rate))
