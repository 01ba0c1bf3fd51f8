"""Whitening by the scatter within classes, and whether inputs look the same up to their sign."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SHRINK, FEW = 0.1, 0.3
CLEARLY = 0.03
NEAR = 400


class Whitening:
    """z = (x - mean) M, M the inverse root of the scatter within classes (Fisher 1936), shrunk
    towards a multiple of the identity, the more the fewer rows there are.

    Attributes:
        even: a row's nearest neighbour up to its sign shares its label clearly more often than its
            nearest neighbour: what is learned had better not depend on the sign.
    """

    def __init__(self, inputs: int) -> None:
        self.mean, self.matrix = torch.zeros(inputs), torch.eye(inputs)
        self.even, self.rows = False, 0

    def fit(self, x: Tensor, y: Tensor, seen: int) -> None:
        """x (B, inputs), y (B,) int64; `seen` rows so far, of which these are some."""
        y = y.unique(return_inverse=True)[1]
        labels = F.one_hot(y).float()
        means = labels.T @ x / labels.sum(0)[:, None]
        inner = x - means[y]
        scatter = inner.T @ inner / len(x)
        size = scatter.diagonal().mean().clamp(min=1e-8)
        values, vectors = eigen(scatter)
        scale = (values / size + SHRINK + FEW * x.shape[1] / len(x)).rsqrt()
        self.mean, matrix = x.mean(0), (vectors * scale) @ vectors.T
        self.matrix = matrix / ((x - self.mean) @ matrix).square().mean().sqrt().clamp(min=1e-6)
        self.even, self.rows = self._looks_even(self.unit(x[-NEAR:]), y[-NEAR:]), seen

    def white(self, x: Tensor) -> Tensor:
        """Whitened inputs, of mean square one."""
        return (x - self.mean) @ self.matrix

    def unit(self, x: Tensor) -> Tensor:
        """Whitened inputs of length one."""
        return F.normalize(self.white(x), dim=1)

    def _looks_even(self, z: Tensor, y: Tensor) -> bool:
        if len(z) < 60:
            return False
        near = z @ z.T
        near.fill_diagonal_(0.0)
        plain = (y[near.argmax(1)] == y).float().mean()
        signed = (y[near.abs().argmax(1)] == y).float().mean()
        return bool(signed > plain + CLEARLY)


def eigen(scatter: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues and vectors of a scatter, in double precision: some values never vary."""
    ridge = 1e-6 * scatter.diagonal().mean().double() * torch.eye(len(scatter)).double()
    values, vectors = torch.linalg.eigh(scatter.double() + ridge + 1e-12 * torch.eye(len(ridge)))
    return values.float().clamp(min=0), vectors.float()
