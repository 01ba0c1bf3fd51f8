"""The loss that the kind of task calls for.

Bishop 2006, "Pattern Recognition and Machine Learning", sections 4.3.4 (cross-entropy, for classes)
and 3.1.1 (squared error, for real-valued targets); of a sequence, the mean over its steps.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.part import Batch, PartsLearner

CARD = {
    "name": "task_loss",
    "role": "loss",
    "title": "the task's likelihood",
    "paper": "Bishop 2006, ISBN 978-0-387-31073-2, sections 3.1.1 and 4.3.4",
    "year": 2006,
    "claim": "The log-likelihood of labels is the cross-entropy, of real numbers with Gaussian "
    "noise the squared error.",
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
        return F.mse_loss(logits, batch.y, reduction="none").mean(1)
