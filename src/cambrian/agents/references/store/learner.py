"""A store: every row it was shown, packed, and the label of the nearest one. It learns nothing.

A reference that learners have to beat, no seed of a search. Where the memory allowed is less than
the stream, a uniform sample of it (Vitter's algorithm R, 1985).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


@dataclass
class Knobs:
    levels: int = 16  # of a value: four bits, two values a byte
    neighbours: int = 1
    window: int = 0  # only the latest rows count; 0: all that are stored


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        self.generator = torch.Generator().manual_seed(seed)
        width = (spec.inputs + 1) // 2
        room = int(0.9 * spec.memory_bytes) if spec.memory_bytes else 1 << 20
        self.rows = min(room // (width + 1), max(spec.observations, 4000))
        if self.knobs.window:
            self.rows = min(self.rows, self.knobs.window)
        self.x = torch.zeros(self.rows, width, dtype=torch.uint8)
        self.y = torch.zeros(self.rows, dtype=torch.uint8)
        self.low, self.high = torch.tensor(0.0), torch.tensor(1.0)
        self.seen = 0

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        x = x.reshape(len(x), -1).cpu()
        if not self.seen:
            self.low, self.high = x.min().clamp(max=0.0), x.max().clamp(min=1.0)
        packed = self._packed(x)
        for row, label in zip(packed, y.cpu(), strict=True):
            place = self.seen if self.seen < self.rows else self._place()
            self.seen += 1
            if place < self.rows:
                self.x[place], self.y[place] = row, label

    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        held = min(self.seen, self.rows)
        if not held:
            return torch.zeros(len(x), self.spec.outputs)
        keys = self._unpacked(self.x[:held])
        x = x.reshape(len(x), -1).cpu()
        near = 2 * x @ keys.T - keys.square().sum(1)
        found = near.topk(min(self.knobs.neighbours, held)).indices
        return F.one_hot(self.y[found].long(), self.spec.outputs).float().mean(1)

    def adapt(self, x: Tensor, y: Tensor, steps: int | None = None) -> Learner:
        copied = Learner(self.spec, seed=self.seed, device=str(self.device))
        copied.low, copied.high = self.low, self.high
        copied.observe(x, y)
        return copied

    def new_episode(self) -> None:
        self.seen = 0

    def _place(self) -> int:
        if self.knobs.window:
            return self.seen % self.rows
        return int(torch.randint(0, self.seen + 1, (1,), generator=self.generator))

    def _packed(self, x: Tensor) -> Tensor:
        scaled = (x - self.low) / (self.high - self.low)
        levels = (scaled.clamp(0, 1) * (self.knobs.levels - 1)).round().to(torch.uint8)
        levels = F.pad(levels, (0, levels.shape[1] % 2))
        return levels[:, ::2] * 16 + levels[:, 1::2]

    def _unpacked(self, rows: Tensor) -> Tensor:
        both = torch.stack((rows // 16, rows % 16), 2).reshape(len(rows), -1)
        values = both[:, : self.spec.inputs].float() / (self.knobs.levels - 1)
        return values * (self.high - self.low) + self.low
