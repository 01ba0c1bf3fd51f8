"""Class means at three rates of forgetting, and the one that was right lately speaks.

Complementary memories (McClelland, McNaughton and O'Reilly 1995) as rates of one sum; trust goes by
exponential weights on what each said of rows before their labels came (Littlestone and Warmuth
1994).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


class Learner(Base):
    memories, rate = (1.0, 0.97, 0.9), 2.0

    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        rates = len(self.memories)
        self.count = torch.zeros(rates, spec.outputs)
        self.sums = torch.zeros(rates, spec.outputs, spec.inputs)
        self.square = torch.ones(spec.inputs)
        self.seen = 0
        self.trust = torch.full((rates,), 1.0 / rates)

    @torch.no_grad()
    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        rows = x.reshape(len(x), -1)
        right = self._chances(rows)[:, torch.arange(len(y)), y].clamp(min=0.01)
        trust = (self.trust.log() + self.rate * right.log().mean(1)).softmax(0)
        self.trust = 0.95 * trust + 0.05 / len(trust)
        self.seen += len(x)
        self.square += max(len(x) / self.seen, 0.01) * (rows.var(0) - self.square)
        labels = F.one_hot(y, self.spec.outputs).float()
        for at, keep in enumerate(self.memories):
            fade = keep ** len(x)
            self.count[at] = fade * self.count[at] + labels.sum(0)
            self.sums[at] = fade * self.sums[at] + labels.T @ rows

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        said = self._chances(x.reshape(len(x), -1))
        return torch.einsum("r,rbc->bc", self.trust, said).clamp(min=1e-9).log()

    def _chances(self, rows: Tensor) -> Tensor:
        """What each memory says of rows (B, inputs): chances (memories, B, outputs)."""
        weight = 1.0 / (self.square + 0.1 * self.square.mean() + 1e-6)
        means = self.sums / self.count.clamp(min=1e-3)[..., None]
        scores = torch.einsum("bi,rci->rbc", rows * weight, means)
        scores = scores - 0.5 * (means.square() * weight).sum(2)[:, None]
        return scores.masked_fill((self.count < 1e-3)[:, None], -1e6).softmax(2)
