"""A head: a Gaussian for each class and input, beside the network (Domingos and Pazzani 1997)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.part import PartsLearner

CARD = {
    "name": "naive_bayes",
    "role": "head",
    "title": "naive Bayes head",
    "paper": "Domingos and Pazzani 1997, doi:10.1023/A:1007413511361",
    "year": 1997,
    "claim": "Inputs that are taken one by one make a classifier that learns from few samples and "
    "forgets none.",
    "measured": "",
    "knobs": {
        "width": {"default": 0.3, "range": [0.05, 2.0], "scale": "log", "type": "float"},
        "weight": {"default": 0.5, "range": [0.1, 0.9], "scale": "linear", "type": "float"},
    },
    "tags": ["head"],
    "kinds": ["classification", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta"],
}


class NaiveBayes:
    """width: the least standard deviation. weight: the head's share of the answer."""

    kinds = ("classification", "active")

    def __init__(self, width: float = 0.3, weight: float = 0.5) -> None:
        self.width, self.weight = width, weight

    def build(self, learner: PartsLearner) -> None:
        shape = learner.spec.outputs, learner.spec.inputs
        self.count = torch.zeros(shape[0], 1, device=learner.device)
        self.sum, self.squares = (torch.zeros(shape, device=learner.device) for _ in range(2))

    def on_batch(self, learner: PartsLearner, x: Tensor, y: Tensor) -> None:
        labels = F.one_hot(y, len(self.count)).to(x.dtype).T
        self.count += labels.sum(1, keepdim=True)
        self.sum, self.squares = self.sum + labels @ x, self.squares + labels @ x.square()

    def head_logits(self, learner: PartsLearner, x: Tensor, features: Tensor) -> Tensor:
        mean = self.sum / self.count.clamp(min=1)
        variance = (self.squares / self.count.clamp(min=1) - mean.square()).clamp(min=0)
        normal = torch.distributions.Normal(mean, (variance + self.width**2).sqrt())
        scores = normal.log_prob(x[:, None]).sum(2) + self.count[:, 0].clamp(min=1e-3).log()
        return scores.log_softmax(1).clamp(min=-12.0)
