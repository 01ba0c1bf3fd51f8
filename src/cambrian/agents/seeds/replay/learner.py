"""Experience replay: fine-tuning, with a small uniform sample of the past beside each new batch.

Chaudhry et al. 2019, arXiv:1902.10486; slots are chosen by Vitter's algorithm R (1985).
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
    lr: float = 0.2
    hidden: int = 256
    capacity: int = 200  # samples kept
    batch: int = 32  # samples replayed beside each new batch
    weight: float = 1.0  # share of the replayed rows in the loss; the new rows have 1


RANGES = {
    "lr": (0.005, 0.5, "log"),
    "hidden": (64, 384, "int"),
    "capacity": (50, 500, "int"),
    "batch": (8, 64, "int"),
    "weight": (0.2, 2.0, "log"),
}


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        self.generator = torch.Generator().manual_seed(seed)
        self.weights = self._network()
        self.x = torch.zeros(self.knobs.capacity, spec.inputs, device=self.device)
        self.y = torch.zeros(self.knobs.capacity, dtype=torch.int64, device=self.device)
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        w1, b1, w2, b2, w3, b3 = self.weights
        hidden = F.linear(x.reshape(len(x), -1), w1, b1).relu()
        return F.linear(F.linear(hidden, w2, b2).relu(), w3, b3)

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        x = x.reshape(len(x), -1)
        new = len(x)
        held = min(self.seen, self.knobs.capacity)
        if held:
            rows = torch.randint(0, held, (self.knobs.batch,), generator=self.generator)
            rows = rows.to(self.device)
            x, y = torch.cat((x, self.x[rows])), torch.cat((y, self.y[rows]))
        logits = self.forward(x)
        loss = F.cross_entropy(logits[:new], y[:new])
        if held:
            loss = loss + self.knobs.weight * F.cross_entropy(logits[new:], y[new:])
        grads = torch.autograd.grad(loss, self.weights)
        with torch.no_grad():
            torch._foreach_add_(self.weights, grads, alpha=-self.knobs.lr)
        self._store(x[:new], y[:new])

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        return self.forward(x).log_softmax(1)

    def _network(self) -> list[Tensor]:
        widths = [self.spec.inputs, self.knobs.hidden, self.knobs.hidden, self.spec.outputs]
        weights = []
        for fan_in, fan_out in pairwise(widths):
            bound = fan_in**-0.5
            weight = torch.empty(fan_out, fan_in)
            weights += [weight.uniform_(-bound, bound, generator=self.generator)]
            weights += [torch.zeros(fan_out)]
        return [weight.to(self.device).requires_grad_() for weight in weights]

    def _store(self, x: Tensor, y: Tensor) -> None:
        """Algorithm R: row n of the stream takes a random slot with probability capacity / n."""
        slots = {}
        for row, luck in enumerate(torch.rand(len(x), generator=self.generator).tolist()):
            full = self.seen >= self.knobs.capacity
            slot = int(luck * (self.seen + 1)) if full else self.seen
            self.seen += 1
            if slot < self.knobs.capacity:
                slots[slot] = row
        where = torch.tensor(list(slots), dtype=torch.int64, device=self.device)
        rows = torch.tensor(list(slots.values()), dtype=torch.int64, device=self.device)
        self.x[where], self.y[where] = x[rows], y[rows]
