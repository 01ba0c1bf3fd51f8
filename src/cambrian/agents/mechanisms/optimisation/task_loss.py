"""The loss that the kind of task calls for.

Bishop 2006, "Pattern Recognition and Machine Learning", section 4.3.4 (cross-entropy, for classes;
of a sequence, the mean over its steps); for real-valued targets Huber 1964, "Robust Estimation of a
Location Parameter": half the squared error, but linear beyond one, so that targets of any size
leave a step of a fixed rate bounded.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.part import Batch, PartsLearner

CARD = {
    "name": "task_loss",
    "role": "loss",
    "title": "the task's likelihood",
    "paper": "Bishop 2006, ISBN 978-0-387-31073-2, section 4.3.4; Huber 1964, "
    "doi:10.1214/aoms/1177703732",
    "year": 2006,
    "claim": "The log-likelihood of labels is the cross-entropy, of real numbers with Gaussian "
    "noise the squared error; far from the target its gradient is better bounded.",
    "measured": "split-mnist, plain: 0.194",
    "knobs": {},
    "tags": ["loss"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class TaskLoss:
    def base_loss(self, learner: PartsLearner, batch: Batch, logits: Tensor) -> Tensor:
        if learner.labelled:
            return F.cross_entropy(logits, batch.y, reduction="none")
        if learner.spec.kind == "sequence":
            steps = logits.reshape(-1, learner.spec.outputs)
            each = F.cross_entropy(steps, batch.y.flatten(), reduction="none")
            return each.view(len(logits), -1).mean(1)
        return F.huber_loss(logits, batch.y, reduction="none").mean(1)
