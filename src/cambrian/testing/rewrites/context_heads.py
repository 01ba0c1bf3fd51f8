"""One set of class means for each context, opened and taken up again by a test for change.

Page 1954 (cumulative sums of the excess error) says when the rule has changed; the context whose
means explain the newest rows best goes on, or a new one begins. For concepts that return.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


class Learner(Base):
    contexts, limit, slack = 6, 4.0, 0.15

    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.count = torch.zeros(self.contexts, spec.outputs)
        self.sums = torch.zeros(self.contexts, spec.outputs, spec.inputs)
        self.now = self.opened = 0
        self.excess, self.usual = 0.0, 0.5

    @torch.no_grad()
    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        rows = x.reshape(len(x), -1)
        wrong = self._wrong(self.now, rows, y)
        self.excess = max(0.0, self.excess + wrong - self.usual - self.slack)
        self.usual += 0.05 * (wrong - self.usual)
        if self.excess > self.limit * 0.5 and self.count[self.now].sum() > 10 * len(x):
            self._change(rows, y)
        labels = F.one_hot(y, self.spec.outputs).float()
        self.count[self.now] += labels.sum(0)
        self.sums[self.now] += labels.T @ rows

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        return self._scores(self.now, x.reshape(len(x), -1))

    def _scores(self, context: int, rows: Tensor) -> Tensor:
        means = self.sums[context] / self.count[context].clamp(min=1.0)[:, None]
        scores = rows @ means.T - 0.5 * means.square().sum(1)
        return scores.masked_fill(self.count[context] == 0, -1e6)

    def _wrong(self, context: int, rows: Tensor, y: Tensor) -> float:
        return float((self._scores(context, rows).argmax(1) != y).float().mean())

    def _change(self, rows: Tensor, y: Tensor) -> None:
        errors = [self._wrong(one, rows, y) for one in range(self.opened + 1)]
        best = min(range(len(errors)), key=errors.__getitem__)
        if errors[best] < self.usual + self.slack and best != self.now:
            self.now = best
        elif self.opened + 1 < self.contexts:
            self.opened += 1
            self.now = self.opened
        else:  # the context that has the fewest rows makes room
            self.now = int(self.count.sum(1).argmin())
            self.count[self.now] = 0.0
            self.sums[self.now] = 0.0
        self.excess, self.usual = 0.0, 0.5
