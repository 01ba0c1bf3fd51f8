"""Prototypical networks: an embedding in which the mean of a few examples stands for a class.

Snell et al. 2017, arXiv:1703.05175, equations 1 and 2: each batch is split into a few examples of
every class and the rest, which has to be told apart by its distances to the examples' means. Where
the targets are real numbers every example stands for itself, and the answer is the mean of its
target weighted by closeness (Vinyals et al. 2016, arXiv:1606.04080, equation 1).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


@dataclass
class Knobs:
    lr: float = 0.002  # of Adam
    hidden: int = 128
    embedding: int = 64
    window: int = 50  # examples that a class's mean forgets the older ones after
    shots: int = 5  # at most so many examples of each class, drawn anew for every batch


RANGES = {
    "lr": (0.0003, 0.01, "log"),
    "hidden": (64, 384, "int"),
    "embedding": (16, 128, "int"),
    "window": (10, 500, "int"),
    "shots": (1, 10, "int"),
}


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        self.generator = torch.Generator().manual_seed(seed)
        self.weights = self._network()
        self.optimiser = torch.optim.Adam(self.weights, lr=self.knobs.lr)
        self.training = True
        self._forget()

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        if self.training and len(x) > 1:
            self._train(x, y)
        if not (self.training and self.spec.episodic):
            self._remember(x, y)

    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        with torch.no_grad():
            if self.keys is None:
                return torch.zeros(len(x), self.spec.outputs, device=self.device)
            return self._read(self._embed(x), self.keys, self.values)

    def adapt(self, x: Tensor, y: Tensor, steps: int | None = None) -> Learner:
        copied = copy.copy(self)
        copied._forget()
        copied._remember(x, y)
        return copied

    def task_boundary(self) -> None:
        """Where few examples are to come, what came first is what the embedding is learned from."""
        self.training = self.training and not self.spec.support

    def new_episode(self) -> None:
        self.training = False
        self._forget()

    # inside

    def _network(self) -> list[Tensor]:
        widths = [self.spec.inputs, self.knobs.hidden, self.knobs.hidden, self.knobs.embedding]
        weights = []
        for fan_in, fan_out in pairwise(widths):
            bound = (6.0 / fan_in) ** 0.5 if fan_out != widths[-1] else fan_in**-0.5
            weight = torch.empty(fan_out, fan_in)
            weights += [weight.uniform_(-bound, bound, generator=self.generator)]
            weights += [torch.zeros(fan_out)]
        return [weight.to(self.device).requires_grad_() for weight in weights]

    def _embed(self, x: Tensor) -> Tensor:
        w1, b1, w2, b2, w3, b3 = self.weights
        hidden = F.linear(x.reshape(len(x), -1), w1, b1).relu()
        return F.linear(F.linear(hidden, w2, b2).relu(), w3, b3)

    def _read(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """What the keys (P, embedding), of values (P, outputs), say of queries (B, embedding)."""
        near = (-torch.cdist(queries[None], keys[None])[0].square()).softmax(1)
        mixed = near @ values
        return mixed if self.spec.kind == "regression" else (mixed + 1e-6).log()

    def _train(self, x: Tensor, y: Tensor) -> None:
        """One step: some rows are the examples, the others the questions."""
        embedded = self._embed(x)
        if self.spec.kind == "regression":
            most = min(self.spec.support or len(x), len(x) - 1)
            known = torch.arange(len(x), device=x.device) < self._draw(most)
            answers = self._read(embedded[~known], embedded[known], y[known])
            loss = F.mse_loss(answers, y[~known])
        else:
            labels = F.one_hot(y, self.spec.outputs)
            place = (labels.cumsum(0) * labels).sum(1)  # 1 for the first row of its class, 2, ...
            known = place <= self._draw(min(self.knobs.shots, max(1, int(place.max()) // 2)))
            asked = ~known
            if not asked.any():
                return
            keys, values = self._means(embedded[known], y[known])
            loss = F.nll_loss(self._read(embedded[asked], keys, values), y[asked])
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        self.optimiser.step()

    def _draw(self, most: int) -> int:
        return int(torch.randint(1, most + 1, (1,), generator=self.generator))

    def _means(self, embedded: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Means of the classes that are there (P, embedding), and which those are (P, outputs)."""
        labels = F.one_hot(y, self.spec.outputs).to(embedded.dtype)
        counts = labels.sum(0)
        there = counts > 0
        means = (labels.T @ embedded)[there] / counts[there, None]
        return means, torch.eye(self.spec.outputs, device=y.device)[there]

    def _forget(self) -> None:
        self.keys: Tensor | None = None
        self.values = self.counts = torch.zeros(0, device=self.device)

    @torch.no_grad()
    def _remember(self, x: Tensor, y: Tensor) -> None:
        """Add to what is known: running means of the classes, or the pairs themselves."""
        embedded = self._embed(x)
        if self.spec.kind == "regression":
            room = max(self.spec.support, 1)
            keys, values = embedded, y
            if self.keys is not None:
                keys, values = torch.cat((self.keys, keys)), torch.cat((self.values, values))
            self.keys, self.values = keys[-room:], values[-room:]
            return
        labels = F.one_hot(y, self.spec.outputs).to(embedded.dtype)
        if self.keys is None:
            sums, counts = labels.T @ embedded, labels.sum(0)
        else:
            at = self.values.argmax(1)
            old = self.counts.clamp(max=float(self.knobs.window))
            sums, counts = labels.T @ embedded, labels.sum(0) + old
            sums[at] += self.keys * old[at, None]
        there = counts > 0
        self.keys = sums[there] / counts[there, None]
        self.values = torch.eye(self.spec.outputs, device=self.device)[there]
        self.counts = counts
