"""What a part of a composed learner is, and what it may ask of the learner that it is part of.

This module is imported inside the sandbox. It needs only the standard library, numpy and torch.

A part is any object with some of the methods of `Part`, its *hooks*; a hook that no part has costs
nothing. Parts are called in the order of the learner's list `parts`. A part with an attribute
`kinds` is left out of streams of other kinds. The learner that calls them is an agent's own code
(`parts/skeleton.py`); what it promises to parts is `PartsLearner`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from cambrian.agents.contract import TaskSpec

PARTS_PROTOCOL = 3
"""The version of the hooks below. Those of version 1 were called otherwise, and were untyped."""

FILLED = 0.92
"""The share of the bytes allowed that parts are made to fit into, where they want more: what is
counted has small things beside what parts know of."""

Carry = Callable[[Tensor], Tensor]
"""Turns a tensor that is shaped like a weight before a change of shape into one shaped like it is
after: what was learned of a unit stays with it, and new units get zeros."""


class Batch:
    """The rows of one step: the `new` ones first, then what parts added.

    Attributes:
        x: (R, inputs) float32, flat.
        y: (R,) int64, (R, steps) int64 of a sequence, or (R, outputs) float32.
        weight: (R,) a row's share of the base loss; those of the new rows sum to 1.
        task: the task's number, where the benchmark tells.
        features, logits: (R, hidden) and (R, width), set once the network has run.
    """

    def __init__(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        self.x, self.y, self.new, self.task = x, y, len(x), task
        self.weight = torch.full((len(x),), 1.0 / len(x), device=x.device)
        self.features = self.logits = x

    def add(self, x: Tensor, y: Tensor, weight: float) -> slice:
        """Append rows that share `weight` in the base loss; where they are."""
        rows = slice(len(self.x), len(self.x) + len(x))
        share = self.weight.new_full((len(x),), weight / len(x))
        self.x, self.y = torch.cat((self.x, x)), torch.cat((self.y, y))
        self.weight = torch.cat((self.weight, share))
        return rows


@dataclass
class Clock:
    """How far the stream is, counted once for all parts.

    Attributes:
        seen: samples observed.
        batches: batches observed.
        steps: steps taken.
        boundaries: ends of tasks that were told.
        drifts: changes of the stream that a part has reported.
    """

    seen: int = 0
    batches: int = 0
    steps: int = 0
    boundaries: int = 0
    drifts: int = 0


class Recent:
    """The latest samples, kept once for all parts: as many as the part that wants most asked for.

    Attributes:
        x: (R, inputs) float32, R at most `samples`, the latest last.
    """

    def __init__(self, inputs: int, device: torch.device) -> None:
        self.x = torch.zeros(0, inputs, device=device)
        self.samples = 0

    def keep(self, samples: int) -> None:
        """Ask, in `build`, for the latest `samples`."""
        self.samples = max(self.samples, samples)

    def add(self, x: Tensor) -> None:
        """Take new rows (B, inputs) in; the learner does so, once per batch."""
        if self.samples:
            self.x = torch.cat((self.x, x))[-self.samples :]

    def last(self, samples: int) -> Tensor:
        """The latest `samples` inputs (at most, inputs), fewer where fewer were seen."""
        return self.x[-samples:]


class PackedRows:
    """Rows of inputs in a byte a number: whole 127ths of the largest in the row.

    Args:
        rows: how many there is room for. inputs: numbers in each.
    """

    def __init__(self, rows: int, inputs: int, device: torch.device) -> None:
        self.numbers = torch.zeros(rows, inputs, dtype=torch.int8, device=device)
        self.units = torch.zeros(rows, device=device)

    @staticmethod
    def size(inputs: int) -> int:
        """Bytes of a row."""
        return inputs + 4

    def put(self, where: Tensor, x: Tensor) -> None:
        """Keep rows x (R, inputs) in the places `where` (R,)."""
        units = x.abs().amax(1).clamp(min=1e-12) / 127.0
        self.numbers[where] = (x / units[:, None]).round().to(torch.int8)
        self.units[where] = units

    def get(self, where: Tensor | slice) -> Tensor:
        """The rows in the places `where`, (R, inputs) float32, right to a 254th of their largest
        number."""
        return self.numbers[where].to(torch.float32) * self.units[where][:, None]

    def equal(self, x: Tensor) -> Tensor:
        """Which rows are equal, once packed, to one of x (B, inputs): (rows,) bool."""
        asked = PackedRows(len(x), x.shape[1], x.device)
        asked.put(torch.arange(len(x), device=x.device), x)
        found = torch.zeros(len(self.units), dtype=torch.bool, device=x.device)
        for numbers, unit in zip(asked.numbers, asked.units, strict=True):
            found |= (self.units == unit) & (self.numbers == numbers).all(1)
        return found

    def kept(self, where: Tensor, rows: int) -> PackedRows:
        """The rows in the places `where` (R,) and room for `rows` in all."""
        found = PackedRows(rows, self.numbers.shape[1], self.units.device)
        found.numbers[: len(where)], found.units[: len(where)] = (
            self.numbers[where],
            self.units[where],
        )
        return found


def sized(count: int, share: float) -> int:
    """A size at the share of it that the allowance has room for, at least 1."""
    return count if share == 1.0 else max(1, int(count * share))


class Transition(NamedTuple):
    """One step of E environments (control).

    Attributes:
        observations, next_observations: (E, inputs) float32, flat.
        actions: (E,) int64, or (E, width) float32 where they are continuous.
        rewards: (E,) float32.
        terminated: (E,) bool: nothing comes after.
        truncated: (E,) bool: cut short, though more would come.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    truncated: Tensor
    next_observations: Tensor


class PartsLearner(Protocol):
    """What parts may use of their learner. `width` is how many values the network gives.

    `labelled` says whether targets are labels (classification, active) and not real numbers.
    `weights` are the network's tensors: for each layer a matrix (out, in) and a bias (out,).
    `trained` are these, then what parts train of their own. `task` is the task of the call at hand.
    `flops_spent` is what was counted of the operations allowed, before the call at hand.
    `share` is the share of their full size that all parts can have within the bytes allowed: 1
    where they fit. `spare` is how many bytes are left then; infinite where none are counted.
    """

    spec: TaskSpec
    device: torch.device
    lr: float
    steps: int
    width: int
    labelled: bool
    weights: list[Tensor]
    trained: list[Tensor]
    clock: Clock
    recent: Recent
    task: int | None
    flops_spent: int
    share: float
    spare: float

    def hooks(self, name: str) -> list[Callable[..., Any]]:
        """The methods called `name` of the parts that have one, in the order of the list."""

    def generator(self) -> torch.Generator:
        """A fresh stream of randomness on the CPU (the same draws on every device)."""

    def features(self, share: float) -> int:
        """How many features the network gives, at a share of its full size."""

    def claim(self, wanted: int) -> int:
        """Bytes of state that a part may hold of the `wanted`: fewer where the allowance is short.

        Claims are served in the order of the list; the network's and the learner's come first.
        """

    def targets_like(self, count: int) -> Tensor:
        """Zeros of the shape and type of `count` targets."""

    def layers(self, x: Tensor, weights: list[Tensor] | None = None) -> Iterator[Tensor]:
        """What each layer's matrix multiplies, as rows (R, in), then the logits (B, width)."""

    def forward(self, x: Tensor, weights: list[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Features (B, hidden) and logits (B, width) of x (B, inputs)."""

    def objective(self, batch: Batch, weights: list[Tensor] | None = None) -> Tensor:
        """The whole loss (a scalar) of a batch, with other weights of the network if given.

        Sets the batch's features and logits."""

    def heads(self, x: Tensor) -> list[Tensor]:
        """Log-probabilities (B, width) of the network, then of every other head; for real-valued
        targets the values."""

    def ensemble(self, heads: list[Tensor]) -> Tensor:
        """The heads' common answer (B, width), before any part's `decode`."""

    def affords(self, operations: float = 0.0) -> bool:
        """Whether work that can be left out, of so many operations, may be done now: what is spent
        keeps to the stream's pace, and what its rest costs anyway is kept back."""

    def learn(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        """One batch, x (B, inputs) flat, through all hooks of learning."""

    def resize(self, carry: Sequence[Carry]) -> None:
        """Change the shape of `weights`, one function each, and tell all parts (`resized`)."""

    def drifted(self) -> None:
        """The stream has changed, a part says: tell all parts (`drift`)."""


class Part(Protocol):
    """Every hook. A part has those that it needs, with just these arguments."""

    # what the learner is made of

    copies: float
    """How many tensors like each of the network's weights it keeps (1.5: one, and one of half the
    bytes); 0 where it does not say."""

    def holds(self, learner: PartsLearner, share: float) -> float:
        """Bytes that it keeps beside such copies at a share of its full size, asked before
        `network` and `build`; these use `learner.share`. Role network: bytes of its weights."""

    def wide(self, learner: PartsLearner, share: float) -> int:
        """Role network: how many features it gives, at a share of its full size."""

    def network(self, learner: PartsLearner) -> list[Tensor]:
        """Role network: the weights at the start, a matrix (out, in) and a bias for each layer,
        on the learner's device; the last layer gives `learner.width` values. Needs `run_layers`."""

    def run_layers(
        self, learner: PartsLearner, x: Tensor, weights: list[Tensor]
    ) -> Iterator[Tensor]:
        """Role network: for x (B, inputs), what each matrix multiplies as rows (R, in), and at
        last the logits (B, width). The rows of the last layer are the features (B, hidden)."""

    def build(self, learner: PartsLearner) -> None:
        """Once, when the network is ready: make buffers, ask for `learner.recent.keep(...)`. The
        optimiser's comes last."""

    def parameters(self) -> list[Tensor]:
        """Tensors of its own that are trained as the network's are (once, after `build`)."""

    # a batch

    def targets(self, learner: PartsLearner, heads: list[Tensor], y: Tensor) -> Tensor:
        """What the given labels mean, before anything learns them; `heads` are the heads'
        log-probabilities (B, outputs) on the new data."""

    def score_heads(self, learner: PartsLearner, heads: list[Tensor], y: Tensor) -> None:
        """Judge the heads by what they say (B, outputs) of the new data, whose targets are y."""

    def on_batch(self, learner: PartsLearner, x: Tensor, y: Tensor) -> None:
        """New data, x (B, inputs), once per batch, before the network learns from it."""

    def replay(self, learner: PartsLearner, batch: Batch) -> None:
        """Add rows to the batch (`batch.add(x, y, weight)`), at every step."""

    # a step

    def scores(self, learner: PartsLearner, batch: Batch, logits: Tensor) -> Tensor:
        """The logits (R, width) that the base loss sees."""

    def base_loss(self, learner: PartsLearner, batch: Batch, logits: Tensor) -> Tensor:
        """Role loss: the loss of each row (R,), to be weighted by `batch.weight`."""

    def loss(self, learner: PartsLearner, batch: Batch) -> Tensor | None:
        """An extra loss, of shape (1,) or a scalar; `batch.features` and `batch.logits` are set."""

    def update(self, learner: PartsLearner, batch: Batch) -> tuple[Tensor, list[Tensor]]:
        """Role update: the loss, a scalar (), and a gradient or what stands for it for each of
        `learner.trained`, of its shape (...).
        `learner.objective(batch, weights)` may be asked as often as it likes."""

    def gradients(self, learner: PartsLearner, batch: Batch, grads: list[Tensor]) -> list[Tensor]:
        """Change the gradients, one for each of `learner.weights` and of its shape (...)."""

    def optimise(self, learner: PartsLearner, grads: list[Tensor]) -> list[Tensor]:
        """Role optimiser: the step for each of `learner.trained`, of its shape (...); the learner
        subtracts it times `learner.lr`. Comes after every part's `gradients`."""

    def after_step(self, learner: PartsLearner, batch: Batch, loss: Tensor) -> None:
        """The weights have been stepped, after a loss (a scalar) on a batch (R, ...);
        `learner.lr` may be changed."""

    def after_batch(self, learner: PartsLearner, batch: Batch) -> None:
        """Once per batch, after its last step: store the first `batch.new` rows."""

    # events

    def boundary(self, learner: PartsLearner) -> None:
        """A task has ended (only where a benchmark tells)."""

    def drift(self, learner: PartsLearner) -> None:
        """A part has found that the stream has changed (`learner.drifted()`)."""

    def resized(self, learner: PartsLearner, carry: Sequence[Carry]) -> None:
        """Weights have changed shape: carry what is kept of each, one function a weight."""

    # an answer

    def averaged(self, learner: PartsLearner) -> list[Tensor]:
        """Role average: weights to predict with, each of the shape (...) of the trained one."""

    def head_logits(self, learner: PartsLearner, x: Tensor, features: Tensor) -> Tensor:
        """Role head: log-probabilities (B, width) of x (B, inputs); the attribute `weight` is its
        share of the answer where no part combines heads."""

    def combine(self, learner: PartsLearner, heads: list[Tensor]) -> Tensor:
        """Role ensemble: one answer (B, width) of all heads'; heads[0] is the network's."""

    def decode(self, learner: PartsLearner, scores: Tensor) -> Tensor:
        """The inverse of `targets`: the last word on the answer (B, width)."""

    # learning to learn

    def adapt(self, learner: PartsLearner, x: Tensor, y: Tensor, steps: int | None) -> None:
        """Role meta: fit the weights to a small task, x (B, inputs), in place; the learner is a
        copy, or takes them back."""

    def meta_step(self, learner: PartsLearner, start: list[Tensor]) -> None:
        """Role meta: after `adapt` on a task of the stream, where to start the next one from;
        `start` is where this one started, weights of shapes (...), `learner.weights` where it
        ended."""

    def episode(self, learner: PartsLearner) -> None:
        """A new small task starts, and nothing of the last one helps with it."""

    # control

    def act(self, learner: PartsLearner, values: Tensor) -> Tensor:
        """Role control: actions (E,) int64, given the answer (E, width) on the observations: a
        value for each of `spec.actions`. Continuous ones are (E, width) float32 in [-1, 1]."""

    def feedback(self, learner: PartsLearner, step: Transition) -> None:
        """Role control: what the last actions led to; may call `learner.learn`."""

    # choosing data, and giving it up

    def query(self, learner: PartsLearner, pool: Tensor) -> Tensor:
        """Role acquisition: how much each x of a pool (N, inputs) is wanted, (N,); most first."""

    def suggest(self, learner: PartsLearner, count: int) -> Tensor:
        """Role acquisition: x (count, inputs) whose targets are wanted next."""

    def forget(self, learner: PartsLearner, x: Tensor, y: Tensor) -> None:
        """Remove what is held of these samples, x (B, inputs)."""

    def compress(self, learner: PartsLearner, room: int) -> None:
        """Hold at most `room` bytes."""
