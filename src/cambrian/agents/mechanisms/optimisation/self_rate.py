"""A learning rate that regulates itself.

rule "homeostatic": Man et al. 2022, "Need is All You Need: Homeostatic Neural Networks Adapt to
Concept Shift": two futures are simulated on recent samples; if the changed rate does better, the
rate moves in the direction that the true label stands for (labels are its food and its poison).
rule "surprise": the rate rises while the recent loss exceeds its slow average, and relaxes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.agents.part import Batch, PartsLearner

CARD = {
    "name": "self_rate",
    "role": "rate",
    "title": "self-regulated learning rate",
    "paper": "Man et al. 2022, arXiv:2205.08645",
    "year": 2022,
    "claim": "A learner whose own rate depends on its labels adapts faster where labels drift.",
    "measured": "label drift, 50 swaps an epoch: constant rate 0.170 -> 0.444; random regulation "
    "0.413 and a tuned constant 0.638, so most of it is the higher rate",
    "knobs": {
        "rule": {"default": "surprise", "choices": ["surprise", "homeostatic"], "type": "choice"},
        "step": {"default": 0.5, "range": [0.05, 2.0], "scale": "log", "type": "float"},
        "most": {"default": 8.0, "range": [2.0, 16.0], "scale": "log", "type": "float"},
        "slow": {"default": 0.99, "range": [0.9, 0.999], "scale": "linear", "type": "float"},
    },
    "tags": ["rate", "drift"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class SelfRate:
    """The rate stays within base/most and base*most, where base is the rate at the start.

    Where there are no labels, the rule is that of surprise.
    step: homeostatic, the change as a share of base; surprise, the exponent of fast/slow loss.
    """

    def __init__(
        self, rule: str = "surprise", step: float = 0.5, most: float = 8.0, slow: float = 0.99
    ) -> None:
        self.rule, self.step, self.most, self.slow = rule, step, most, slow
        self.fast_loss = self.slow_loss = 0.0

    def build(self, learner: PartsLearner) -> None:
        self.base = learner.lr
        self.x = torch.zeros(0, learner.spec.inputs, device=learner.device)
        self.y = learner.targets_like(0)

    def gradients(self, learner: PartsLearner, batch: Batch, grads: list[Tensor]) -> list[Tensor]:
        if self.rule != "homeostatic" or not learner.labelled:
            return grads
        self.x = torch.cat((self.x, batch.x[: batch.new]))[-20:]
        self.y = torch.cat((self.y, batch.y[: batch.new]))[-20:]
        half = learner.spec.outputs / 2
        guess = bool(batch.logits[batch.new - 1].argmax() >= half)
        rate = self._limit(learner.lr + (1 if guess else -1) * self.step * self.base)
        if self._fit(learner, grads, rate) > self._fit(learner, grads, learner.lr):
            truth = bool(self.y[-1] >= half)
            learner.lr = self._limit(learner.lr + (1 if truth else -1) * self.step * self.base)
        return grads

    def after_step(self, learner: PartsLearner, batch: Batch, loss: Tensor) -> None:
        if self.rule != "surprise" and learner.labelled:
            return
        value = min(float(loss), 20.0)
        self.fast_loss += 0.2 * (value - self.fast_loss)
        self.slow_loss += (1.0 - self.slow) * (value - self.slow_loss)
        ratio = max(self.fast_loss, 1e-6) / max(self.slow_loss, 1e-6)
        wanted = self._limit(self.base * min(ratio, 1e6) ** self.step)
        learner.lr += 0.5 * (wanted - learner.lr)

    def _limit(self, rate: float) -> float:
        base: float = self.base
        return min(max(rate, base / self.most), base * self.most)

    def _fit(self, learner: PartsLearner, grads: list[Tensor], rate: float) -> int:
        """How many of the recent samples are right after a step with this rate."""
        future = [w - rate * g for w, g in zip(learner.weights, grads, strict=True)]
        return int((learner.forward(self.x, future)[1].argmax(1) == self.y).sum())
