"""A learner made of parts that learns to learn: each batch of its stream is one small task.

While `spec.episodic`, a task is fitted (`adapt`) and the start of the next moves (`meta_step`);
after `new_episode`, or where tasks are not small, batches are learned as a stream learner does.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

import torch
from parts.backprop import Backprop
from parts.mlp import MLP
from parts.reptile import Reptile
from parts.sgd import SGD
from parts.skeleton import Skeleton
from parts.task_loss import TaskLoss
from torch import Tensor

from cambrian.agents.contract import TaskSpec

PARTS_PROTOCOL = 3
SKELETON = "meta"


@dataclass
class Knobs:
    lr: float = 0.05
    steps: int = 1


RANGES = {
    "lr": (0.005, 0.3, "log"),
    "steps": (1, 3, "int"),
}


class Learner(Skeleton):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        self.lr, self.steps = self.knobs.lr, self.knobs.steps
        self.parts = [
            MLP(hidden=96, gain=1.7),
            TaskLoss(),
            Backprop(),
            SGD(),
            Reptile(),
        ]
        self.start: list[Tensor] | None = None
        self.assemble()

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        x = x.reshape(len(x), -1)
        if not self.spec.episodic or self.start is not None:
            self.learn(x, y, task)
            return
        start = [weight.detach().clone() for weight in self.weights]
        self.task, seen = task, self.clock.seen
        self.only("adapt")(self, x, y, None)
        self.clock.seen = seen + len(x)  # of the stream, however often the task was gone over
        with torch.no_grad():
            self.only("meta_step")(self, start)

    def adapt(self, x: Tensor, y: Tensor, steps: int | None = None) -> Self:
        """A copy fitted to a support set by the part of role meta; this one stays as it is."""
        fitted = copy.deepcopy(self)
        fitted.only("adapt")(fitted, x.reshape(len(x), -1), y, steps)
        return fitted

    def new_episode(self) -> None:
        """Back to where a task starts from, weights and rate."""
        with torch.no_grad():
            if self.start is None:
                self.start = [weight.detach().clone() for weight in self.weights]
            torch._foreach_copy_(self.weights, self.start)
        self.lr = self.knobs.lr
        for episode in self.hooks("episode"):
            episode(self)
