"""Frozen random ReLU features and a streaming linear discriminant: nothing is trained by gradient.

Rahimi and Recht 2008 (random features, here with signs as projections: a quarter of the memory);
Hayes and Kanan 2020, arXiv:1909.01520 (streaming LDA: class means, one shared covariance).
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
    features: int = 1000  # fewer where the memory allowed is less
    shrinkage: float = 0.01  # share of the covariance replaced by a multiple of the identity
    refresh: float = 0.05  # solve again once this share of new samples has come


RANGES = {
    "features": (200, 1000, "int"),
    "shrinkage": (0.001, 0.3, "log"),
    "refresh": (0.02, 0.2, "log"),
}


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        size, inputs = self._affordable(), spec.inputs
        generator = torch.Generator().manual_seed(seed)
        signs = 2 * torch.randint(0, 2, (size, inputs), generator=generator) - 1
        self.signs = signs.to(torch.int8).to(self.device)
        self.bias = (2.0 * torch.rand(size, generator=generator) - 1.0).to(self.device)
        self.means = torch.zeros(spec.outputs, size, device=self.device)
        self.counts = torch.zeros(spec.outputs, device=self.device)
        self.scatter = torch.zeros(size, size, device=self.device)
        self.directions = torch.zeros(size, spec.outputs, device=self.device)
        self.heights = torch.zeros(spec.outputs, device=self.device)
        self.total = self.solved = 0

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        """Welford's update of the class means and of the scatter around them, by batches."""
        phi = self._phi(x)
        labels = F.one_hot(y, self.spec.outputs).to(phi.dtype)
        new = labels.sum(0)
        means = labels.T @ phi / new.clamp(min=1.0)[:, None]
        moved = means - self.means
        spread = (self.counts * new / (self.counts + new).clamp(min=1.0)).sqrt()
        rows = torch.cat((phi - means[y], spread[:, None] * moved))
        self.scatter.addmm_(rows.T, rows)
        self.counts += new
        self.means += (new / self.counts.clamp(min=1.0))[:, None] * moved
        self.total += len(x)

    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        if self.total > (1.0 + self.knobs.refresh) * self.solved:
            self._solve()
        scores = self._phi(x) @ self.directions - self.heights
        return scores.masked_fill(self.counts == 0, -1e6)

    def _affordable(self) -> int:
        """The widest layer of at most `features` that fits into nine tenths of the memory."""
        size, room = self.knobs.features, 0.9 * self.spec.memory_bytes or float("inf")
        while size > 10 and size * (4 * size + self.spec.inputs) > room:
            size -= 10
        return size

    def _phi(self, x: Tensor) -> Tensor:
        """Random ReLU features (B, features)."""
        x = x.reshape(len(x), -1)
        scale = 2.0 / x.shape[1] ** 0.5
        return torch.addmm(self.bias, x, self.signs.to(x.dtype).T, alpha=scale).relu_()

    def _solve(self) -> None:
        """The discriminant of Gaussians with one covariance: w = C^-1 m, height = m.w / 2."""
        covariance = self.scatter * ((1.0 - self.knobs.shrinkage) / max(self.total, 1))
        size = self.scatter.diagonal().mean() / max(self.total, 1)
        covariance.diagonal().add_(self.knobs.shrinkage * size + 1e-6)
        factor = torch.linalg.cholesky(covariance)
        self.directions = torch.cholesky_solve(self.means.T, factor)
        self.heights = 0.5 * (self.means.T * self.directions).sum(0)
        self.solved = self.total
