"""A small network that rehearses as many rows of each class, in standardised inputs.

Class-balanced rehearsal (Prabhu, Torr and Dokania 2020, "GDumb") with Adam (Kingma and Ba 2015): a
uniform sample has few rows of classes that are rare or long gone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


class Learner(Base):
    hidden, rate, rows_each, replayed = 96, 0.003, 60, 48

    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.chance = torch.Generator().manual_seed(seed)
        first = torch.randn(self.hidden, spec.inputs, generator=self.chance) / spec.inputs**0.5
        second = torch.zeros(spec.outputs, self.hidden)
        self.weights = [first, torch.zeros(self.hidden), second, torch.zeros(spec.outputs)]
        self.moments = [(torch.zeros_like(one), torch.zeros_like(one)) for one in self.weights]
        room = (spec.memory_bytes or 1 << 20) * 0.3 / 4 / spec.inputs / spec.outputs
        self.each = max(5, min(self.rows_each, int(room)))
        self.x = torch.zeros(spec.outputs, self.each, spec.inputs)
        self.held = [0] * spec.outputs
        self.mean, self.square = torch.zeros(spec.inputs), torch.ones(spec.inputs)
        self.steps = 0

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        rows = x.reshape(len(x), -1)
        self.steps += 1
        share = max(1.0 / self.steps, 0.01)
        self.mean += share * (rows.mean(0) - self.mean)
        self.square += share * ((rows - self.mean).square().mean(0) - self.square)
        old = self._rehearsed()
        for row, label in zip(rows, y.tolist(), strict=True):
            place = self.held[label]
            if place >= self.each:
                place = int(torch.randint(0, self.held[label] + 1, (1,), generator=self.chance))
            self.held[label] += 1
            if place < self.each:
                self.x[label, place] = row
        self._step(torch.cat((rows, old[0])), torch.cat((y, old[1])))

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        return self._forward(x.reshape(len(x), -1), self.weights)

    def _rehearsed(self) -> tuple[Tensor, Tensor]:
        seen = [label for label, count in enumerate(self.held) if count]
        if not seen:
            return self.x[0, :0], torch.zeros(0, dtype=torch.int64)
        picks = torch.randint(0, len(seen), (self.replayed,), generator=self.chance).tolist()
        labels = [seen[pick] for pick in picks]
        luck = torch.rand(self.replayed, generator=self.chance).tolist()
        places = [
            int(one * min(self.held[label], self.each))
            for one, label in zip(luck, labels, strict=True)
        ]
        return self.x[labels, places], torch.tensor(labels)

    def _forward(self, rows: Tensor, weights: list[Tensor]) -> Tensor:
        rows = (rows - self.mean) / (self.square.sqrt() + 0.1)
        return F.linear(F.linear(rows, weights[0], weights[1]).relu(), weights[2], weights[3])

    def _step(self, rows: Tensor, y: Tensor) -> None:
        weights = [one.detach().requires_grad_() for one in self.weights]
        loss = F.cross_entropy(self._forward(rows, weights), y)
        for at, slope in enumerate(torch.autograd.grad(loss, weights)):
            first, second = self.moments[at]
            first.mul_(0.9).add_(slope, alpha=0.1)
            second.mul_(0.99).addcmul_(slope, slope, value=0.01)
            size = (1 - 0.99**self.steps) ** 0.5 / (1 - 0.9**self.steps)
            self.weights[at] = self.weights[at] - self.rate * size * first / (second.sqrt() + 1e-8)
