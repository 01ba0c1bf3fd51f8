"""A network: layers that add to what they were given (He et al. 2016, arXiv:1512.03385, eq. 1)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.part import PartsLearner

CARD = {
    "name": "residual",
    "role": "network",
    "title": "residual network",
    "paper": "He et al. 2016, arXiv:1512.03385",
    "year": 2016,
    "claim": "Layers that learn a difference can be stacked deep and still be trained.",
    "measured": "",
    "knobs": {
        "hidden": {"default": 128, "range": [64, 256], "scale": "log", "type": "int"},
        "blocks": {"default": 2, "range": [1, 6], "scale": "log", "type": "int"},
    },
    "tags": ["network", "deep"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class Residual:
    def __init__(self, hidden: int = 128, blocks: int = 2) -> None:
        self.hidden, self.blocks = hidden, blocks

    def network(self, learner: PartsLearner) -> list[Tensor]:
        chance, weights = learner.generator(), []
        ends = [(learner.spec.inputs, self.hidden), *[(self.hidden, self.hidden)] * self.blocks]
        for fan_in, fan_out in [*ends, (self.hidden, learner.width)]:
            weight = torch.randn(fan_out, fan_in, generator=chance) * fan_in**-0.5
            weights += [weight.to(learner.device), torch.zeros(fan_out, device=learner.device)]
        return weights

    def run_layers(
        self, learner: PartsLearner, x: Tensor, weights: list[Tensor]
    ) -> Iterator[Tensor]:
        yield x
        x = F.linear(x, weights[0], weights[1])
        for layer in range(2, len(weights) - 2, 2):
            rows = x.relu()
            yield rows
            x = x + F.linear(rows, weights[layer], weights[layer + 1])
        yield x
        yield F.linear(x, weights[-2], weights[-1])
