"""Experience replay from a reservoir, with ER-ACE's asymmetric loss and a recency knob.

Chaudhry et al. 2019, "On Tiny Episodic Memories in Continual Learning"; slots are chosen by
Vitter's algorithm R (1985). Caccia et al. 2022, "New Insights on Reducing Abrupt Representation
Change in Online Continual Learning" (ER-ACE): new rows do not push down classes they lack.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cambrian.agents.part import Batch, PartsLearner, sized

CARD = {
    "name": "reservoir",
    "role": "memory",
    "title": "reservoir replay",
    "paper": "Chaudhry et al. 2019, arXiv:1902.10486; ER-ACE: Caccia et al. 2022, arXiv:2104.05025",
    "year": 2019,
    "claim": "Rehearsing a few stored samples beside each new batch prevents most forgetting; "
    "the asymmetric loss closes the stability gap.",
    "measured": "split-mnist 0.194 -> 0.782 (200 samples); asymmetry: min-ACC 0.485 -> 0.702",
    "knobs": {
        "capacity": {"default": 200, "range": [50, 500], "scale": "log", "type": "int"},
        "batch": {"default": 32, "range": [8, 64], "scale": "log", "type": "int"},
        "weight": {"default": 1.0, "range": [0.2, 2.0], "scale": "log", "type": "float"},
        "asymmetry": {"default": 0.0, "range": [0.0, 1.0], "scale": "linear", "type": "float"},
        "recency": {"default": 0.0, "range": [0.0, 1.0], "scale": "linear", "type": "float"},
    },
    "tags": ["replay"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


class Reservoir:
    """Stores `capacity` samples; `weight` is the replayed rows' share beside the new rows' 1.

    asymmetry: 0 plain cross-entropy .. 1 new rows ignore classes seen before but not present.
    recency: 0 a uniform sample of all that was seen .. 1 a window of the latest samples.
    """

    def __init__(
        self,
        capacity: int = 200,
        batch: int = 32,
        weight: float = 1.0,
        asymmetry: float = 0.0,
        recency: float = 0.0,
    ) -> None:
        self.capacity, self.batch, self.weight = capacity, batch, weight
        self.asymmetry, self.recency = asymmetry, recency
        self.seen = self.oldest = 0

    def holds(self, learner: PartsLearner, share: float) -> float:
        row = 4 * learner.spec.inputs + learner.targets_like(1).nbytes
        return float(sized(self.capacity, share) * row)

    def build(self, learner: PartsLearner) -> None:
        self.capacity = sized(self.capacity, learner.share)
        self.x = torch.zeros(self.capacity, learner.spec.inputs, device=learner.device)
        self.y = learner.targets_like(self.capacity)
        self.known = torch.zeros(learner.spec.outputs, dtype=torch.bool, device=learner.device)
        self.generator = learner.generator()

    def replay(self, learner: PartsLearner, batch: Batch) -> None:
        held = min(self.seen, self.capacity)
        if held:
            rows = torch.randint(0, held, (self.batch,), generator=self.generator)
            rows = rows.to(self.x.device)
            batch.add(self.x[rows], self.y[rows], self.weight)

    def scores(self, learner: PartsLearner, batch: Batch, logits: Tensor) -> Tensor:
        if self.asymmetry <= 0.0 or not learner.labelled:
            return logits
        absent = self.known.clone()
        absent[batch.y[: batch.new]] = False
        penalty = torch.zeros_like(logits)
        penalty[: batch.new, absent] = math.log(max(1.0 - self.asymmetry, 1e-9))
        return logits + penalty

    def after_batch(self, learner: PartsLearner, batch: Batch) -> None:
        y = batch.y[: batch.new]
        if learner.labelled:
            self.known[y] = True
        slots = self._slots(batch.new)
        where = torch.tensor(list(slots), dtype=torch.int64, device=self.x.device)
        rows = torch.tensor(list(slots.values()), dtype=torch.int64, device=self.x.device)
        self.x[where], self.y[where] = batch.x[rows], y[rows]

    def forget(self, learner: PartsLearner, x: Tensor, y: Tensor) -> None:
        """Rows that are equal to one of x leave; the rest move up."""
        held = min(self.seen, self.capacity)
        gone = (self.x[:held, None] == x).all(2).any(1)
        self._hold((~gone).nonzero()[:, 0], self.capacity)

    def compress(self, learner: PartsLearner, room: int) -> None:
        """Fewer slots, for the rows held first."""
        size = self.x[0].nbytes + self.y[0].nbytes
        capacity = max(1, min(self.capacity, room // size))
        held = min(self.seen, self.capacity, capacity)
        self._hold(torch.arange(held, device=self.x.device), capacity)

    def _hold(self, rows: Tensor, capacity: int) -> None:
        """Only these rows, in as many slots; what was seen counts as held, to be refilled."""
        x, y = torch.zeros_like(self.x[:1]), torch.zeros_like(self.y[:1])
        x, y = x.repeat(capacity, 1), y.repeat(capacity, *[1] * (y.dim() - 1))
        x[: len(rows)], y[: len(rows)] = self.x[rows], self.y[rows]
        self.x, self.y, self.capacity, self.oldest = x, y, capacity, 0
        self.seen = len(rows) if len(rows) < capacity else max(self.seen, capacity)

    def _slots(self, count: int) -> dict[int, int]:
        """Which slot takes which row (a later row wins)."""
        slots = {}
        luck, coins = torch.rand(2, count, generator=self.generator).tolist()
        for row in range(count):
            slot = self.seen if self.seen < self.capacity else int(luck[row] * (self.seen + 1))
            if self.seen >= self.capacity and coins[row] < self.recency:
                slot, self.oldest = self.oldest, (self.oldest + 1) % self.capacity
            self.seen += 1
            if slot < self.capacity:
                slots[slot] = row
        return slots
