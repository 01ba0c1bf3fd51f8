"""Replay of packed rows: a byte a number, and as many rows as the allowance leaves room for.

Hayes et al. 2020, "REMIND Your Neural Network to Prevent Catastrophic Forgetting": what is
rehearsed is kept compressed, so that the same bytes hold several times as many samples; they
quantise features by products, here inputs are rounded to a byte. Slots are chosen by Vitter's
algorithm R (1985), rows drawn evenly over classes as far as `balance` says.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cambrian.agents.part import Batch, PackedRows, PartsLearner, sized

CARD = {
    "name": "packed_replay",
    "role": "memory",
    "title": "packed replay",
    "paper": "Hayes et al. 2020, arXiv:1910.02509",
    "year": 2020,
    "claim": "Rehearsal is held back by how many samples there is room for; compressed, several "
    "times as many fit into the same bytes, and rare classes are not forgotten.",
    "measured": "the fifteen families of suite general, one seed, with Adam: mean score 0.09 with "
    "the reservoir -> 0.16",
    "knobs": {
        "fill": {"default": 0.9, "range": [0.1, 1.0], "scale": "log", "type": "float"},
        "batch": {"default": 48, "range": [8, 128], "scale": "log", "type": "int"},
        "weight": {"default": 1.0, "range": [0.2, 4.0], "scale": "log", "type": "float"},
        "balance": {"default": 0.5, "range": [0.0, 1.0], "scale": "linear", "type": "float"},
        "recency": {"default": 0.0, "range": [0.0, 1.0], "scale": "linear", "type": "float"},
    },
    "tags": ["replay"],
    "kinds": ["classification", "regression", "sequence", "control", "optimisation", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta", "control"],
}


LEAST = 50
"""Rows that it asks room for; more where bytes are left."""
MOST = 4000


class PackedReplay:
    """Replays `batch` rows with the share `weight` beside the new rows' 1.

    fill: the share of the bytes left over that it takes.
    balance: 0 every row is as likely .. 1 every class is.
    recency: 0 a uniform sample of all that was seen .. 1 a window of the latest samples.
    """

    def __init__(
        self,
        fill: float = 0.9,
        batch: int = 48,
        weight: float = 1.0,
        balance: float = 0.5,
        recency: float = 0.0,
    ) -> None:
        self.fill, self.batch, self.weight = fill, batch, weight
        self.balance, self.recency = balance, recency
        self.seen = self.oldest = 0

    def size(self, learner: PartsLearner) -> int:
        """Bytes of a row and its target."""
        return PackedRows.size(learner.spec.inputs) + learner.targets_like(1).nbytes

    def holds(self, learner: PartsLearner, share: float) -> float:
        return float(sized(LEAST, share) * self.size(learner))

    def build(self, learner: PartsLearner) -> None:
        rows, most = sized(LEAST, learner.share), learner.spec.observations or MOST
        if math.isfinite(learner.spare):
            more = min(int(self.fill * learner.spare / self.size(learner)), max(0, most - rows))
            learner.spare -= more * self.size(learner)
            rows += more
        else:
            rows = min(most, MOST)
        self.hold(PackedRows(rows, learner.spec.inputs, learner.device), learner.targets_like(rows))
        self.generator = learner.generator()

    def hold(self, x: PackedRows, y: Tensor) -> None:
        """Have these as the rows from now on."""
        self.x, self.y, self.capacity = x, y, len(y)

    def replay(self, learner: PartsLearner, batch: Batch) -> None:
        held = min(self.seen, self.capacity)
        if not held:
            return
        if learner.labelled and self.balance > 0.0:
            y = self.y[:held]
            chances = y.bincount().float().clamp(min=1.0).pow(-self.balance)[y].cpu()
            rows = torch.multinomial(chances, self.batch, True, generator=self.generator)
        else:
            rows = torch.randint(0, held, (self.batch,), generator=self.generator)
        rows = rows.to(self.y.device)
        batch.add(self.x.get(rows), self.y[rows], self.weight)

    def after_batch(self, learner: PartsLearner, batch: Batch) -> None:
        slots: dict[int, int] = {}
        luck, coins = torch.rand(2, batch.new, generator=self.generator).tolist()
        for row in range(batch.new):
            slot = self.seen if self.seen < self.capacity else int(luck[row] * (self.seen + 1))
            if self.seen >= self.capacity and coins[row] < self.recency:
                slot, self.oldest = self.oldest, (self.oldest + 1) % self.capacity
            self.seen += 1
            if slot < self.capacity:
                slots[slot] = row  # a later row wins
        where, rows = (
            torch.tensor(list(each), dtype=torch.int64, device=self.y.device)
            for each in (slots, slots.values())
        )
        self.x.put(where, batch.x[rows])
        self.y[where] = batch.y[rows]

    def forget(self, learner: PartsLearner, x: Tensor, y: Tensor) -> None:
        """Rows that are equal to one of x, once packed, leave; the rest move up."""
        held = min(self.seen, self.capacity)
        gone = self.x.equal(x)[:held]
        self._keep((~gone).nonzero()[:, 0], self.capacity)

    def compress(self, learner: PartsLearner, room: int) -> None:
        """Fewer slots, for the rows held first."""
        capacity = max(1, min(self.capacity, room // self.size(learner)))
        held = min(self.seen, self.capacity, capacity)
        self._keep(torch.arange(held, device=self.y.device), capacity)

    def _keep(self, rows: Tensor, capacity: int) -> None:
        """Only these rows, in as many slots; what was seen counts as held, to be refilled."""
        y = torch.zeros_like(self.y[:1]).repeat(capacity, *[1] * (self.y.dim() - 1))
        y[: len(rows)] = self.y[rows]
        self.seen = len(rows) if len(rows) < capacity else max(self.seen, capacity)
        self.oldest = 0
        self.hold(self.x.kept(rows, capacity), y)
