"""A memory: the latest samples, drawn from at every step (Lin 1992, doi:10.1007/BF00992699)."""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.agents.part import Batch, PartsLearner

CARD = {
    "name": "window",
    "role": "memory",
    "title": "window replay",
    "paper": "Lin 1992, doi:10.1007/BF00992699",
    "year": 1992,
    "claim": "What was seen lately is worth seeing again, and soon out of date.",
    "measured": "",
    "knobs": {
        "capacity": {"default": 200, "range": [50, 500], "scale": "log", "type": "int"},
        "batch": {"default": 16, "range": [8, 64], "scale": "log", "type": "int"},
    },
    "tags": ["replay", "drift"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class Window:
    """Holds as many samples as it may, at most `capacity`."""

    def __init__(self, capacity: int = 200, batch: int = 16) -> None:
        self.capacity, self.batch = capacity, batch

    def build(self, learner: PartsLearner) -> None:
        row = 4 * learner.spec.inputs + learner.targets_like(1).nbytes
        self.room = max(1, learner.claim(self.capacity * row) // row)
        self.x = torch.zeros(0, learner.spec.inputs, device=learner.device)
        self.y, self.generator = learner.targets_like(0), learner.generator()

    def replay(self, learner: PartsLearner, batch: Batch) -> None:
        if len(self.x):
            rows = torch.randint(0, len(self.x), (self.batch,), generator=self.generator)
            batch.add(self.x[rows.to(self.x.device)], self.y[rows.to(self.x.device)], 1.0)

    def after_batch(self, learner: PartsLearner, batch: Batch) -> None:
        self.x = torch.cat((self.x, batch.x[: batch.new]))[-self.room :].clone()
        self.y = torch.cat((self.y, batch.y[: batch.new]))[-self.room :].clone()

    def forget(self, learner: PartsLearner, x: Tensor, y: Tensor) -> None:
        kept = ~(self.x[:, None] == x).all(2).any(1)
        self.x, self.y = self.x[kept], self.y[kept]
