"""Small tasks by two scatters: within classes, and of the classes' means."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from parts.inputs import eigen
from torch import Tensor

SHRINK, ROUNDS, TRUST = 0.01, 6, 0.7


class Gaussians:
    """Probabilistic linear discriminant analysis (Ioffe 2006): an input is its class's mean plus
    noise, both normal, the same for all tasks. In the space where the noise is white and the
    scatter of means is diagonal, each example of a new class moves the normal belief of its mean.

    Attributes:
        within: the variance of the noise, in each direction.
        between: (inputs,) that of the means.
    """

    def __init__(self, x: Tensor, y: Tensor, task: Tensor) -> None:
        """From rows x (B, inputs), labels y (B,) and the task (B,) that each is of."""
        group = (task * (int(y.max()) + 1) + y).unique(return_inverse=True)[1]
        count = torch.bincount(group).float()
        self.mean = x.mean(0)
        means = torch.zeros(len(count), x.shape[1]).index_add_(0, group, x - self.mean)
        means /= count[:, None]
        inner = x - self.mean - means[group]
        free = max(1, len(x) - len(count))
        scatter = inner.T @ inner / free
        values, vectors = eigen(scatter)
        size = scatter.diagonal().mean().clamp(min=1e-8)
        white = (vectors * (values / size + SHRINK).rsqrt()) @ vectors.T
        self.within = (inner @ white).square().mean() * len(x) / free
        total = (means @ white).T @ (means @ white) / len(means)
        values, vectors = torch.linalg.eigh(total)
        self.between = (values - self.within * (1 / count).mean()).clamp(min=1e-4)
        self.basis = white @ vectors

    def predict(self, known: tuple[Tensor, Tensor], x: Tensor, classes: int) -> Tensor:
        """Log chances (B, classes) of queries x (B, inputs), given examples (x, y).

        The queries refine the means, as much as they are trusted (Ren et al. 2018,
        arXiv:1803.00676, soft k-means).
        """
        s, q = (known[0] - self.mean) @ self.basis, (x - self.mean) @ self.basis
        labels = F.one_hot(known[1], classes).float()
        both, soft = torch.cat((s, q)), torch.zeros(len(q), classes)
        scores = soft
        for _ in range(ROUNDS):
            chance = torch.cat((labels, soft))
            count = chance.sum(0)[:, None].clamp(min=1e-6)
            gain = self.between / (self.between + self.within / count)
            centre = gain * (chance.T @ both) / count
            spread = self.within + self.between * (1 - gain)
            far = (q[:, None] - centre).square() / spread
            scores = (-0.5 * (far + spread.log()).sum(2)).log_softmax(1)
            soft = TRUST * scores.exp()
        return scores
