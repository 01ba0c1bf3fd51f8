"""A gated readout: heads are trusted as they have predicted lately.

Freund and Schapire 1997, "A Decision-Theoretic Generalization of On-Line Learning" (Hedge), with
the log-loss of each head on new data before it learns them, and a fixed share of forgetting as in
Herbster and Warmuth 1998, "Tracking the Best Expert".
"""

from __future__ import annotations

import torch
from torch import Tensor

from cambrian.agents.part import PartsLearner

CARD = {
    "name": "gate",
    "role": "ensemble",
    "title": "gated readout (Hedge)",
    "paper": "Freund and Schapire 1997, doi:10.1006/jcss.1997.1504; Herbster and Warmuth 1998, "
    "doi:10.1023/A:1007424614876",
    "year": 1997,
    "claim": "A mixture weighted by past losses does nearly as well as its best head on every "
    "stream.",
    "measured": "label-drift, replay with a forgetting class-mean head: 0.38 -> 0.62; "
    "split-mnist at the same time 0.81 -> 0.85",
    "knobs": {
        "rate": {"default": 2.0, "range": [0.3, 10.0], "scale": "log", "type": "float"},
        "horizon": {"default": 40, "range": [5, 400], "scale": "log", "type": "int"},
        "share": {"default": 0.02, "range": [0.001, 0.2], "scale": "log", "type": "float"},
    },
    "tags": ["gate"],
    "kinds": ["classification", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
    "needs": ["head"],
}


class Gate:
    """Does nothing useful without a second head.

    rate: the exponent of Hedge. horizon: batches over which losses are averaged.
    share: the least weight of a head.
    """

    kinds = ("classification", "active")

    def __init__(self, rate: float = 2.0, horizon: int = 40, share: float = 0.02) -> None:
        self.rate, self.horizon, self.share = rate, horizon, share

    def build(self, learner: PartsLearner) -> None:
        self.losses: Tensor | None = None

    def score_heads(self, learner: PartsLearner, heads: list[Tensor], y: Tensor) -> None:
        now = torch.stack([-vote.gather(1, y[:, None]).clamp(min=-8.0).mean() for vote in heads])
        if self.losses is None:
            self.losses = now
        self.losses = self.losses + (now - self.losses) / self.horizon

    def combine(self, learner: PartsLearner, heads: list[Tensor]) -> Tensor:
        if self.losses is None or len(heads) < 2:
            return heads[0]
        trust = (-self.rate * self.losses).softmax(0)
        trust = (1.0 - self.share) * trust + self.share / len(heads)
        chances = torch.stack([vote.exp() for vote in heads])
        mixed = (trust[:, None, None] * chances).sum(0)
        return mixed.clamp(min=1e-12).log()
