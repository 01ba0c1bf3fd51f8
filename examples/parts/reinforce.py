"""A control part: actions that paid more than usual become likelier (Williams 1992, eq. 11).

For steps whose reward comes at once; the logits are pushed by way of the squared error.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.part import PartsLearner, Transition

CARD = {
    "name": "reinforce",
    "role": "control",
    "title": "REINFORCE with a baseline",
    "paper": "Williams 1992, doi:10.1007/BF00992696",
    "year": 1992,
    "claim": "Reward times the gradient of the log-probability climbs the mean reward.",
    "measured": "",
    "knobs": {
        "push": {"default": 1.0, "range": [0.1, 10.0], "scale": "log", "type": "float"},
        "slow": {"default": 0.95, "range": [0.5, 0.99], "scale": "linear", "type": "float"},
    },
    "tags": ["policy"],
    "kinds": ["control"],
    "networks": ["any"],
    "skeletons": ["control"],
}


class Reinforce:
    """push: how far a reward of one moves the logits. slow: of the average reward."""

    kinds = ("control",)

    def __init__(self, push: float = 1.0, slow: float = 0.95) -> None:
        self.push, self.slow, self.usual = push, slow, 0.0

    def build(self, learner: PartsLearner) -> None:
        self.generator = learner.generator()

    def act(self, learner: PartsLearner, values: Tensor) -> Tensor:
        chances = values.softmax(1).cpu()
        drawn = torch.multinomial(chances, 1, generator=self.generator)[:, 0]
        return drawn.to(values.device)

    def feedback(self, learner: PartsLearner, step: Transition) -> None:
        with torch.no_grad():
            logits = learner.forward(step.observations)[1]
            toward = F.one_hot(step.actions, logits.shape[1]) - logits.softmax(1)
            gain = (step.rewards - self.usual)[:, None]
        self.usual += (1.0 - self.slow) * float(step.rewards.mean() - self.usual)
        learner.learn(step.observations, logits + self.push * gain * toward)
