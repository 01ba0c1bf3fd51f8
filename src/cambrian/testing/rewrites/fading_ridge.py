"""Running standardisation, random features, and ridge regression whose sums fade.

Recursive least squares with a forgetting factor (Haykin 2002, chapter 9) on random features (Rahimi
and Recht 2008). What was seen a few hundred rows ago weighs half: for streams whose rule changes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


class Learner(Base):
    features, half_life, ridge = 160, 300.0, 0.01

    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        chance = torch.Generator().manual_seed(seed)
        self.project = torch.randn(spec.inputs, self.features, generator=chance)
        self.phase = torch.randn(self.features, generator=chance)
        self.seen, self.mean = 0.0, torch.zeros(spec.inputs)
        self.square = torch.ones(spec.inputs)
        self.gram = torch.zeros(self.features, self.features)
        self.target = torch.zeros(self.features, spec.outputs)
        self.head: Tensor | None = None

    @torch.no_grad()
    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        rows = x.reshape(len(x), -1)
        self.seen += len(x)
        share = max(len(x) / self.seen, 0.01)
        self.mean += share * (rows.mean(0) - self.mean)
        self.square += share * ((rows - self.mean).square().mean(0) - self.square)
        phi = self._phi(x)
        keep = 0.5 ** (len(x) / self.half_life)
        self.gram = keep * self.gram + phi.T @ phi
        self.target = keep * self.target + phi.T @ F.one_hot(y, self.spec.outputs).float()
        self.head = None

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        head = self.head
        if head is None:
            size = self.ridge * self.gram.diagonal().mean() + 1e-4
            head = self.head = torch.linalg.solve(
                self.gram + size * torch.eye(self.features), self.target
            )
        return self._phi(x) @ head

    def _phi(self, x: Tensor) -> Tensor:
        rows = (x.reshape(len(x), -1) - self.mean) / (self.square.sqrt() + 0.1)
        drawn: Tensor = rows @ self.project / self.spec.inputs**0.5 + self.phase
        return drawn.relu()
