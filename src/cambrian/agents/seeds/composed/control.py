"""A learner made of parts that acts: E environments at once, a part learns from what follows.

The network gives a value for each action; the part of role control chooses among them (`act`) and
makes batches of what is to be learned of a step (`feedback`), which go through all other parts.
"""

from __future__ import annotations

from dataclasses import dataclass

from parts.backprop import Backprop
from parts.mlp import MLP
from parts.q_learning import QLearning
from parts.sgd import SGD
from parts.skeleton import Skeleton
from parts.task_loss import TaskLoss
from torch import Tensor

from cambrian.agents.contract import TaskSpec
from cambrian.agents.part import Transition

PARTS_PROTOCOL = 3
SKELETON = "control"


@dataclass
class Knobs:
    lr: float = 0.1
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
            MLP(hidden=96),
            TaskLoss(),
            Backprop(),
            SGD(),
            QLearning(),
        ]
        self.last: tuple[Tensor, Tensor] | None = None
        self.assemble()

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        self.learn(x.reshape(len(x), -1), y, task)

    def act(self, observations: Tensor) -> Tensor:
        """Actions (E,) int64, or (E, *action_shape) float32, for observations (E, *input_shape)."""
        flat = observations.reshape(len(observations), -1)
        actions: Tensor = self.only("act")(self, self.answer(flat))
        self.last = flat.clone(), actions
        return actions if self.spec.actions else actions.view(-1, *self.spec.action_shape)

    def feedback(
        self, rewards: Tensor, terminated: Tensor, truncated: Tensor, next_observations: Tensor
    ) -> None:
        """What the last actions earned: rewards, terminated, truncated (E,), and what is seen
        next (E, *input_shape).

        Raises:
            RuntimeError: there was no action.
        """
        if self.last is None:
            raise RuntimeError("expected `act` before `feedback`")
        flat = next_observations.reshape(len(next_observations), -1)
        step = Transition(*self.last, rewards, terminated, truncated, flat)
        self.last = None
        self.only("feedback")(self, step)
