"""A stream learner made of parts: batches are observed and answered, one after the other.

What the parts may do, hook by hook, says `cambrian.agents.part.Part`; how they are run,
`parts/skeleton.py`. The list is what there is to change: parts can be added, taken out, put in the
place of others and written anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from parts.backprop import Backprop
from parts.mlp import MLP
from parts.reservoir import Reservoir
from parts.sgd import SGD
from parts.skeleton import Skeleton
from parts.task_loss import TaskLoss
from torch import Tensor

from cambrian.agents.contract import TaskSpec

PARTS_PROTOCOL = 3
SKELETON = "stream"


@dataclass
class Knobs:
    lr: float = 0.2
    steps: int = 1  # gradient steps per batch; a part that replays rows draws anew at each


RANGES = {
    "lr": (0.01, 0.3, "log"),
    "steps": (1, 3, "int"),
}


class Learner(Skeleton):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        self.lr, self.steps = self.knobs.lr, self.knobs.steps
        self.parts = [
            MLP(),
            TaskLoss(),
            Backprop(),
            SGD(),
            Reservoir(capacity=200),
        ]
        self.assemble()

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        self.learn(x.reshape(len(x), -1), y, task)
