"""A kernel ridge head: the rows kept are solved for at once, so that it learns without steps.

Saunders et al. 1998, "Ridge Regression Learning Algorithm in Dual Variables", eq. 7: the answer to
z is k(z) (K + ridge I)^-1 Y, with the arc-cosine kernel of order one of Cho and Saul 2009, eq. 6,
that of an infinitely wide layer of rectifiers. Inputs are whitened by the scatter within classes
(Fisher 1936) where that errs less on rows left out (in closed form, Allen 1974). The latest rows
follow a drift, in windows of several lengths that are mixed by Hedge with a fixed share (Herbster
and Warmuth 1998); rows kept evenly over classes (Chrysakis and Moens 2020, algorithm 1) remember.
Old rows that mislead about the new ones are dropped (paired errors, McNemar 1947).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cambrian.agents.part import PackedRows, PartsLearner, sized

CARD = {
    "name": "kernel_ridge",
    "role": "head",
    "title": "kernel ridge head",
    "paper": "Saunders et al. 1998 (ICML); kernel: Cho and Saul 2009 (NeurIPS); rows: Chrysakis "
    "and Moens 2020 (ICML)",
    "year": 1998,
    "claim": "A ridge regression on a few hundred stored rows is fitted exactly at any moment: a "
    "dozen new samples are enough for a new rule, and nothing is forgotten that is still held.",
    "measured": "the fifteen families of suite general, one seed: mean score -0.05 -> 0.71; with "
    "dark replay, class-mean head, label map and Adam instead 0.21",
    "knobs": {
        "rows": {"default": 400, "range": [50, 1000], "scale": "log", "type": "int"},
        "keep": {
            "default": "asked",
            "choices": ["asked", "latest", "balanced"],
            "type": "choice",
        },
        "whiten": {"default": 0.1, "range": [0.01, 1.0], "scale": "log", "type": "float"},
        "ridge": {"default": 0.02, "range": [0.002, 0.5], "scale": "log", "type": "float"},
        "doubt": {"default": 2.5, "range": [1.0, 5.0], "scale": "linear", "type": "float"},
        "sharpness": {"default": 6.0, "range": [1.0, 20.0], "scale": "log", "type": "float"},
        "weight": {"default": 0.85, "range": [0.1, 0.95], "scale": "linear", "type": "float"},
    },
    "tags": ["memory", "head", "drift"],
    "kinds": ["classification", "regression", "active"],
    "networks": ["any"],
    "skeletons": ["stream", "meta"],
}


WIDEST = 256
"""Inputs of more numbers are not whitened: the metric would take too many bytes."""
FEW = 0.3
AGAIN = 1.5
SHARE = 0.3
"""The share of the operations allowed that solving may take."""
SMALL_TASKS, MOST = 50, 0.8
"""How many small tasks it reckons with after a stream that does not tell their number, and the
share of the operations allowed that all may have cost by then, what else is done for them left
out."""
LEAST, BATCH = 20, 64
ENOUGH = 0.05
"""Of the rows solved for, the share that has to have changed where the latest do not count more."""
WINDOWS, FIXED_SHARE = 4, 0.05
"""Windows of the latest rows, each half as long as the one before; what each regains of weight."""


def _mark(x: Tensor) -> tuple[int, float, float]:
    """What tells a batch from others, without keeping it."""
    return len(x), float(x.sum()), float(x.square().sum())


class KernelRidge:
    """Keeps `rows` inputs, a byte a number, and solves for their targets when it is asked.

    keep: the latest rows; as many of each class as can be; or the latest where inputs are asked
    about before their labels are told, and otherwise those of each class.
    whiten: what is added to the scatter, in units of its mean variance: the more, the less it does.
    doubt: how many standard errors more often old rows have to mislead than to help, to be dropped.
    sharpness: factor from what the ridge says of a label to its log-probability.
    weight: the head's share of the answer.
    """

    kinds = ("classification", "regression", "active")

    def __init__(
        self,
        rows: int = 400,
        keep: str = "asked",
        whiten: float = 0.1,
        ridge: float = 0.02,
        doubt: float = 2.5,
        sharpness: float = 6.0,
        weight: float = 0.85,
    ) -> None:
        self.rows, self.keep, self.whiten, self.ridge = rows, keep, whiten, ridge
        self.doubt, self.sharpness, self.weight = doubt, sharpness, weight

    def holds(self, learner: PartsLearner, share: float) -> float:
        inputs = learner.spec.inputs
        row = 2 * PackedRows.size(inputs) + 4 * WINDOWS * learner.width + 8
        row += learner.targets_like(1).nbytes
        said = 4 * WINDOWS * BATCH * learner.width
        metric = inputs if inputs <= WIDEST else 1
        return float(sized(self.rows, share) * row + 4 * inputs * (metric + 2) + said)

    def build(self, learner: PartsLearner) -> None:
        self.rows, device = sized(self.rows, learner.share), learner.device
        self.x = PackedRows(self.rows, learner.spec.inputs, device)
        self.y = learner.targets_like(self.rows)
        self.born = torch.full((self.rows,), -1, dtype=torch.int32, device=device)
        self.solved = torch.zeros(1, 0, learner.width, device=device)
        self.weights, self.said = torch.ones(1, device=device), self.solved
        self.used, self.lengths = PackedRows(0, learner.spec.inputs, device), self.x.units[:0]
        self.mean = self.centre = torch.zeros(learner.spec.inputs, device=device)
        self.level = torch.zeros(learner.width, device=device)
        self.metric: Tensor | None = None
        self.seen = self.fitted = self.start = self.online = self.batch = 0
        self.spent, self.changed, self.times, self.question = 0.0, 0, 0, (0, 0.0, 0.0)
        self.small = 0.0
        self.generator = learner.generator()

    # -- what is kept

    def on_batch(self, learner: PartsLearner, x: Tensor, y: Tensor) -> None:
        x = x.nan_to_num()
        own = bool(learner.hooks("targets") or learner.hooks("score_heads"))
        asked = self.times > own and self.question == _mark(x)
        self.online, self.times = self.online + 1 if asked else 0, 0
        if asked and learner.labelled:
            self._judge(y)
        if self.seen < learner.spec.observations:  # small tasks may follow, and share what is left
            left = max(0.0, MOST * learner.spec.flops - learner.flops_spent)
            self.small = self.spent + left / SMALL_TASKS
        before, self.seen = self.seen, self.seen + len(x)
        self.batch = max(self.batch, len(x))
        self.mean = self.mean + (x - self.mean).sum(0) / self.seen
        if self._latest(learner):
            rows = torch.arange(max(0, len(x) - self.rows), len(x), device=x.device)
            where = self.born.argsort()[: len(rows)]
        else:
            where, rows = self._balanced(y, before)
        self.x.put(where, x[rows])
        self.y[where], self.born[where] = y[rows], (before + rows).to(torch.int32)
        self.changed += len(where)

    def _judge(self, y: Tensor) -> None:
        """What each window said of a batch, now that its labels (B,) are told."""
        right = self.said[:, torch.arange(len(y), device=y.device), y].clamp(min=0.01)
        weights = (self.weights.log() + right.log().sum(1)).softmax(0)
        self.weights = (1.0 - FIXED_SHARE) * weights + FIXED_SHARE / len(weights)

    def _latest(self, learner: PartsLearner) -> bool:
        if self.keep == "asked" and learner.labelled:
            return self.online >= 2 or learner.spec.support > 0
        return self.keep != "balanced" or not learner.labelled

    def _balanced(self, y: Tensor, before: int) -> tuple[Tensor, Tensor]:
        """Where which rows of a batch go, (R,) each: a row of a class that is not the largest takes
        the place of one of the largest, a row of the largest that of one of its own, by luck."""
        own = torch.where(self.born >= 0, self.y, -1).tolist()
        free = [at for at, label in enumerate(own) if label < 0]
        luck = torch.rand(2, len(y), generator=self.generator).tolist()
        where: dict[int, int] = {}
        for row, label in enumerate(y.tolist()):
            if free:
                slot = free.pop(0)
            else:
                counts = {each: own.count(each) for each in set(own)}
                largest = max(counts, key=lambda each: (counts[each], each))
                full = counts.get(label, 0) == counts[largest]
                if full and luck[1][row] * (before + row + 1) > self.rows:
                    continue
                places = [at for at, each in enumerate(own) if each == (label if full else largest)]
                slot = places[int(luck[0][row] * len(places))]
            own[slot], where[slot] = label, row
        return (
            torch.tensor(list(where), dtype=torch.int64, device=y.device),
            torch.tensor(list(where.values()), dtype=torch.int64, device=y.device),
        )

    def boundary(self, learner: PartsLearner) -> None:
        """Drop the rows of before the last boundary if they mislead about those since: asked about
        each of these with itself left out, they make more errors than those since alone."""
        held, start = self.born >= 0, self.start
        new, old = held & (self.born >= start), held & (self.born < start)
        self.start = self.seen
        if not learner.labelled or min(int(new.sum()), int(old.sum())) < LEAST:
            return
        if not bool(torch.isin(self.y[new], self.y[old]).all()):
            return  # other classes: there is nothing to contradict
        alone, every = new.nonzero()[:, 0], torch.cat((new.nonzero()[:, 0], old.nonzero()[:, 0]))
        present = torch.bincount(self.y[new], minlength=learner.width) > 0
        right = [
            self._left_out(rows, learner)[: len(alone)]
            .masked_fill(~present, -torch.inf)
            .argmax(1)
            .eq(self.y[alone])
            for rows in (alone, every)
        ]
        lost, won = (int((one & ~two).sum()) for one, two in (right, right[::-1]))
        if lost - won > self.doubt * max(lost + won, 1) ** 0.5:
            self.born[old] = -1
            self.fitted, self.changed = 0, self.rows

    def episode(self, learner: PartsLearner) -> None:
        """A new small task: the rows of the last one leave."""
        self._keep(torch.zeros(0, dtype=torch.int64, device=self.y.device), self.rows)
        self.start = self.seen

    def forget(self, learner: PartsLearner, x: Tensor, y: Tensor) -> None:
        """Rows that are equal to one of x, once packed, leave, and what was solved for goes."""
        self.born[self.x.equal(x)] = -1
        self._keep((self.born >= 0).nonzero()[:, 0], self.rows)

    def compress(self, learner: PartsLearner, room: int) -> None:
        """Fewer rows, the latest."""
        row = int(self.holds(learner, 1.0)) // max(self.rows, 1)
        rows = max(1, min(self.rows, room // max(row, 1)))
        self._keep(
            self.born.argsort(descending=True)[: min(rows, int((self.born >= 0).sum()))], rows
        )

    def _keep(self, where: Tensor, rows: int) -> None:
        """Only the rows there, and room for so many; nothing is solved for."""
        y = torch.zeros_like(self.y[:1]).repeat(rows, *[1] * (self.y.dim() - 1))
        born = torch.full((rows,), -1, dtype=torch.int32, device=y.device)
        y[: len(where)], born[: len(where)] = self.y[where], self.born[where]
        self.x, self.y, self.born, self.rows = self.x.kept(where, rows), y, born, rows
        self.lengths, self.changed, self.fitted = self.lengths[:0], rows, 0

    # -- what it says

    def head_logits(self, learner: PartsLearner, x: Tensor, features: Tensor) -> Tensor:
        x, small = x.nan_to_num(), len(x) <= BATCH  # the labels of few may come next
        mark = _mark(x) if small else (0, 0.0, 0.0)
        self.times = self.times + 1 if small and self.question == mark else int(small)
        self.question = mark
        if self.changed:
            self._refresh(learner)
        told = x.new_zeros(1, len(x), learner.width)
        if len(self.lengths):
            kernel = self._kernel(x - self.centre, self._centred(self.used), self.lengths)
            told = kernel @ self.solved + self.level
        if not learner.labelled:
            return told[0]
        said = (self.sharpness * told).softmax(2)
        self.said = said if small else said.new_zeros(len(said), 0, learner.width)
        return torch.einsum("h,hbc->bc", self.weights, said).clamp(min=1e-6).log()

    def _refresh(self, learner: PartsLearner) -> None:
        """Solve for the rows, if the operations allowed so far pay for it."""
        rows = self.born.argsort(descending=True)[: int((self.born >= 0).sum())]
        if self._latest(learner):
            rows = rows[: self._window(learner)]
        elif self.changed < ENOUGH * len(self.lengths):
            return
        inputs, count = len(self.mean), len(rows)
        cost = 2.0 * count * inputs * (count + inputs)
        again = self.seen >= AGAIN * self.fitted
        if not count or not self._may(learner, (3 if again else 1) * cost):
            return
        self.centre, self.changed = self.mean, 0
        if again:
            self._fit(learner, rows)
        wanted = self._wanted(learner, rows)
        self.level = torch.zeros_like(self.level) if learner.labelled else wanted.mean(0)
        wanted = wanted - self.level
        heads = WINDOWS if self._latest(learner) and learner.labelled else 1
        if heads != len(self.weights):
            self.weights = torch.full((heads,), 1.0 / heads, device=rows.device)
        self.used = PackedRows(count, inputs, rows.device)
        self.used.numbers, self.used.units = self.x.numbers[rows], self.x.units[rows]
        self.lengths = self._length(self._centred(self.used))
        self.solved, lower = wanted.new_zeros(heads, count, learner.width), self._factor(rows)
        for head in range(heads):
            first = max(1, count >> head)
            part = lower[:first, :first]
            self.solved[head, :first] = torch.cholesky_solve(wanted[:first], part)

    def _window(self, learner: PartsLearner) -> int:
        """How many of the latest rows can be solved for after every batch."""
        spec, inputs = learner.spec, len(self.mean)
        if not spec.flops or not spec.observations:
            return self.rows
        each = SHARE * spec.flops * max(self.batch, 1) / spec.observations / 2 / inputs
        return max(LEAST, min(self.rows, int((each + inputs**2 / 4) ** 0.5 - inputs / 2)))

    def _may(self, learner: PartsLearner, cost: float) -> bool:
        spec = learner.spec
        done = 0.1 + self.seen / spec.observations if spec.observations else 1.0
        most = SHARE * spec.flops * min(1.0, done)
        if spec.support and self.seen >= spec.observations:
            most = self.small
        if spec.flops and self.spent + cost > most:
            return False
        affords = getattr(learner, "affords", None)  # skeletons of before have none
        if affords is not None and not affords(cost):
            return False
        self.spent += cost
        return True

    def _fit(self, learner: PartsLearner, rows: Tensor) -> None:
        """Choose the metric by the squared errors on rows left out."""
        self.fitted, self.metric = self.seen, None
        x = self.x.get(rows) - self.centre
        if x.shape[1] > WIDEST or len(rows) < LEAST:
            return
        wanted = self._wanted(learner, rows)
        if learner.labelled:
            classes = F.one_hot(self.y[rows], learner.width).float()
            x = x - (classes.T @ x / classes.sum(0).clamp(min=1.0)[:, None])[self.y[rows]]
        scatter = x.T @ x / len(x)
        size = scatter.diagonal().mean().clamp(min=1e-8)
        scatter = scatter / size
        scatter.diagonal().add_(self.whiten + FEW * x.shape[1] / len(x))
        plain = (self._left_out(rows, learner) - wanted).square().mean()
        self.metric = torch.cholesky_inverse(torch.linalg.cholesky(scatter))
        white = (self._left_out(rows, learner) - wanted).square().mean()
        self.metric = self.metric if white < plain else None

    def _left_out(self, rows: Tensor, learner: PartsLearner) -> Tensor:
        """What is said of each row by all the others, (R, width), in closed form."""
        inverse, wanted = torch.cholesky_inverse(self._factor(rows)), self._wanted(learner, rows)
        return wanted - (inverse @ wanted) / inverse.diagonal()[:, None]

    def _wanted(self, learner: PartsLearner, rows: Tensor) -> Tensor:
        if not learner.labelled:
            return self.y[rows]
        return F.one_hot(self.y[rows], learner.width).float() - 1.0 / learner.width

    def _factor(self, rows: Tensor) -> Tensor:
        z = self.x.get(rows) - self.centre
        kernel = self._kernel(z, z, self._length(z))
        kernel.diagonal().add_(self.ridge)
        lower, failed = torch.linalg.cholesky_ex(kernel)
        if int(failed):  # rows that are equal to the last bit, and a ridge that is small
            kernel.diagonal().add_(0.1)
            lower = torch.linalg.cholesky(kernel)
        found: Tensor = lower
        return found

    def _centred(self, rows: PackedRows) -> Tensor:
        return rows.get(slice(None)) - self.centre

    def _kernel(self, x: Tensor, z: Tensor, lengths: Tensor) -> Tensor:
        """Of centred inputs (B, inputs) with centred rows (R, inputs) of these lengths (R,):
        (B, R)."""
        turned = x if self.metric is None else x @ self.metric
        cosine = turned @ z.T / self._length(x, turned)[:, None] / lengths
        cosine = cosine.clamp(-1.0, 1.0)
        sine = (1.0 - cosine.square()).clamp(min=0.0).sqrt()
        kernel: Tensor = (sine + (torch.pi - torch.arccos(cosine)) * cosine) / torch.pi
        return kernel

    def _length(self, x: Tensor, turned: Tensor | None = None) -> Tensor:
        """Of centred inputs in the metric, (B,)."""
        if turned is None:
            turned = x if self.metric is None else x @ self.metric
        length: Tensor = (turned * x).sum(1).clamp(min=1e-12).sqrt()
        return length
