"""DiscoGen's continual-learning task, written anew for one core of a CPU: permuted MNIST, one pass.

Goldie et al. 2026 (arXiv:2603.17863) judge learning algorithms by five modules inside a loop that
is fixed: a regulariser, a replay memory, a sampler, a scheduler and an optimiser. Here are such a
loop and five default modules, by their description and with none of their code. It is smaller than
theirs in its data (3,600 images to train on, not 60,000) and its network (two layers, not a
ResNet-18), so that no figure from here can be held against one of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from cambrian.evaluators.data.mnist import mnist_5k

BATCH, CLASSES, HIDDEN = 128, 10, 256
FORGETTING = 0.5
"""What the mean forgetting weighs in the score."""


@dataclass(frozen=True)
class Task:
    """One permutation: x (N, 784) float32 in [0, 1] and y (N,) int64, to train on and to test."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor


def permuted_mnist(tasks: int, seed: int, rows: int | None = None) -> list[Task]:
    """Tasks that show the same images, each with its own order of the 784 pixels.

    Training and test images are cut apart once, class by class, whatever the seed.

    Args:
        rows: how many images to train on and to test with, at most.
    """
    images = mnist_5k()
    x, test_x = (
        torch.from_numpy(part.x.reshape(len(part.x), -1)) for part in (images.train, images.test)
    )
    y, test_y = (torch.from_numpy(part.y) for part in (images.train, images.test))
    if rows is not None:
        x, y, test_x, test_y = (spread(each, rows) for each in (x, y, test_x, test_y))
    rng = np.random.default_rng(seed)
    orders = [torch.from_numpy(rng.permutation(x.shape[1])) for _ in range(tasks)]
    return [Task(x[:, order], y, test_x[:, order], test_y) for order in orders]


def spread(rows: Tensor, count: int) -> Tensor:
    """`count` rows at most, at even distances."""
    return rows[torch.linspace(0, len(rows) - 1, min(count, len(rows))).long()]


class Trainee(Protocol):
    """What the loop trains: five modules around a network, or a whole agent."""

    def learn(self, x: Tensor, y: Tensor) -> None:
        """One batch of new rows, x (B, 784) and y (B,)."""

    def end_task(self, x: Tensor, y: Tensor) -> None:
        """A task has ended; all its rows, x (N, 784) and y (N,)."""

    def scores(self, x: Tensor) -> Tensor:
        """Scores (B, 10) for x (B, 784); the largest wins."""


def accuracies(trainee: Trainee, tasks: Sequence[Task], seed: int) -> Tensor:
    """Train on each task once, in batches of 128 drawn by the seed.

    Returns:
        (T, T) float32; row i, column t is the accuracy on task i after task t, 0 where i > t.
    """
    draws = torch.Generator().manual_seed(seed)
    matrix = torch.zeros(len(tasks), len(tasks))
    for now, task in enumerate(tasks):
        for rows in torch.randperm(len(task.x), generator=draws).split(BATCH):
            trainee.learn(task.x[rows], task.y[rows])
        trainee.end_task(task.x, task.y)
        for seen, other in enumerate(tasks[: now + 1]):
            answers = trainee.scores(other.test_x).argmax(1)
            matrix[seen, now] = (answers == other.test_y).float().mean()
    return matrix


@dataclass(frozen=True)
class Score:
    """Average accuracy after the last task, mean forgetting, and `accuracy - forgetting / 2`."""

    accuracy: float
    forgetting: float
    score: float


def score(matrix: Tensor) -> Score:
    """The score of an accuracy matrix (T, T).

    Forgetting is the mean, over the matrix without its last column, of how far the best accuracy so
    far lies above the final one, and at least 0; of one task, 0.
    """
    final = matrix[:, -1:]
    lost = (matrix.cummax(1).values - final).clamp(min=0.0)[:, :-1]
    accuracy, forgetting = float(final.mean()), float(lost.mean()) if lost.numel() else 0.0
    return Score(accuracy, forgetting, accuracy - FORGETTING * forgetting)


class Regularizer(Protocol):
    """An extra loss."""

    def penalty(self, weights: Sequence[Tensor]) -> Tensor | None:
        """What to add to the loss of a step, a scalar, or nothing."""

    def end_task(self, network: Network, x: Tensor, y: Tensor) -> None:
        """A task has ended: look at the network and the task's rows."""


class Replay(Protocol):
    """A memory of rows."""

    def __len__(self) -> int: ...

    def add(self, x: Tensor, y: Tensor) -> None:
        """New rows have been learned from."""

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """`count` rows of those held."""


class Sampler(Protocol):
    """How a batch is mixed."""

    def mix(self, x: Tensor, y: Tensor, replay: Replay) -> tuple[Tensor, Tensor]:
        """The rows of a step, of new ones and of what the memory holds."""


class Scheduler(Protocol):
    """The rate, in shares of the optimiser's own."""

    def rate(self, step: int) -> float:
        """Of the step with this number, from 0."""


class Optim(Protocol):
    """Steps."""

    def step(self, weights: Sequence[Tensor], grads: Sequence[Tensor], rate: float) -> None:
        """Change the weights in place."""


class Network:
    """784 inputs, 256 rectified units, 10 scores: matrices (out, in) and biases (out,)."""

    def __init__(self, draws: torch.Generator) -> None:
        self.weights = []
        for inputs, outputs in ((784, HIDDEN), (HIDDEN, CLASSES)):
            matrix = torch.randn(outputs, inputs, generator=draws) * math.sqrt(2 / inputs)
            self.weights += [matrix.requires_grad_(), torch.zeros(outputs, requires_grad=True)]

    def __call__(self, x: Tensor) -> Tensor:
        first, shift, second, last = self.weights
        return linear(linear(x, first, shift).relu(), second, last)


class Elastic:
    """Elastic weight consolidation (Kirkpatrick et al. 2017, arXiv:1612.00796, equation 3), its
    diagonal the squared gradients of ten batches of 256, added up over tasks."""

    def __init__(self, strength: float = 1.0) -> None:
        self.strength = strength
        self.before: list[Tensor] = []
        self.importance: list[Tensor] = []

    def penalty(self, weights: Sequence[Tensor]) -> Tensor | None:
        if not self.before:
            return None
        held = zip(self.importance, weights, self.before, strict=True)
        return self.strength * torch.stack([(i * (w - b) ** 2).sum() for i, w, b in held]).sum()

    def end_task(self, network: Network, x: Tensor, y: Tensor) -> None:
        importance = self.importance or [torch.zeros_like(w) for w in network.weights]
        batches = list(zip(x.split(256), y.split(256), strict=True))[:10]
        for rows, labels in batches:
            loss = cross_entropy(network(rows), labels)
            grads = torch.autograd.grad(loss, network.weights)
            importance = [i + g**2 / len(batches) for i, g in zip(importance, grads, strict=True)]
        self.importance = importance
        self.before = [weight.detach().clone() for weight in network.weights]


class Reservoir:
    """A fair sample of all rows so far (Vitter 1985, algorithm R)."""

    def __init__(self, draws: torch.Generator, capacity: int = 2000) -> None:
        self.draws, self.capacity, self.seen = draws, capacity, 0
        self.x = torch.zeros(capacity, 784)
        self.y = torch.zeros(capacity, dtype=torch.int64)

    def __len__(self) -> int:
        return min(self.seen, self.capacity)

    def add(self, x: Tensor, y: Tensor) -> None:
        for row, label in zip(x, y, strict=True):
            at = self.seen
            if at >= self.capacity:
                at = int(torch.randint(self.seen + 1, (1,), generator=self.draws))
            self.seen += 1
            if at < self.capacity:
                self.x[at], self.y[at] = row, label

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(self), (count,), generator=self.draws)
        return self.x[rows], self.y[rows]


class Halves:
    """Half a batch from the memory, once that holds a thousand rows; the rest new."""

    def __init__(self, after: int = 1000) -> None:
        self.after = after

    def mix(self, x: Tensor, y: Tensor, replay: Replay) -> tuple[Tensor, Tensor]:
        if len(replay) < self.after:
            return x, y
        kept = BATCH // 2
        old_x, old_y = replay.draw(BATCH - kept)
        return torch.cat((x[:kept], old_x)), torch.cat((y[:kept], old_y))


class WarmCosine:
    """A linear warm-up, then a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5).

    The shares of the run are theirs: of 4,690 steps, 500 to warm up, and a cosine that would reach
    zero at step 10,000.
    """

    def __init__(self, steps: int) -> None:
        self.warm = max(1, round(steps * 500 / 4690))
        self.end = max(self.warm + 1, round(steps * 10000 / 4690))

    def rate(self, step: int) -> float:
        if step < self.warm:
            return step / self.warm
        return 0.5 * (1 + math.cos(math.pi * (step - self.warm) / (self.end - self.warm)))


class Momentum:
    """Stochastic gradient descent with momentum and weight decay."""

    def __init__(self, lr: float = 0.1, momentum: float = 0.9, decay: float = 5e-4) -> None:
        self.lr, self.momentum, self.decay = lr, momentum, decay
        self.velocity: list[Tensor] = []

    @torch.no_grad()
    def step(self, weights: Sequence[Tensor], grads: Sequence[Tensor], rate: float) -> None:
        self.velocity = self.velocity or [torch.zeros_like(weight) for weight in weights]
        for weight, grad, velocity in zip(weights, grads, self.velocity, strict=True):
            velocity.mul_(self.momentum).add_(grad + self.decay * weight)
            weight.sub_(self.lr * rate * velocity)


@dataclass
class Modules:
    """The five modules."""

    regularizer: Regularizer
    replay: Replay
    sampler: Sampler
    scheduler: Scheduler
    optim: Optim


def default_modules(steps: int, seed: int) -> Modules:
    """What they start from: EWC, a reservoir of 2,000 rows, half a batch from it, a warm-up and a
    cosine over so many `steps`, and momentum."""
    memory = Reservoir(torch.Generator().manual_seed(seed))
    return Modules(Elastic(), memory, Halves(), WarmCosine(steps), Momentum())


class Modular:
    """A network that five modules train."""

    def __init__(self, modules: Modules, seed: int) -> None:
        self.modules, self.steps = modules, 0
        self.network = Network(torch.Generator().manual_seed(seed))

    def learn(self, x: Tensor, y: Tensor) -> None:
        modules, weights = self.modules, self.network.weights
        rows, labels = modules.sampler.mix(x, y, modules.replay)
        loss = cross_entropy(self.network(rows), labels)
        penalty = modules.regularizer.penalty(weights)
        loss = loss if penalty is None else loss + penalty
        grads = torch.autograd.grad(loss, weights)
        modules.optim.step(weights, grads, modules.scheduler.rate(self.steps))
        modules.replay.add(x, y)
        self.steps += 1

    def end_task(self, x: Tensor, y: Tensor) -> None:
        self.modules.regularizer.end_task(self.network, x, y)

    @torch.no_grad()
    def scores(self, x: Tensor) -> Tensor:
        return self.network(x)
