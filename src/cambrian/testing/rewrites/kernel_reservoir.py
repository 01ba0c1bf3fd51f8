"""A uniform sample of the stream, and kernel regression on it.

Vitter 1985 (reservoir sampling) keeps every time alike; Nadaraya 1964 and Watson 1964 (regression
by a kernel) need no training, so nothing is overwritten. The width is the median distance.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


class Learner(Base):
    sharpness = 8.0

    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        room = spec.memory_bytes or 1 << 20
        self.capacity = max(20, min(1500, int(0.6 * room / 4 / (spec.inputs + 2))))
        self.chance = torch.Generator().manual_seed(seed)
        self.x = torch.zeros(self.capacity, spec.inputs)
        self.y = torch.zeros(self.capacity, dtype=torch.int64)
        self.seen = 0

    @torch.no_grad()
    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        for row, label in zip(x.reshape(len(x), -1), y, strict=True):
            place = self.seen
            if place >= self.capacity:
                place = int(torch.randint(0, self.seen + 1, (1,), generator=self.chance))
            self.seen += 1
            if place < self.capacity:
                self.x[place], self.y[place] = row, label

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        held = min(self.seen, self.capacity)
        if not held:
            return torch.zeros(len(x), self.spec.outputs)
        far = torch.cdist(x.reshape(len(x), -1), self.x[:held]).square()
        width = far.median(1, keepdim=True).values.clamp(min=1e-6)
        near = (-self.sharpness * far / width).exp()
        labels = F.one_hot(self.y[:held], self.spec.outputs).float()
        each = labels.sum(0).clamp(min=1.0).sqrt()
        return near @ (labels / each)
