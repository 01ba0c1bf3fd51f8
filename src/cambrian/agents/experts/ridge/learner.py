"""Random features and recursive least squares, with heads that forget at different rates.

An expert: written by hand, developed on seeds from 100 on of the search families (stage `full`),
no seed of a search. What it is made of:

- random ReLU features (Rahimi and Recht 2008) of inputs whitened by the scatter within classes
  (`parts/inputs`), even ones where a row and its mirror image look alike;
- one ridge head over all rows that are held (`parts/rows`), each class as heavy as the square root
  of its share (after streaming discriminants: Hayes and Kanan 2020, arXiv:1909.01520);
- where every input is asked about before its label is told, sums that forget at several rates
  (recursive least squares with a forgetting factor: Haykin 2002, chapter 9), each a head; Hedge
  with a fixed share mixes them (Herbster and Warmuth 1998), and a table of the latest names stands
  beside the one that forgets least (Goldberger and Ben-Reuven 2017);
- at boundaries, rows that contradict the newest ones are renamed or dropped (`parts/kernels`);
- small tasks by normal classes (`parts/gaussians`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from parts.gaussians import Gaussians
from parts.inputs import Whitening
from parts.kernels import chances, contradiction, senseless, targets
from parts.rows import Rows
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


@dataclass
class Knobs:
    features: int = 600  # at most
    online: int = 250  # features of the heads that forget, at most
    ridge: float = 0.003  # share of the mean diagonal
    memories: tuple[float, ...] = (0.92, 0.97, 0.99, 0.997)  # what is kept of the past, a row
    names: float = 0.95  # of the table of names
    rate: float = 1.0  # of Hedge
    share: float = 0.05  # of the weight that is spread over all heads, a batch
    held_against: int = 200  # rows of either side that are held against each other
    answers: int = 40  # times that the head over all rows is solved for, at most


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        self.generator = torch.Generator().manual_seed(seed)
        self.inputs, self.classes = spec.inputs, max(spec.outputs, 2)
        self.white = Whitening(self.inputs)
        self.room = 0.85 * (spec.memory_bytes or 1 << 20) - 8 * self.inputs**2
        most = min(spec.observations or 8000, 2000)
        self.rows = Rows(self.inputs, int(0.5 * self.room), most, self.generator)
        self.size = self._features()
        self.fitted = self.online = 0
        self.head: Tensor | None = None
        self.stale, self.spent = True, 0.0  # what the head over all rows has cost, about
        self.asked: Tensor | None = None
        self.sums: list[tuple[Tensor, Tensor]] = []
        self.weights, self.said = torch.zeros(0), torch.zeros(0, 0, 0)
        self.table = torch.eye(self.classes)
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
            self._judge(y)
        self.asked = None
        if self.sums:
            self._sum(x, y)

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
            return self._mixture(x)
        if self.head is None or (self.stale and self._may(self.rows.held, len(x))):
            rows = torch.arange(self.rows.held)
            y = self.rows.y(rows)
            labels = torch.bincount(y, minlength=self.classes).float().clamp(min=1.0)
            phi, weight = self._phi(self.rows.x(rows), self.size), labels.rsqrt()[y][:, None]
            wanted = targets(y, self.classes)
            self.head = self._solved(phi.T @ (phi * weight), phi.T @ (wanted * weight))
            self.stale = False
        return self._phi(x, self.size) @ self.head

    @torch.no_grad()
    def task_boundary(self) -> None:
        if self.spec.support or self.online > 2:
            return
        if self.rows.start:
            self._contradictions()
        self.rows.start, self.head = self.rows.held, None

    @torch.no_grad()
    def adapt(self, x: Tensor, y: Tensor, steps: int | None = None) -> Learner:
        if self.tasks is None and self.rows.held:
            rows = torch.arange(self.rows.held)
            size = max(self.spec.batch_size, 1)
            self.tasks = Gaussians(self.rows.x(rows), self.rows.y(rows), rows // size)
        copied = copy.copy(self)
        copied.support = (x.reshape(len(x), -1).clone(), y.clone())
        return copied

    # -- features ----------------------------------------------------------------------

    def _features(self) -> int:
        """Features for which so many answers can be paid for: each takes 2 n (n + inputs) +
        2 inputs^2 for every row that is held."""
        size = self.knobs.features
        each = 0.6 * self.spec.flops / self.knobs.answers if self.spec.flops else 3e8
        n = self.inputs
        while size > 60 and 2 * self.rows.most * (size * (size + n) + n * n) > each:
            size -= 20
        return size

    def _may(self, rows: int, asked: int) -> bool:
        """Whether the operations allowed so far pay for solving for the head once more."""
        n, told = self.size, self.spec.observations and self.spec.flops
        cost = 2.0 * rows * (n * (n + self.inputs) + self.inputs**2)
        gone = min(1.0, 0.1 + self.rows.seen / max(self.spec.observations, 1))
        if told and self.spent + cost > 0.6 * self.spec.flops * gone:
            return False
        self.spent += cost
        return True

    def _refit(self) -> None:
        """The whitening, whenever half as much again was seen."""
        seen = self.rows.seen
        if self.fitted and (seen < 1.5 * self.fitted or (self.online and self.fitted >= 250)):
            return
        rows = self.rows.some(600)
        self.white.fit(self.rows.x(rows), self.rows.y(rows), seen)
        self.fitted, self.head, self.sums = seen, None, []

    def _phi(self, x: Tensor, size: int) -> Tensor:
        """Random features (B, size); the projections are drawn again each time: no state."""
        chance = torch.Generator().manual_seed(self.seed)
        weight = torch.randn(size // 2, self.inputs, generator=chance)
        bias = 0.5 * torch.randn(size // 2, generator=chance)
        up = F.linear(self.white.unit(x), weight * 2**0.5)
        one, two = (up + bias).relu(), (bias - up).relu()
        pair = (one + two, (up.abs() - 1).relu()) if self.white.even else (one, two)
        return torch.cat(pair, 1) / size**0.5

    def _solved(self, gram: Tensor, target: Tensor) -> Tensor:
        ridge = self.knobs.ridge * gram.diagonal().mean() + 1e-6
        lower = torch.linalg.cholesky(gram + ridge * torch.eye(len(gram)))
        return torch.cholesky_solve(target, lower)

    # -- drift -------------------------------------------------------------------------

    def _mixture(self, x: Tensor) -> Tensor:
        if not self.sums:
            count = len(self.knobs.memories)
            most = int((0.45 * self.room / 4 / count) ** 0.5) - self.classes
            self.narrow = max(20, min(self.knobs.online, most)) // 2 * 2
            empty = torch.zeros(self.narrow, self.narrow), torch.zeros(self.narrow, self.classes)
            self.sums = [(empty[0].clone(), empty[1].clone()) for _ in range(count)]
            rows = torch.arange(max(0, self.rows.held - 500), self.rows.held)
            for part in rows.split(10):
                self._sum(self.rows.x(part), self.rows.y(part))
        phi = self._phi(x, self.narrow)
        heads = [chances(phi @ self._solved(*sums)) for sums in self.sums]
        named = heads[-1] @ (self.table / self.table.sum(1, keepdim=True))
        self.said = torch.stack((*heads, named, torch.full_like(named, 1.0 / self.classes)))
        if len(self.weights) != len(self.said):
            self.weights = torch.full((len(self.said),), 1.0 / len(self.said))
        return torch.einsum("h,hbc->bc", self.weights, self.said).clamp(min=1e-6).log()

    def _sum(self, x: Tensor, y: Tensor) -> None:
        phi, wanted = self._phi(x, self.narrow), targets(y, self.classes)
        gram, target = phi.T @ phi, phi.T @ wanted
        for memory, (grams, sums) in zip(self.knobs.memories, self.sums, strict=True):
            grams.mul_(memory ** len(x)).add_(gram)
            sums.mul_(memory ** len(x)).add_(target)

    def _judge(self, y: Tensor) -> None:
        if self.said.dim() != 3 or self.said.shape[1] != len(y):
            return
        right = self.said[:, torch.arange(len(y)), y].clamp(min=0.01)
        weights = (self.weights.log() + self.knobs.rate * right.log().sum(1)).softmax(0)
        self.weights = (1 - self.knobs.share) * weights + self.knobs.share / len(weights)
        joint = self.said[-3].T @ F.one_hot(y, self.classes).float()
        self.table = self.table * self.knobs.names ** len(y) + joint

    # -- segments, small tasks ---------------------------------------------------------

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

    def _small(self, x: Tensor) -> Tensor:
        if self.tasks is None or self.support is None:
            return torch.zeros(len(x), self.spec.outputs)
        return self.tasks.predict(self.support, x, self.spec.outputs)
