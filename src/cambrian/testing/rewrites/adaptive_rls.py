"""Recursive least squares that forgets faster while its own error is above its usual one.

A variable forgetting factor (Fortescue, Kershenbaum and Ydstie 1981): the error of the last batches
against the long-run error says whether the rule has changed. In the space of the inputs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


class Learner(Base):
    slow, fast, ridge = 0.999, 0.9, 0.02

    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        width = spec.inputs + 1
        self.gram = torch.zeros(width, width)
        self.target = torch.zeros(width, spec.outputs)
        self.head = torch.zeros(width, spec.outputs)
        self.lately = self.usually = 0.5

    @torch.no_grad()
    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        rows = self._rows(x)
        wrong = float(((rows @ self.head).argmax(1) != y).float().mean())
        self.lately += 0.3 * (wrong - self.lately)
        self.usually += 0.02 * (wrong - self.usually)
        excess = max(0.0, self.lately - self.usually - 0.1)
        keep = max(self.fast, self.slow - 0.4 * excess) ** len(x)
        self.gram = keep * self.gram + rows.T @ rows
        labels = F.one_hot(y, self.spec.outputs).float()
        self.target = keep * self.target + rows.T @ labels
        size = self.ridge * self.gram.diagonal().mean() + 1e-4
        self.head = torch.linalg.solve(self.gram + size * torch.eye(len(self.gram)), self.target)

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        return self._rows(x) @ self.head

    def _rows(self, x: Tensor) -> Tensor:
        rows = x.reshape(len(x), -1)
        return torch.cat((rows, torch.ones(len(x), 1)), 1)
