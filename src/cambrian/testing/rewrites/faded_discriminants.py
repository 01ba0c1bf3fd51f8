"""Linear discriminants on whitened random features at several rates of forgetting, mixed by trust.

The within-class scatter of everything seen whitens the inputs (Fisher 1936); on random features of
them (Rahimi and Recht 2008) each memory keeps the sums of a discriminant (Hayes and Kanan 2020,
arXiv:1909.01520), fading at its own rate. Where rows are asked about before their labels come, what
a memory said moves the trust in it (Littlestone and Warmuth 1994), with a share that never goes
(Herbster and Warmuth 1998); elsewhere the memory that forgets nothing speaks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


class Learner(Base):
    memories, features, shrinkage, rate = (1.0, 0.99, 0.95), 120, 0.05, 2.0

    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        chance = torch.Generator().manual_seed(seed)
        self.project = torch.randn(spec.inputs, self.features, generator=chance)
        self.phase = 0.5 * torch.randn(self.features, generator=chance)
        self.seen, self.solved = 0, 0
        self.first: list[tuple[Tensor, Tensor]] | None = []
        self.asked: Tensor | None = None
        self.raw_count = torch.zeros(spec.outputs)
        self.raw_sums = torch.zeros(spec.outputs, spec.inputs)
        self.raw_products = torch.zeros(spec.inputs, spec.inputs)
        self.whiten = torch.eye(spec.inputs)
        self.centre = torch.zeros(spec.inputs)
        self._restart()

    def _restart(self) -> None:
        shape, width = (len(self.memories),), self.features
        self.count = torch.zeros(*shape, self.spec.outputs)
        self.sums = torch.zeros(*shape, self.spec.outputs, width)
        self.products = torch.zeros(*shape, width, width)
        self.heads: list[tuple[Tensor, Tensor]] = []
        self.trust = torch.tensor([0.9, *[0.1 / (len(self.memories) - 1)] * (shape[0] - 1)])

    @torch.no_grad()
    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        rows, labels = x.reshape(len(x), -1), F.one_hot(y, self.spec.outputs).float()
        self.seen += len(x)
        self.raw_count += labels.sum(0)
        self.raw_sums += labels.T @ rows
        self.raw_products += rows.T @ rows
        asked, self.asked = self.asked, None
        if self.heads and asked is not None and torch.equal(asked, rows):
            right = self._said(self._phi(rows))[:, torch.arange(len(y)), y].clamp(min=0.01)
            trust = (self.trust.log() + self.rate * right.log().mean(1)).softmax(0)
            self.trust = 0.95 * trust + 0.05 / len(trust)
        self._sum(rows, labels)
        if self.first is not None:
            self.first.append((rows.clone(), labels))
            if self.seen >= 200:
                self._whiten()

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        rows = x.reshape(len(x), -1)
        self.asked = rows.clone() if len(x) <= 64 else None
        if self.seen >= max(self.solved + 10, round(1.01 * self.solved)) or not self.heads:
            self.heads = [self._solve(at) for at in range(len(self.memories))]
            self.solved = self.seen
        said = self._said(self._phi(rows))
        return torch.einsum("r,rbc->bc", self.trust, said).clamp(min=1e-9).log()

    def _sum(self, rows: Tensor, labels: Tensor) -> None:
        phi = self._phi(rows)
        for at, memory in enumerate(self.memories):
            keep = memory ** len(rows)
            self.count[at] = keep * self.count[at] + labels.sum(0)
            self.sums[at] = keep * self.sums[at] + labels.T @ phi
            self.products[at] = keep * self.products[at] + phi.T @ phi

    def _whiten(self) -> None:
        """Once, from the first rows, which are then summed again in the new features."""
        means = self.raw_sums / self.raw_count.clamp(min=1.0)[:, None]
        within = self.raw_products - (means * self.raw_count[:, None]).T @ means
        within = within / self.raw_count.sum()
        size = within.diagonal().mean().clamp(min=1e-6)
        values, vectors = torch.linalg.eigh(within + 0.3 * size * torch.eye(len(within)))
        self.whiten = vectors @ torch.diag(values.rsqrt()) @ vectors.T
        self.centre = self.raw_sums.sum(0) / self.raw_count.sum()
        trust, first, self.first = self.trust, self.first or [], None
        self._restart()
        self.trust = trust
        for rows, labels in first:
            self._sum(rows, labels)

    def _phi(self, rows: Tensor) -> Tensor:
        white = (rows - self.centre) @ self.whiten
        drawn: Tensor = white @ self.project / self.spec.inputs**0.5 + self.phase
        return drawn.relu()

    def _said(self, phi: Tensor) -> Tensor:
        """What each memory says: chances (memories, B, outputs)."""
        scores = [
            (phi @ weight + bias).masked_fill(self.count[at] < 0.01, -1e6)
            for at, (weight, bias) in enumerate(self.heads)
        ]
        return torch.stack(scores).softmax(2)

    def _solve(self, at: int) -> tuple[Tensor, Tensor]:
        count = self.count[at]
        means = self.sums[at] / count.clamp(min=1e-6)[:, None]
        within = self.products[at] - (means * count[:, None]).T @ means
        within = within / count.sum().clamp(min=1e-6)
        size = within.diagonal().mean().clamp(min=1e-6)
        eye = torch.eye(self.features)
        within = (1 - self.shrinkage) * within + self.shrinkage * size * eye
        weight = torch.linalg.solve(within + 1e-6 * eye, means.T)
        return weight, -0.5 * (means.T * weight).sum(0)
