"""A store that is retrained from: all rows it was shown, packed, and a network that rehearses them.

A reference that learners have to beat, no seed of a search: replay (Chaudhry et al. 2019,
arXiv:1902.10486) whose memory is all that the allowance holds at four bits a value, with a small
network and as many steps of Adam (Kingma & Ba 2015, arXiv:1412.6980) as it is allowed.
"""

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
    lr: float = 0.002
    hidden: int = 96
    batch: int = 96  # rows rehearsed beside the new ones, at every step
    steps: int = 5  # on each new batch


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        self.generator = torch.Generator().manual_seed(seed)
        self.weights = self._network()
        width = (spec.inputs + 1) // 2
        self.optimiser = torch.optim.Adam(self.weights, lr=self.knobs.lr)
        held = 3 * sum(weight.numel() * 4 for weight in self.weights)
        room = int(0.85 * spec.memory_bytes) - held if spec.memory_bytes else 1 << 20
        self.rows = max(1, min(room // (width + 1), max(spec.observations, 4000)))
        self.x = torch.zeros(self.rows, width, dtype=torch.uint8)
        self.y = torch.zeros(self.rows, dtype=torch.uint8)
        self.low, self.high = torch.tensor(0.0), torch.tensor(1.0)
        self.seen = 0

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        x = x.reshape(len(x), -1)
        if not self.seen:
            self.low, self.high = x.min().clamp(max=0.0), x.max().clamp(min=1.0)
        self._store(x, y)
        held = min(self.seen, self.rows)
        for _ in range(self.knobs.steps):
            rows = torch.randint(0, held, (self.knobs.batch,), generator=self.generator)
            both = torch.cat((x, self._unpacked(self.x[rows])))
            loss = F.cross_entropy(self._forward(both), torch.cat((y, self.y[rows].long())))
            self.optimiser.zero_grad()
            torch.autograd.backward(loss)
            self.optimiser.step()

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        return self._forward(x.reshape(len(x), -1)).log_softmax(1)

    def _forward(self, x: Tensor) -> Tensor:
        w1, b1, w2, b2, w3, b3 = self.weights
        return F.linear(F.linear(F.linear(x, w1, b1).relu(), w2, b2).relu(), w3, b3)

    def _network(self) -> list[Tensor]:
        widths = [self.spec.inputs, self.knobs.hidden, self.knobs.hidden, self.spec.outputs]
        weights = []
        for fan_in, fan_out in pairwise(widths):
            bound = fan_in**-0.5
            weight = torch.empty(fan_out, fan_in)
            weights += [weight.uniform_(-bound, bound, generator=self.generator)]
            weights += [torch.zeros(fan_out)]
        return [weight.requires_grad_() for weight in weights]

    def _store(self, x: Tensor, y: Tensor) -> None:
        for row, label in zip(self._packed(x), y, strict=True):
            place = self.seen
            if self.seen >= self.rows:
                place = int(torch.randint(0, self.seen + 1, (1,), generator=self.generator))
            self.seen += 1
            if place < self.rows:
                self.x[place], self.y[place] = row, label

    def _packed(self, x: Tensor) -> Tensor:
        levels = ((x - self.low) / (self.high - self.low)).clamp(0, 1).mul(15).round()
        levels = F.pad(levels.to(torch.uint8), (0, levels.shape[1] % 2))
        return levels[:, ::2] * 16 + levels[:, 1::2]

    def _unpacked(self, rows: Tensor) -> Tensor:
        both = torch.stack((rows // 16, rows % 16), 2).reshape(len(rows), -1)
        values = both[:, : self.spec.inputs].float() / 15
        return values * (self.high - self.low) + self.low
