"""A network that rehearses all it can hold, and kernel machines where a stream drifts.

An expert: written by hand, developed on seeds from 100 on of the search families (stage `full`),
no seed of a search. What it is made of:

- a packed memory of rows (`parts/rows`), replayed beside new ones (Chaudhry et al. 2019,
  arXiv:1902.10486), each class as likely as the square root of its share;
- inputs whitened by the scatter within classes (`parts/inputs`); the first layer is carried over
  when the whitening is made anew, so that what the network computes stays the same;
- Adam (Kingma and Ba 2015, arXiv:1412.6980) and an average of the weights (Tarvainen and Valpola
  2017, arXiv:1703.01780), at as many steps as the operations allowed pay for;
- where rows and their mirror images look alike, either is rehearsed and answers are averaged;
- at boundaries, rows that contradict the newest ones are renamed or dropped (`parts/kernels`);
  after that, and where nothing but the newest task is ever asked for, a kernel machine over the
  newest rows has half a say;
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

EARLY = 100
"""Rows until which the whitening is made anew while learning; later, only when asked."""


@dataclass
class Knobs:
    lr: float = 0.002
    hidden: int = 128
    batch: int = 96  # rows at each step, new ones among them
    steps: int = 10  # on each new batch, at most
    extra: int = 40  # steps when a segment has ended, at most
    average: float = 0.98  # of the weights, a step
    spend: float = 0.45  # of the operations allowed, on steps
    held_against: int = 200  # rows of either side that are held against each other
    elsewhere: float = 0.25  # of inputs asked for that look old: below it, old ones never are
    kernel_rows: int = 400  # of the kernel head, where only the newest segment counts


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        self.generator = torch.Generator().manual_seed(seed)
        self.inputs, self.classes = spec.inputs, max(spec.outputs, 2)
        self.white = Whitening(self.inputs)
        self._begin()
        room = 0.88 * (spec.memory_bytes or 2 << 20) - 8 * self.inputs**2
        room -= 16 * sum(weight.numel() for weight in self.weights)
        self.rows = Rows(self.inputs, int(room), spec.observations or 8000, self.generator)
        self.steps = self._steps()
        self.before = self.ended = (
            0  # rows seen before all was forgotten; held before the last segment
        )
        self.asked: Tensor | None = None
        self.online = 0  # batches that were asked about before they were told
        self.near: Windows | None = None
        self.newest_only = self.changed = False
        self.old_asked: list[float] = []
        self.kernel: tuple[Tensor, Tensor] | None = None
        self.tasks: Gaussians | None = None
        self.support: tuple[Tensor, Tensor] | None = None

    # -- the contract ------------------------------------------------------------------

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        x = x.reshape(len(x), -1)
        self.rows.add(x, y)
        self.kernel = None
        if self.spec.support:
            self.tasks = None
            return
        if self.asked is not None and self.asked.shape == x.shape and torch.equal(self.asked, x):
            self.online += 1
        self.asked = None
        if self.near is not None:
            with torch.no_grad():
                self.near.judge(y)
                self.near.add(self.white.unit(x), y)
        if self.white.rows < EARLY:
            self._refit()
        if self.online > 2:
            return
        for _ in range(self.steps):
            self._step(x, y)

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
        self._where_asked(x)
        z = self.white.white(x)
        scores = self._forward(z, self.averaged).softmax(1)
        if self.white.even:
            scores = (scores + self._forward(-z, self.averaged).softmax(1)) / 2
        if self.changed or self.newest_only:
            scores = (scores + self._by_kernel(x)) / 2
        return scores.clamp(min=1e-6).log()

    def task_boundary(self) -> None:
        if self.spec.support or self.online > 2:
            return
        if self.rows.start:
            self._refit()
            self._contradictions(self.knobs.held_against)
        if self.changed or self.newest_only:
            self._rehearse(min(self.knobs.extra, 4 + 3 * self.steps))
        self.ended, self.rows.start = self.rows.start, self.rows.held
        self.kernel = None

    @torch.no_grad()
    def adapt(self, x: Tensor, y: Tensor, steps: int | None = None) -> Learner:
        if self.tasks is None and self.rows.held:
            rows = torch.arange(self.rows.held)
            size = max(self.spec.batch_size, 1)
            self.tasks = Gaussians(self.rows.x(rows), self.rows.y(rows), rows // size)
        copied = copy.copy(self)
        copied.support = (x.reshape(len(x), -1).clone(), y.clone())
        return copied

    # -- sizes -------------------------------------------------------------------------

    def _begin(self) -> None:
        """A new network."""
        h, self.weights = self.knobs.hidden, []
        for fan_in, fan_out in ((self.inputs, h), (h, h), (h, self.classes)):
            weight = torch.randn(fan_out, fan_in, generator=self.generator)
            gain = 2.0 if fan_out == h else 0.1
            self.weights += [weight * (gain / fan_in) ** 0.5, torch.zeros(fan_out)]
        self.weights = [weight.requires_grad_() for weight in self.weights]
        self.averaged = [weight.detach().clone() for weight in self.weights]
        self.optimiser = torch.optim.Adam(self.weights, lr=self.knobs.lr, betas=(0.9, 0.99))
        self.updates = 0

    def _steps(self) -> int:
        """Steps on each batch that the operations allowed pay for; few where they are not told. As
        many on each: what a batch costs is told from a sample of them."""
        if not self.spec.flops or not self.spec.observations:
            return max(1, self.knobs.steps // 2)
        batches = self.spec.observations / max(self.spec.batch_size, 1)
        each = 6 * (sum(w.numel() for w in self.weights) + self.inputs**2 / 3) * self.knobs.batch
        most = int(self.knobs.spend * self.spec.flops / batches / each)
        return max(1, min(self.knobs.steps, most))

    # -- the network -------------------------------------------------------------------

    @torch.no_grad()
    def _refit(self) -> None:
        """The whitening, whenever twice as much was seen; the network stays the function it is."""
        seen, white = self.rows.seen - self.before, self.white
        if white.rows and (seen < 2 * white.rows or (self.online and white.rows >= 250)):
            return
        rows = torch.arange(max(0, self.rows.held - 1000), self.rows.held)
        mean, matrix, old = white.mean, white.matrix, bool(white.rows)
        white.fit(self.rows.x(rows), self.rows.y(rows), seen)
        self.near = None
        if old and self.online <= 2:
            for first, bias in ((self.weights[0], self.weights[1]), self.averaged[:2]):
                raw = first @ matrix
                bias += raw @ (white.mean - mean)
                first.copy_(torch.linalg.solve(white.matrix, raw.T).T)

    def _forward(self, z: Tensor, weights: list[Tensor]) -> Tensor:
        w1, b1, w2, b2, w3, b3 = weights
        return F.linear(F.linear(F.linear(z, w1, b1).relu(), w2, b2).relu(), w3, b3)

    def _step(self, x: Tensor, y: Tensor) -> None:
        """One step on new rows (none: old ones alone) and rehearsed ones."""
        rows = self._drawn(max(8, self.knobs.batch - len(x)))
        x, y = torch.cat((x, self.rows.x(rows))), torch.cat((y, self.rows.y(rows)))
        z = self.white.white(x)
        if self.white.even:
            z = z * (torch.randint(0, 2, (len(z), 1), generator=self.generator) * 2.0 - 1.0)
        loss = F.cross_entropy(self._forward(z, self.weights), y)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        self.optimiser.step()
        self.updates += 1
        share = min(self.knobs.average, 1 - 1 / (1 + self.updates / 4))
        with torch.no_grad():
            torch._foreach_lerp_(self.averaged, self.weights, 1 - share)

    def _rehearse(self, steps: int) -> None:
        nothing = torch.zeros(0, self.inputs)
        for _ in range(steps):
            self._step(nothing, torch.zeros(0, dtype=torch.int64))

    def _drawn(self, count: int) -> Tensor:
        y = self.rows.y(torch.arange(self.rows.held))
        share = torch.bincount(y, minlength=self.classes).float().clamp(min=1.0)
        return torch.multinomial(share.rsqrt()[y], count, True, generator=self.generator)

    # -- segments ----------------------------------------------------------------------

    def _contradictions(self, most: int) -> None:
        """Rename or drop what came before the newest segment, if it misleads about it."""
        rows = self.rows
        old, new = rows.some(most, 0, rows.start), rows.some(most, rows.start)
        if len(old) < 20 or len(new) < 20:
            return
        if not bool(torch.isin(rows.y(new), rows.y(old)).all()):
            return  # other classes: there is nothing to contradict
        with torch.no_grad():
            pairs = [(self.white.unit(rows.x(part)), rows.y(part)) for part in (old, new)]
            found, naming = contradiction(pairs[0], pairs[1], self.classes, self.white.even)
            if found == "none" and senseless(pairs[0], self.classes):
                found = "none" if senseless(pairs[1], self.classes) else "all"
            if found == "names":
                rows.rename(naming)
                back = torch.argsort(naming)
                for weights in (self.weights, self.averaged):
                    for weight in weights[-2:]:
                        weight.copy_(weight[back])
        if found == "all":
            self._start_again()
        self.changed = self.changed or found != "none"

    def _start_again(self) -> None:
        self.rows.drop()
        self.before = self.rows.seen - self.rows.held
        self._begin()
        if self.rows.held >= 32:
            self.white.rows = 0
            self._refit()

    def _where_asked(self, x: Tensor) -> None:
        """Whether what is asked for after a segment ever looks like the segments before it."""
        rows = self.rows
        if rows.start != rows.held or not self.ended or len(self.old_asked) > 8:
            return
        z = self.white.unit(x)
        old, new = rows.some(400, 0, self.ended), rows.some(400, self.ended)
        old = old[: len(new)] if len(old) > len(new) else old
        places = torch.cat((old, new))
        near = z @ self.white.unit(rows.x(places)).T
        near = near.abs() if self.white.even else near
        self.old_asked.append(float((near.argmax(1) < len(old)).float().mean()))
        few = sum(self.old_asked) / len(self.old_asked) < self.knobs.elsewhere
        self.newest_only = few

    @torch.no_grad()
    def _by_kernel(self, x: Tensor) -> Tensor:
        if self.kernel is None:
            first = self.ended if self.newest_only else 0
            rows = torch.arange(max(first, self.rows.held - self.knobs.kernel_rows), self.rows.held)
            z = self.white.unit(self.rows.x(rows))
            wanted = targets(self.rows.y(rows), self.classes)
            lower = factor(arc(z, z, self.white.even))
            self.kernel = (rows, torch.cholesky_solve(wanted, lower))
        rows, solved = self.kernel
        z = self.white.unit(self.rows.x(rows))
        return chances(arc(self.white.unit(x), z, self.white.even) @ solved)

    # -- drift, small tasks ------------------------------------------------------------

    def _windows(self, x: Tensor) -> Tensor:
        if self.near is None:
            self._free()
            left = 0.85 * (self.spec.memory_bytes or 1 << 20) - 4 * self.inputs**2
            left -= self.rows.packed.numel() + self.rows.names.numel()
            self.near = Windows(self.classes, self.inputs, self.white.even, left)
            rows = torch.arange(max(0, self.rows.held - self.near.most), self.rows.held)
            self.near.add(self.white.unit(self.rows.x(rows)), self.rows.y(rows))
        return self.near.predict(self.white.unit(x)).clamp(min=1e-6).log()

    def _free(self) -> None:
        """The network is given up, and most of the memory, for the room."""
        self.weights, self.averaged = [torch.zeros(0, 0)] * 2, [torch.zeros(0, 0)] * 2
        self.optimiser = torch.optim.Adam([torch.zeros(1)])

    def _small(self, x: Tensor) -> Tensor:
        if self.tasks is None or self.support is None:
            return torch.zeros(len(x), self.spec.outputs)
        return self.tasks.predict(self.support, x, self.spec.outputs)
