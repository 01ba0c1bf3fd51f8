"""Several prototypes a class, moved towards rows of their class and away from others.

Learning vector quantisation (Kohonen 1990), with a prototype added where a row is misread: a class
may be in several places, and a place that nobody visits is not overwritten.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


class Learner(Base):
    most, rate = 120, 0.05

    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.x = torch.zeros(self.most, spec.inputs)
        self.y = torch.full((self.most,), -1, dtype=torch.int64)
        self.used = torch.zeros(self.most)

    @torch.no_grad()
    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        for row, label in zip(x.reshape(len(x), -1), y.tolist(), strict=True):
            far = (self.x - row).square().sum(1).masked_fill(self.y < 0, 1e9)
            nearest = int(far.argmin())
            self.used *= 0.999
            if int(self.y[nearest]) == label:
                self.x[nearest] += self.rate * (row - self.x[nearest])
                self.used[nearest] += 1.0
                continue
            if int(self.y[nearest]) >= 0:
                self.x[nearest] -= 0.2 * self.rate * (row - self.x[nearest])
            free = int(self.used.argmin())
            self.x[free], self.y[free], self.used[free] = row, label, 1.0

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        far = torch.cdist(x.reshape(len(x), -1), self.x).masked_fill(self.y < 0, 1e6)
        columns = [
            far.masked_fill(self.y != label, 1e6).min(1).values
            for label in range(self.spec.outputs)
        ]
        return -torch.stack(columns, 1)
