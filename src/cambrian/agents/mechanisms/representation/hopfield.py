"""A modern Hopfield memory as a second head: stored keys vote with their labels.

Ramsauer et al. 2021, "Hopfield Networks is All You Need", eq. 3: the retrieved label of a query q
is Y softmax(beta K^T q). Keys are first in, first out per class, so that the memory follows
a drift.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.part import PartsLearner, sized

CARD = {
    "name": "hopfield",
    "role": "head",
    "title": "Hopfield memory head",
    "paper": "Ramsauer et al. 2021, arXiv:2008.02217",
    "year": 2021,
    "claim": "One softmax over stored patterns retrieves them; a handful of keys per class is a "
    "classifier that needs no training.",
    "measured": "split-mnist 0.191 -> 0.812 on random features with 20 keys per class; 0.346 on "
    "features trained on the first two classes",
    "knobs": {
        "keys": {"default": 20, "range": [4, 50], "scale": "log", "type": "int"},
        "beta": {"default": 30.0, "range": [5.0, 120.0], "scale": "log", "type": "float"},
        "recency": {"default": 0.0, "range": [0.0, 0.5], "scale": "linear", "type": "float"},
        "source": {"default": "input", "choices": ["input", "network"], "type": "choice"},
        "weight": {"default": 0.5, "range": [0.1, 0.9], "scale": "linear", "type": "float"},
    },
    "tags": ["memory", "head", "drift"],
    "kinds": ["classification", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class Hopfield:
    """Holds the latest `keys` patterns of each class, centred and of length one.

    recency: how much log-weight a key loses for every newer key of its class.
    source: patterns are the inputs, or the network's features of the stored inputs.
    weight: the head's share of the answer.
    """

    kinds = ("classification", "active")

    def __init__(
        self,
        keys: int = 20,
        beta: float = 30.0,
        recency: float = 0.0,
        source: str = "input",
        weight: float = 0.5,
    ) -> None:
        self.keys, self.beta, self.recency = keys, beta, recency
        self.source, self.weight = source, weight

    def holds(self, learner: PartsLearner, share: float) -> float:
        row = learner.spec.inputs
        if self.source == "network":
            row += learner.features(share)
        return 4.0 * sized(self.keys, share) * learner.spec.outputs * row

    def build(self, learner: PartsLearner) -> None:
        self.keys = sized(self.keys, learner.share)
        classes, inputs = learner.spec.outputs, learner.spec.inputs
        self.stored = torch.zeros(classes * self.keys, inputs, device=learner.device)
        self.bias = torch.full((classes * self.keys,), -torch.inf, device=learner.device)
        self.count = [0] * classes
        self.mean = torch.zeros(inputs, device=learner.device)
        if self.source == "network":
            self.keyed = learner.forward(self.stored)[0].detach()
        self.seen = self.batches = 0

    def on_batch(self, learner: PartsLearner, x: Tensor, y: Tensor) -> None:
        self.seen += len(x)
        self.batches += 1
        features = None
        if self.source == "network":  # a network moves slowly: all keys anew now and then
            if self.batches % 20 == 0:
                self.keyed = learner.forward(self.stored)[0].detach()
            features = learner.forward(x)[0].detach()
        self.mean += (x - self.mean).sum(0) / self.seen
        for row, label in enumerate(y.tolist()):
            block = slice(label * self.keys, (label + 1) * self.keys)
            self.bias[block] -= self.recency
            slot = label * self.keys + self.count[label] % self.keys
            self.stored[slot], self.bias[slot] = x[row], 0.0
            if features is not None:
                self.keyed[slot] = features[row]
            self.count[label] += 1

    def head_logits(self, learner: PartsLearner, x: Tensor, features: Tensor) -> Tensor:
        classes = len(self.count)
        if not self.seen:
            return x.new_full((len(x), classes), 1.0 / classes).log()
        if self.source == "network":
            keys = self.keyed
            centre = keys.mean(0)
        else:
            keys, centre, features = self.stored, self.mean, x
        keys, queries = F.normalize(keys - centre), F.normalize(features - centre)
        attention = (self.beta * queries @ keys.T + self.bias).softmax(1)
        shares = attention.view(len(x), classes, self.keys).sum(2)
        return (0.99 * shares + 0.01 / classes).log()
