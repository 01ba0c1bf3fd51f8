"""Neighbours in a learned metric and kernel ridge regression on a dictionary: no gradient at all.

An expert: written by hand, developed on seeds from 100 on of the search families (stage `full`),
no seed of a search. What it is made of:

- a packed memory of rows (`parts/rows`), compared after whitening by the scatter within classes,
  up to their sign where that is right more often (`parts/inputs`);
- half of an answer from the nearest rows, weighted by closeness (Cover and Hart 1967; Vinyals et
  al. 2016, arXiv:1606.04080, equation 1), half from kernel ridge regression (Saunders et al. 1998)
  on as large a dictionary as the operations allowed pay for, as many rows of each class;
- at boundaries, rows that contradict the newest ones are renamed or dropped (`parts/kernels`);
- where every input is asked about before its label is told, kernel heads of different memory mixed
  by Hedge (`parts/windows`);
- small tasks by normal classes (`parts/gaussians`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from parts.gaussians import Gaussians
from parts.inputs import Whitening
from parts.kernels import arc, chances, contradiction, factor, senseless, targets
from parts.rows import Rows
from parts.windows import Windows
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


@dataclass
class Knobs:
    neighbours: int = 7
    closeness: float = 20.0  # from a cosine to the log of a weight
    dictionary: int = 1000  # rows of the ridge, at most
    store: int = 1500  # rows that are looked among, at most
    held_against: int = 200  # rows of either side that are held against each other
    answers: int = 40  # times that a dictionary is solved for, at most, in the operations allowed


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        self.generator = torch.Generator().manual_seed(seed)
        self.inputs, self.classes = spec.inputs, max(spec.outputs, 2)
        self.white = Whitening(self.inputs)
        room = 0.85 * (spec.memory_bytes or 1 << 20) - 8 * self.inputs**2
        most = self._dictionary()
        room -= most * (8 + 4 * self.classes)
        self.rows = Rows(self.inputs, int(room), spec.observations or 8000, self.generator)
        self.most = most
        self.fitted = self.online = 0
        self.stale, self.spent = True, 0.0  # what answers have cost, about
        self.solved: tuple[Tensor, Tensor] | None = None
        self.asked: Tensor | None = None
        self.near: Windows | None = None
        self.tasks: Gaussians | None = None
        self.support: tuple[Tensor, Tensor] | None = None

    # -- the contract ------------------------------------------------------------------

    @torch.no_grad()
    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        x = x.reshape(len(x), -1)
        self.rows.add(x, y)
        self.stale, self.tasks = True, None
        if self.asked is not None and self.asked.shape == x.shape and torch.equal(self.asked, x):
            self.online += 1
        self.asked = None
        if self.near is not None:
            self.near.judge(y)
            self.near.add(self.white.unit(x), y)

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        x = x.reshape(len(x), -1)
        if self.spec.support:
            return self._small(x)
        self.asked = x.clone() if len(x) <= 64 else None
        if not self.rows.held:
            return torch.zeros(len(x), self.spec.outputs)
        self._refit()
        if self.online >= 2:
            return self._windows(x)
        z = self.white.unit(x)
        scores = self._ridge(z)
        each = 2.0 * self.inputs * (self.inputs + len(z))
        most = 0.25 * self.spec.flops / self.knobs.answers / each if self.spec.flops else 600
        rows = self.rows.some(min(self.knobs.store, int(most)))
        if self._may(len(rows) * each):
            scores = (scores + self._nearest(z, rows)) / 2
        return scores.clamp(min=1e-6).log()

    @torch.no_grad()
    def task_boundary(self) -> None:
        if self.spec.support or self.online > 2:
            return
        if self.rows.start:
            self._contradictions()
        self.rows.start, self.solved = self.rows.held, None

    @torch.no_grad()
    def adapt(self, x: Tensor, y: Tensor, steps: int | None = None) -> Learner:
        if self.tasks is None and self.rows.held:
            rows = torch.arange(self.rows.held)
            size = max(self.spec.batch_size, 1)
            self.tasks = Gaussians(self.rows.x(rows), self.rows.y(rows), rows // size)
        copied = copy.copy(self)
        copied.support = (x.reshape(len(x), -1).clone(), y.clone())
        return copied

    # -- inside ------------------------------------------------------------------------

    def _dictionary(self) -> int:
        """Rows of a dictionary of which so many answers can be paid for: each takes about 2 n^2
        inputs + n^3 / 3 operations."""
        if not self.spec.flops:
            return self.knobs.dictionary // 2
        n, each = self.knobs.dictionary, 0.4 * self.spec.flops / self.knobs.answers
        while n > 50 and 2 * n * n * self.inputs + n**3 / 3 > each:
            n -= 50
        return n

    def _may(self, cost: float) -> bool:
        """Whether the operations allowed so far pay for something more."""
        gone = min(1.0, 0.1 + self.rows.seen / max(self.spec.observations, 1))
        if self.spec.observations and self.spent + cost > 0.6 * self.spec.flops * gone:
            return False
        self.spent += cost
        return True

    def _refit(self) -> None:
        """The whitening, whenever half as much again was seen."""
        seen = self.rows.seen
        if self.fitted and (seen < 1.5 * self.fitted or (self.online and self.fitted >= 250)):
            return
        rows = self.rows.some(800)
        self.white.fit(self.rows.x(rows), self.rows.y(rows), seen)
        self.fitted, self.near, self.solved = seen, None, None

    def _nearest(self, z: Tensor, rows: Tensor) -> Tensor:
        near = z @ self.white.unit(self.rows.x(rows)).T
        near = near.abs() if self.white.even else near
        found = near.topk(min(self.knobs.neighbours, len(rows)))
        weight = (self.knobs.closeness * found.values).softmax(1)[:, :, None]
        labels = F.one_hot(self.rows.y(rows)[found.indices], self.classes).float()
        return (weight * labels).sum(1)

    def _ridge(self, z: Tensor) -> Tensor:
        n = min(self.most, self.rows.held)
        if self.solved is None or (
            self.stale and self._may(2.0 * n * self.inputs * (n + self.inputs))
        ):
            y = self.rows.y(torch.arange(self.rows.held))
            share = torch.bincount(y, minlength=self.classes).float().clamp(min=1.0)
            rows = torch.multinomial(share.rsqrt()[y], n, generator=self.generator)
            own = self.white.unit(self.rows.x(rows))
            wanted = targets(self.rows.y(rows), self.classes)
            lower = factor(arc(own, own, self.white.even))
            self.solved, self.stale = (rows, torch.cholesky_solve(wanted, lower)), False
        rows, solved = self.solved
        own = self.white.unit(self.rows.x(rows))
        return chances(arc(z, own, self.white.even) @ solved)

    def _contradictions(self) -> None:
        rows, most = self.rows, self.knobs.held_against
        old, new = rows.some(most, 0, rows.start), rows.some(most, rows.start)
        if len(old) < 20 or len(new) < 20:
            return
        if not bool(torch.isin(rows.y(new), rows.y(old)).all()):
            return  # other classes: there is nothing to contradict
        self._refit()
        pairs = [(self.white.unit(rows.x(part)), rows.y(part)) for part in (old, new)]
        found, naming = contradiction(pairs[0], pairs[1], self.classes, self.white.even)
        if found == "none" and senseless(pairs[0], self.classes):
            found = "none" if senseless(pairs[1], self.classes) else "all"
        if found == "names":
            rows.rename(naming)
        if found == "all":
            rows.drop()
            self.fitted = 0

    def _windows(self, x: Tensor) -> Tensor:
        if self.near is None:
            left = 0.85 * (self.spec.memory_bytes or 1 << 20) - 4 * self.inputs**2
            left -= self.rows.packed.numel() + self.rows.names.numel()
            self.near = Windows(self.classes, self.inputs, self.white.even, left)
            rows = torch.arange(max(0, self.rows.held - self.near.most), self.rows.held)
            self.near.add(self.white.unit(self.rows.x(rows)), self.rows.y(rows))
        return self.near.predict(self.white.unit(x)).clamp(min=1e-6).log()

    def _small(self, x: Tensor) -> Tensor:
        if self.tasks is None or self.support is None:
            return torch.zeros(len(x), self.spec.outputs)
        return self.tasks.predict(self.support, x, self.spec.outputs)
