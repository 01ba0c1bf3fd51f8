"""A class-mean head: streaming linear discriminant analysis beside the network.

Hayes and Kanan 2020, "Lifelong Machine Learning with Deep Streaming Linear Discriminant Analysis":
class means and one shared covariance, updated sample by sample; here with forgetting per class.
The random features are those of Rahimi and Recht 2008 with signs as projections.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.part import PartsLearner, sized

CARD = {
    "name": "class_mean",
    "role": "head",
    "title": "class-mean head (streaming LDA)",
    "paper": "Hayes and Kanan 2020, arXiv:1909.01520",
    "year": 2020,
    "claim": "Class means with a shared covariance need no gradient, so they cannot forget; on "
    "fixed features they follow new classes and, with forgetting, new labels.",
    "measured": "split-mnist 0.194 -> 0.920 on 1000 frozen random ReLU features",
    "knobs": {
        "features": {"default": 400, "range": [100, 500], "scale": "log", "type": "int"},
        "source": {"default": "random", "choices": ["random", "network"], "type": "choice"},
        "forgetting": {"default": 0.0, "range": [0.0, 0.3], "scale": "linear", "type": "float"},
        "shrinkage": {"default": 0.03, "range": [0.003, 1.0], "scale": "log", "type": "float"},
        "sharpness": {"default": 0.5, "range": [0.05, 1.0], "scale": "log", "type": "float"},
        "weight": {"default": 0.5, "range": [0.1, 0.9], "scale": "linear", "type": "float"},
    },
    "tags": ["head", "prototypes", "drift"],
    "kinds": ["classification", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class ClassMean:
    """Log-posterior of a Gaussian per class with shared covariance.

    features: how many random ReLU features; fewer where they would take more than a quarter of the
    memory allowed; ignored where the source is the network.
    forgetting: the least share of a new sample in its class's mean; 0 is a plain average.
    shrinkage: share of the covariance that is replaced by a multiple of the identity.
    sharpness: factor on the log-posterior, whose raw confidence is far too high.
    weight: the head's share of the answer.
    """

    kinds = ("classification", "active")

    def __init__(
        self,
        features: int = 400,
        source: str = "random",
        forgetting: float = 0.0,
        shrinkage: float = 0.03,
        sharpness: float = 0.5,
        weight: float = 0.5,
    ) -> None:
        self.features, self.source, self.forgetting = features, source, forgetting
        self.shrinkage, self.sharpness, self.weight = shrinkage, sharpness, weight

    def random_features(self, learner: PartsLearner, share: float) -> int:
        """How many, at a share of their full number."""
        inputs, features = learner.spec.inputs, self.features
        room = learner.spec.memory_bytes / 4 or float("inf")  # leave the rest to other parts
        while features > 50 and features * (8 * features + inputs) > room:
            features -= 10
        return sized(features, share)

    def holds(self, learner: PartsLearner, share: float) -> float:
        if self.source == "network":
            features = learner.features(share)
            return float(4 * features * (2 * features + learner.spec.outputs))
        features = self.random_features(learner, share)
        return float(features * (8 * features + learner.spec.inputs + 4 * learner.spec.outputs))

    def build(self, learner: PartsLearner) -> None:
        inputs, device = learner.spec.inputs, learner.device
        self.features = self.random_features(learner, learner.share)
        if self.source == "network":
            self.features = learner.weights[-2].shape[1]
        else:
            signs = torch.randint(0, 2, (self.features, inputs), generator=learner.generator())
            self.signs = (2 * signs - 1).to(torch.int8).to(device)
            bias = torch.rand(self.features, generator=learner.generator())
            self.bias = (2.0 * bias - 1.0).to(device)
        self.means = torch.zeros(learner.spec.outputs, self.features, device=device)
        self.counts = torch.zeros(learner.spec.outputs, device=device)
        self.scatter = torch.zeros(self.features, self.features, device=device)
        self.precision = torch.eye(self.features, device=device)
        self.total = self.inverted = 0.0

    def on_batch(self, learner: PartsLearner, x: Tensor, y: Tensor) -> None:
        with torch.no_grad():
            phi = self._phi(x, learner.forward(x)[0] if self.source == "network" else x)
        labels = F.one_hot(y, len(self.counts)).to(phi.dtype)
        new = labels.sum(0)
        means = labels.T @ phi / new.clamp(min=1.0)[:, None]
        spread = (self.counts * new / (self.counts + new).clamp(min=1.0)).sqrt()
        rows = torch.cat((phi - means[y], spread[:, None] * (means - self.means)))
        if self.source == "network":  # features move: forget what is 2,000 samples old
            keep = max(0.0, 1.0 - len(x) / 2000)
            self.scatter *= keep
            self.total *= keep
            self.inverted *= keep
        self.scatter.addmm_(rows.T, rows)
        self.total += len(x)
        self.counts += new
        share = new / self.counts.clamp(min=1.0)
        share = torch.maximum(share, 1.0 - (1.0 - self.forgetting) ** new)
        self.means += share[:, None] * (means - self.means)

    def head_logits(self, learner: PartsLearner, x: Tensor, features: Tensor) -> Tensor:
        if self.total > 1.1 * self.inverted:  # the covariance moves slowly, the means do not
            self.precision, self.inverted = self._invert(), self.total
        directions = self.precision @ self.means.T
        heights = 0.5 * (self.means.T * directions).sum(0)
        scores = self.sharpness * (self._phi(x, features) @ directions - heights)
        scores = scores.masked_fill(self.counts == 0, -torch.inf).log_softmax(1)
        return scores.nan_to_num(nan=0.0).clamp(min=-12.0)

    def _phi(self, x: Tensor, features: Tensor) -> Tensor:
        if self.source == "network":
            return features
        scale = 2.0 / x.shape[1] ** 0.5
        return torch.addmm(self.bias, x, self.signs.to(x.dtype).T, alpha=scale).relu_()

    def _invert(self) -> Tensor:
        covariance = self.scatter / max(self.total, 1.0)
        size = covariance.diagonal().mean().clamp(min=1e-6)
        covariance = (1.0 - self.shrinkage) * covariance
        covariance.diagonal().add_(self.shrinkage * size + 1e-6)
        return torch.cholesky_inverse(torch.linalg.cholesky(covariance))
