"""A meta part: one step on each task in turn, so that the start is what fits them all at once.

The baseline that Chen et al. 2019 (arXiv:1904.04232) hold meta-learning against.
"""

from __future__ import annotations

from torch import Tensor

from cambrian.agents.part import PartsLearner

CARD = {
    "name": "joint_start",
    "role": "meta",
    "title": "joint training, then fine-tuning",
    "paper": "Chen et al. 2019, arXiv:1904.04232",
    "year": 2019,
    "claim": "Training on all tasks as one, and fine-tuning on the one at hand, is hard to beat.",
    "measured": "",
    "knobs": {
        "passes": {"default": 1, "range": [1, 5], "scale": "log", "type": "int"},
        "adaptation": {"default": 16, "range": [4, 40], "scale": "log", "type": "int"},
    },
    "tags": ["meta-learning"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["meta"],
}


class JointStart:
    """passes: over a task of the stream. adaptation: over a support set, if nobody says."""

    def __init__(self, passes: int = 1, adaptation: int = 16) -> None:
        self.passes, self.adaptation = passes, adaptation

    def build(self, learner: PartsLearner) -> None:
        self.learning = learner.spec.episodic

    def adapt(self, learner: PartsLearner, x: Tensor, y: Tensor, steps: int | None) -> None:
        own = self.passes if self.learning else self.adaptation
        for _ in range(own if steps is None else steps):
            learner.learn(x, y, learner.task)

    def meta_step(self, learner: PartsLearner, start: list[Tensor]) -> None:
        """Stay where the task has led: the next one starts from there."""

    def episode(self, learner: PartsLearner) -> None:
        self.learning = False
