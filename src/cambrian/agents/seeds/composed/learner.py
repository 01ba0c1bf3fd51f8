"""A small network and a list of parts: mechanisms act on it through hooks.

A part is any object with some of these methods; a hook that no part has costs nothing. Parts are
called in the order of the list. `b` is a `Batch`, `learner` is the object below.

    build(learner)                  once, when the network is ready
    targets(learner, votes, y) -> y     what the given labels mean, before anything learns them;
                                    `votes` are the heads' log-probabilities on the new data
    weigh(learner, votes, y)        judge the heads by their votes on the new data
    arrive(learner, x, y)           new data, once per batch, before the network learns from it
    mix(learner, b)                 add rows to the batch (`b.add(x, y, weight)`), at every step
    scores(learner, b, logits) -> logits        what the base loss (cross-entropy) sees
    loss(learner, b) -> Tensor or None          an extra loss; b.features and b.logits are set
    gradients(learner, b, grads) -> grads       change the gradients (one per `learner.weights`)
    after_step(learner, b, loss)    the weights have been stepped; `learner.lr` may be changed
    after_batch(learner, b)         once per batch, after its last step: store b's first b.new rows
    boundary(learner)               a task has ended (only where a benchmark reveals it)
    averaged(learner) -> weights    weights to predict with, instead of the trained ones
    vote(learner, x, features) -> (B, outputs) log-probabilities of a second head
    combine(learner, votes) -> (B, outputs)     votes[0] is the network's; else a weighted sum,
                                    each head by its `weight`
    answers(learner, scores) -> scores          the inverse of `targets`: the last word
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from parts.reservoir import Reservoir
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


@dataclass
class Knobs:
    lr: float = 0.2
    hidden: int = 256
    layers: int = 2
    gain: float = 1.0  # width of the initial weights; 2.45 is He et al. 2015, arXiv:1502.01852
    steps: int = 1  # gradient steps per batch; a part that mixes rows draws anew at each


RANGES = {
    "lr": (0.01, 0.3, "log"),
    "hidden": (96, 384, "int"),
    "layers": (1, 3, "int"),
    "gain": (0.7, 3.0, "log"),
    "steps": (1, 3, "int"),
}


class Batch:
    """The rows of one step: the `new` ones first, then what parts added.

    x (R, inputs), y (R,), weight (R,): a row's share of the base loss; the new rows sum to 1.
    features (R, hidden) and logits (R, outputs) are set once the network has run.
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y, self.new = x, y, len(x)
        self.weight = torch.full((len(x),), 1.0 / len(x), device=x.device)
        self.features = self.logits = x

    def add(self, x: Tensor, y: Tensor, weight: float) -> slice:
        """Append rows that share `weight` in the base loss; returns where they are."""
        rows = slice(len(self.x), len(self.x) + len(x))
        share = self.weight.new_full((len(x),), weight / len(x))
        self.x, self.y = torch.cat((self.x, x)), torch.cat((self.y, y))
        self.weight = torch.cat((self.weight, share))
        return rows


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        self.lr = self.knobs.lr
        self.seeds = torch.Generator().manual_seed(seed)
        self.weights = self._network(self.generator())
        self.parts: list[Any] = [
            Reservoir(capacity=200),
        ]
        for build in self.hooks("build"):
            build(self)

    # what parts may use

    def hooks(self, name: str) -> list[Callable[..., Any]]:
        """The methods called `name` of the parts that have one, in the order of the list."""
        return [getattr(part, name) for part in self.parts if hasattr(part, name)]

    def generator(self) -> torch.Generator:
        """A fresh stream of randomness on the CPU (the same draws on every device)."""
        seed = torch.randint(0, 2**62, (1,), generator=self.seeds)
        return torch.Generator().manual_seed(int(seed))

    def layers(self, x: Tensor, weights: list[Tensor] | None = None) -> Iterator[Tensor]:
        """The input of each layer, then the logits."""
        weights = self.weights if weights is None else weights
        for index in range(0, len(weights), 2):
            yield x
            x = F.linear(x, weights[index], weights[index + 1])
            x = x if index == len(weights) - 2 else x.relu()
        yield x

    def forward(self, x: Tensor, weights: list[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Features (B, hidden) and logits (B, outputs) of x (B, inputs)."""
        *_, features, logits = self.layers(x, weights)
        return features, logits

    @torch.no_grad()
    def votes(self, x: Tensor) -> list[Tensor]:
        """Log-probabilities (B, outputs) of the network, then of every other head."""
        averaged = self.hooks("averaged")
        features, logits = self.forward(x, averaged[-1](self) if averaged else None)
        return [logits.log_softmax(1), *(v(self, x, features) for v in self.hooks("vote"))]

    def opinion(self, votes: list[Tensor]) -> Tensor:
        """The heads' common log-probabilities (B, outputs), before any part's `answers`."""
        scores: Tensor
        if combine := self.hooks("combine"):
            scores = combine[-1](self, votes)
            return scores
        shares = [part.weight for part in self.parts if hasattr(part, "vote")]
        mixed: Tensor = max(0.0, 1.0 - sum(shares)) * votes[0]
        for share, vote in zip(shares, votes[1:], strict=True):
            mixed = mixed + share * vote
        return mixed.log_softmax(1)

    # the contract

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        x = x.reshape(len(x), -1)
        namers, judges = self.hooks("targets"), self.hooks("weigh")
        votes = self.votes(x) if namers or judges else []
        for targets in namers:
            y = targets(self, votes, y)
        for weigh in judges:
            weigh(self, votes, y)
        for arrive in self.hooks("arrive"):
            arrive(self, x, y)
        for _ in range(self.knobs.steps):
            batch = self._step(Batch(x, y))
        for after_batch in self.hooks("after_batch"):
            after_batch(self, batch)

    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        scores = self.opinion(self.votes(x.reshape(len(x), -1)))
        for answers in self.hooks("answers"):
            scores = answers(self, scores)
        return scores

    def task_boundary(self) -> None:
        for boundary in self.hooks("boundary"):
            boundary(self)

    # inside

    def _network(self, generator: torch.Generator) -> list[Tensor]:
        widths = [self.spec.inputs, *[self.knobs.hidden] * self.knobs.layers, self.spec.outputs]
        weights = []
        for fan_in, fan_out in pairwise(widths):
            bound = self.knobs.gain * fan_in**-0.5
            weight = torch.empty(fan_out, fan_in).uniform_(-bound, bound, generator=generator)
            weights += [weight, torch.zeros(fan_out)]
        return [weight.to(self.device).requires_grad_() for weight in weights]

    def _step(self, batch: Batch) -> Batch:
        for mix in self.hooks("mix"):
            mix(self, batch)
        batch.features, batch.logits = self.forward(batch.x)
        logits = batch.logits
        for scores in self.hooks("scores"):
            logits = scores(self, batch, logits)
        loss = F.cross_entropy(logits, batch.y, reduction="none") @ batch.weight
        for extra in self.hooks("loss"):
            more = extra(self, batch)
            loss = loss if more is None else loss + more
        grads = list(torch.autograd.grad(loss, self.weights))
        with torch.no_grad():
            for gradients in self.hooks("gradients"):
                grads = gradients(self, batch, grads)
            torch._foreach_add_(self.weights, grads, alpha=-self.lr)
            for after_step in self.hooks("after_step"):
                after_step(self, batch, loss.detach())
        return batch
