"""Q-learning with a buffer of steps: values follow rewards and the best that comes next.

Watkins and Dayan 1992, "Q-learning"; with replay and a network of values as Mnih et al. 2015,
"Human-level control through deep reinforcement learning", algorithm 1, and, against values that
feed on their own errors, a second network that follows slowly (Lillicrap et al. 2016).
"""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.agents.part import Batch, PartsLearner, Transition

CARD = {
    "name": "q_learning",
    "role": "control",
    "title": "Q-learning with replay",
    "paper": "Watkins and Dayan 1992, doi:10.1007/BF00992698; Mnih et al. 2015, "
    "doi:10.1038/nature14236; target: Lillicrap et al. 2016, arXiv:1509.02971",
    "year": 1992,
    "claim": "The value of an action can be learned from any step of the past, whoever chose it.",
    "measured": "",
    "knobs": {
        "capacity": {"default": 2000, "range": [200, 10000], "scale": "log", "type": "int"},
        "batch": {"default": 32, "range": [8, 128], "scale": "log", "type": "int"},
        "explore": {"default": 0.1, "range": [0.01, 0.3], "scale": "log", "type": "float"},
        "follow": {"default": 0.05, "range": [0.005, 0.5], "scale": "log", "type": "float"},
        "discount": {"default": 0.95, "range": [0.8, 0.995], "scale": "linear", "type": "float"},
    },
    "tags": ["value", "replay"],
    "kinds": ["control"],
    "networks": ["any"],
    "skeletons": ["control"],
}


class QLearning:
    """capacity: steps kept, fewer where memory is short. batch: steps replayed after each.

    explore: the share of random actions, after a start that is all random. follow: how far the
    slow network goes at each step. discount: of its own, where the
    benchmark's is not lower.
    """

    kinds = ("control",)

    def __init__(
        self,
        capacity: int = 2000,
        batch: int = 32,
        explore: float = 0.1,
        follow: float = 0.05,
        discount: float = 0.95,
    ) -> None:
        self.capacity, self.batch, self.explore = capacity, batch, explore
        self.follow, self.discount = follow, discount

    def build(self, learner: PartsLearner) -> None:
        inputs, device = learner.spec.inputs, learner.device
        if not learner.spec.actions:
            raise ValueError("q_learning: expected a task with discrete actions; got continuous")
        self.discount = min(self.discount, learner.spec.discount)
        self.slow = [weight.detach().clone() for weight in learner.weights]
        learner.claim(sum(weight.nbytes for weight in self.slow))
        row = 4 * (2 * inputs + 4)
        self.capacity = max(1, learner.claim(self.capacity * row) // row)
        self.steps = torch.zeros(self.capacity, 2 * inputs + 3, device=device)
        self.seen, self.generator = 0, learner.generator()

    def act(self, learner: PartsLearner, values: Tensor) -> Tensor:
        luck = torch.rand(len(values), generator=self.generator)
        chance = torch.randint(0, values.shape[1], (len(values),), generator=self.generator)
        explore = max(self.explore, 1.0 - self.seen / 500)
        best = values.argmax(1)
        return torch.where((luck < explore).to(best.device), chance.to(best.device), best)

    def feedback(self, learner: PartsLearner, step: Transition) -> None:
        numbers = [step.actions.float(), step.rewards.float(), step.terminated.float()]
        rows = torch.cat(
            (step.observations, step.next_observations, torch.stack(numbers, 1)), dim=1
        )
        slots = (self.seen + torch.arange(len(rows))) % self.capacity
        self.steps[slots.to(rows.device)] = rows
        self.seen += len(rows)
        held = min(self.seen, self.capacity)
        drawn = torch.randint(0, held, (self.batch,), generator=self.generator)
        learner.learn(*self._lesson(learner, self.steps[drawn.to(rows.device)]))

    def after_step(self, learner: PartsLearner, batch: Batch, loss: Tensor) -> None:
        torch._foreach_lerp_(self.slow, [w.detach() for w in learner.weights], self.follow)

    @torch.no_grad()
    def _lesson(self, learner: PartsLearner, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Observations, and the values (R, outputs) they should have: as they are, but for the
        action taken, where it is the reward and the discounted best of what came next."""
        inputs = learner.spec.inputs
        x, following = rows[:, :inputs], rows[:, inputs : 2 * inputs]
        actions, rewards, ended = rows[:, -3].long(), rows[:, -2], rows[:, -1]
        best = learner.forward(following, self.slow)[1].max(1).values
        values = learner.forward(x)[1].clone()
        worth = rewards + self.discount * (1.0 - ended) * best
        values[torch.arange(len(x)), actions] = worth
        return x, values
