"""Error backpropagation: the exact gradient of the loss.

Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors".
"""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.agents.part import Batch, PartsLearner

CARD = {
    "name": "backprop",
    "role": "update",
    "title": "backpropagation",
    "paper": "Rumelhart, Hinton and Williams 1986, doi:10.1038/323533a0",
    "year": 1986,
    "claim": "One pass back through the network gives the derivative by every weight.",
    "measured": "split-mnist, plain: 0.194",
    "knobs": {},
    "tags": ["gradient"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class Backprop:
    def update(self, learner: PartsLearner, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        loss = learner.objective(batch)
        return loss, list(torch.autograd.grad(loss, learner.trained, materialize_grads=True))
