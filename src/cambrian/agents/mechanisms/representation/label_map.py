"""A map from what is seen to what it is called, which follows names that swap.

Goldberger and Ben-Reuven 2017, "Training Deep Neural-Networks Using a Noise Adaptation Layer":
between the network's latent classes and the labels stands a table of how often each class got each
label. Here the table follows the latest labels and is read as a permutation: two classes swap names
when each lately carries the other's, while the rest of the stream is still understood. The network,
the memories and the other heads learn latent classes, so that a swap costs them nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.part import PartsLearner

CARD = {
    "name": "label_map",
    "role": "labels",
    "title": "label map (adaptation layer)",
    "paper": "Goldberger and Ben-Reuven 2017, openreview H12GRgcxg; Sukhbaatar et al. 2015, "
    "arXiv:1406.2080",
    "year": 2017,
    "claim": "Separating what a thing is from what it is called makes a change of names a change "
    "of one small table.",
    "measured": "label-drift: replay 0.52 -> 0.74, with a class-mean head 0.84 (best constant "
    "rate without it: 0.58)",
    "knobs": {
        "speed": {"default": 0.6, "range": [0.2, 0.9], "scale": "linear", "type": "float"},
        "trust": {"default": 0.4, "range": [0.2, 0.8], "scale": "linear", "type": "float"},
        "margin": {"default": 0.1, "range": [0.0, 0.4], "scale": "linear", "type": "float"},
    },
    "tags": ["drift"],
    "kinds": ["classification", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class LabelMap:
    """speed: how much one sample moves its class's row of the table.

    trust: a swap needs at least this mean probability on the names of all other classes in the
    batch: where nothing is understood (a new domain, new classes), names are not the trouble.
    margin: how much likelier than their own name the other's must be for both classes.
    """

    kinds = ("classification", "active")

    def __init__(self, speed: float = 0.6, trust: float = 0.4, margin: float = 0.1) -> None:
        self.speed, self.trust, self.margin = speed, trust, margin

    def build(self, learner: PartsLearner) -> None:
        classes = learner.spec.outputs
        self.table = torch.eye(classes, device=learner.device)
        self.label_of = torch.arange(classes, device=learner.device)
        self.class_of = torch.arange(classes, device=learner.device)

    @torch.no_grad()
    def targets(self, learner: PartsLearner, heads: list[Tensor], y: Tensor) -> Tensor:
        chances = learner.ensemble(heads).exp()
        count = chances.sum(0)
        joint = chances.T @ F.one_hot(y, len(count)).to(chances.dtype)
        share = (1.0 - (1.0 - self.speed) ** count)[:, None]
        self.table += share * (joint / count.clamp(min=1e-6)[:, None] - self.table)
        self._swap(chances, y)
        return self.class_of[y]

    def decode(self, learner: PartsLearner, scores: Tensor) -> Tensor:
        return scores[:, self.class_of]

    def _swap(self, chances: Tensor, y: Tensor) -> None:
        """Swap the names of the pair that gains most, if both sides gain enough."""
        carries = self.table[:, self.label_of]  # [a, b]: how much class a carries b's name
        gain = carries - carries.diagonal()[:, None]
        both = torch.minimum(gain, gain.T)
        pair = torch.tensor(divmod(int(both.argmax()), len(both)), device=y.device)
        if both[pair[0], pair[1]] <= self.margin:
            return
        known = self.class_of[y]
        others = ~torch.isin(known, pair)
        hits = chances.gather(1, known[:, None])[others]
        if len(hits) and float(hits.mean()) > self.trust:
            self.label_of[pair] = self.label_of[pair.flip(0)]
            self.class_of[self.label_of] = torch.arange(len(both), device=y.device)
