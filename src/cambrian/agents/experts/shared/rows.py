"""The rows that a learner was shown, four bits a value, the newest last."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 15
RECENT = 500


class Rows:
    """Rows x (B, inputs) float32 and labels (B,), packed; what is full forgets some at random,
    but none of the `RECENT` newest.

    Args:
        inputs: values of a row.
        room: bytes.
        most: rows, at most.
        generator: of chance.
    """

    def __init__(self, inputs: int, room: int, most: int, generator: torch.Generator) -> None:
        self.inputs, self.generator = inputs, generator
        width = (inputs + 1) // 2
        self.most = max(64, min(room // (width + 1), most))
        self.packed = torch.zeros(self.most, width, dtype=torch.uint8)
        self.names = torch.zeros(self.most, dtype=torch.uint8)
        self.low = self.high = 0.0
        self.held = self.seen = 0
        self.start = 0  # the first row of the newest segment

    def add(self, x: Tensor, y: Tensor) -> None:
        """Add rows; the first ones say between which values all are held."""
        if not self.seen:
            reach = 4 * float(x.std(unbiased=False)) + 1e-6
            self.low, self.high = float(x.mean()) - reach, float(x.mean()) + reach
        self.seen += len(x)
        x, y = x[-self.most :], y[-self.most :]
        if self.held + len(x) > self.most:
            self._forget(self.held + len(x) - self.most)
        levels = ((x - self.low) / (self.high - self.low)).clamp(0, 1).mul(LEVELS).round()
        levels = F.pad(levels.to(torch.uint8), (0, self.inputs % 2))
        place = slice(self.held, self.held + len(x))
        self.packed[place] = levels[:, ::2] * 16 + levels[:, 1::2]
        self.names[place] = y.to(torch.uint8)
        self.held += len(x)

    def x(self, rows: Tensor) -> Tensor:
        """Rows by their places: (B, inputs)."""
        packed = self.packed[: self.held][rows]
        both = torch.stack((packed // 16, packed % 16), 2).reshape(len(packed), -1)
        return both[:, : self.inputs].float() / LEVELS * (self.high - self.low) + self.low

    def y(self, rows: Tensor) -> Tensor:
        """Their labels (B,) int64."""
        return self.names[: self.held][rows].long()

    def some(self, most: int, first: int = 0, last: int | None = None) -> Tensor:
        """Places of at most so many rows between two, drawn without putting back, in order."""
        count = (self.held if last is None else last) - first
        if count <= most:
            return torch.arange(first, first + count)
        return first + torch.randperm(count, generator=self.generator)[:most].sort().values

    def rename(self, naming: Tensor) -> None:
        """What came before the newest segment is called otherwise: naming (classes,)."""
        self.names[: self.start] = naming[self.names[: self.start].long()].to(torch.uint8)

    def drop(self) -> None:
        """Forget what came before the newest segment."""
        keep = torch.arange(self.held) >= self.start
        self._keep(keep)

    def _forget(self, count: int) -> None:
        keep = torch.ones(self.held, dtype=torch.bool)
        older = max(self.held - RECENT, count)
        keep[torch.randperm(older, generator=self.generator)[:count]] = False
        self._keep(keep)

    def _keep(self, keep: Tensor) -> None:
        count = int(keep.sum())
        self.packed[:count] = self.packed[: self.held][keep]
        self.names[:count] = self.names[: self.held][keep]
        self.start, self.held = int(keep[: self.start].sum()), count
