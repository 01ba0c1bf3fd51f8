"""Groups of inputs that never change their place, and a table from groups to names that does.

Labels that are permuted leave the inputs as they were: k-means (MacQueen 1967) finds the groups,
and a table of the latest names, which fades, says what each is called now.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


class Learner(Base):
    groups, keep = 60, 0.97

    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.centres = torch.zeros(self.groups, spec.inputs)
        self.held = torch.zeros(self.groups)
        self.table = torch.full((self.groups, spec.outputs), 0.05)

    @torch.no_grad()
    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        for row, label in zip(x.reshape(len(x), -1), y.tolist(), strict=True):
            empty = torch.nonzero(self.held == 0)
            if len(empty):
                nearest = int(empty[0])
            else:
                nearest = int((self.centres - row).square().sum(1).argmin())
            self.held[nearest] += 1
            rate = max(1.0 / float(self.held[nearest]), 0.02)
            self.centres[nearest] += rate * (row - self.centres[nearest])
            self.table[nearest] *= self.keep
            self.table[nearest, label] += 1.0

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        far = torch.cdist(x.reshape(len(x), -1), self.centres).square()
        far = far.masked_fill(self.held == 0, 1e9)
        scale = far.min(1, keepdim=True).values.clamp(min=1e-6)
        near = (-2.0 * far / scale).softmax(1)
        return near @ (self.table / self.table.sum(1, keepdim=True))
