"""What every composed learner has in common: it runs the hooks of its parts in their order.

The hooks are those of `cambrian.agents.part.Part`. A learner lists its parts and says what the
verbs of the contract do with them; here is how a batch is learned and a question answered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec
from cambrian.agents.part import FILLED, Batch, Carry, Clock, Recent

PACE = 0.85
"""The share of the operations allowed that is spent evenly over the stream; see `affords`."""

BEFORE = 0.4
"""The share of what may be spent that is spent before small tasks follow the stream."""


class Skeleton(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.seeds = torch.Generator().manual_seed(seed)
        self.clock, self.recent = Clock(), Recent(spec.inputs, self.device)
        self.task: int | None = None
        self.lr, self.steps, self.claimed = 0.2, 1, 0
        self.share, self.spare = 1.0, math.inf
        self.effort, self.told_spent, self.rows, self.kept_back = 1, 0, 0, 0.0
        self.asking: int | None = None  # what was spent when the latest questions began
        self.least, self.dearest, self.asked, self.asked_by = math.inf, 0, 0, (0, 0)
        self.labelled = spec.kind in ("classification", "active")
        self.width = spec.outputs * (spec.input_shape[0] if spec.kind == "sequence" else 1)
        if spec.kind == "control":  # a value for each action, or the continuous action itself
            self.width = spec.actions or math.prod(spec.action_shape)
        self.parts: list[Any] = []
        self.weights: list[Tensor] = []

    def assemble(self) -> None:
        """Make the network and build the parts; a part whose `kinds` lack the stream's is idle."""
        kind = self.spec.kind
        self.active = [part for part in self.parts if kind in getattr(part, "kinds", (kind,))]
        self.fit()
        self.weights = [weight.requires_grad_() for weight in self.only("network")(self)]
        self.claim(sum(weight.nbytes for weight in self.weights))
        self.trained = list(self.weights)
        steps = [part for part in self.active if hasattr(part, "optimise")]
        for part in [part for part in self.active if part not in steps]:
            if hasattr(part, "build"):
                part.build(self)
            if hasattr(part, "parameters"):
                self.trained += part.parameters()
        for part in steps:  # last, for it keeps something of all that is trained
            if hasattr(part, "build"):
                part.build(self)

    def fit(self) -> None:
        """Find the share of their full size that all parts can have within the bytes allowed."""
        room = self.spec.memory_bytes
        copies = 1.0 + sum(getattr(part, "copies", 0.0) for part in self.active)

        def wanted(share: float) -> float:
            held: float = sum(
                part.holds(self, share) * (copies if hasattr(part, "network") else 1.0)
                for part in self.active
                if hasattr(part, "holds")
            )
            return held

        if not room:
            return
        if wanted(1.0) > room:
            low, high = 0.0, 1.0
            for _ in range(12):
                middle = (low + high) / 2
                low, high = (middle, high) if wanted(middle) <= FILLED * room else (low, middle)
            self.share = max(low, 2.0**-12)
        self.spare = max(0.0, FILLED * room - wanted(self.share))

    # what parts may use

    def hooks(self, name: str) -> list[Callable[..., Any]]:
        """The methods called `name` of the parts that have one, in the order of the list."""
        return [getattr(part, name) for part in self.active if hasattr(part, name)]

    def only(self, name: str) -> Callable[..., Any]:
        """The one method called `name`.

        Raises:
            TypeError: no part has one, or several have: their role is for one part alone.
        """
        found = self.hooks(name)
        if len(found) != 1:
            owners = [type(part).__name__ for part in self.active if hasattr(part, name)]
            raise TypeError(f"expected one part with the hook {name}; got {owners or 'none'}")
        return found[0]

    def generator(self) -> torch.Generator:
        """A fresh stream of randomness on the CPU (the same draws on every device)."""
        seed = torch.randint(0, 2**62, (1,), generator=self.seeds)
        return torch.Generator().manual_seed(int(seed))

    def features(self, share: float) -> int:
        """How many features the network gives, at a share of its full size."""
        return sum(wide(self, share) for wide in self.hooks("wide"))

    def claim(self, wanted: int) -> int:
        """Bytes that a part may hold of the `wanted`: fewer where the allowance is short."""
        given = wanted
        if self.spec.memory_bytes:
            given = max(0, min(wanted, self.spec.memory_bytes - self.claimed))
        self.claimed += given
        return given

    def targets_like(self, count: int) -> Tensor:
        """Zeros of the shape and type of `count` targets."""
        if self.labelled:
            return torch.zeros(count, dtype=torch.int64, device=self.device)
        if self.spec.kind == "sequence":
            steps = self.spec.input_shape[0]
            return torch.zeros(count, steps, dtype=torch.int64, device=self.device)
        return torch.zeros(count, self.width, device=self.device)

    def layers(self, x: Tensor, weights: list[Tensor] | None = None) -> Iterator[Tensor]:
        """What each layer's matrix multiplies, as rows, then the logits (B, width)."""
        run: Iterator[Tensor] = self.only("run_layers")(
            self, x, self.weights if weights is None else weights
        )
        return run

    def forward(self, x: Tensor, weights: list[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Features (B, hidden) and logits (B, width) of x (B, inputs)."""
        *_, features, logits = self.layers(x, weights)
        return features, logits

    def objective(self, batch: Batch, weights: list[Tensor] | None = None) -> Tensor:
        """The whole loss of a batch; sets its features and logits."""
        batch.features, batch.logits = self.forward(batch.x, weights)
        logits = batch.logits
        for scores in self.hooks("scores"):
            logits = scores(self, batch, logits)
        loss: Tensor = self.only("base_loss")(self, batch, logits) @ batch.weight
        for extra in self.hooks("loss"):
            more = extra(self, batch)
            loss = loss if more is None else loss + more
        return loss

    def affords(self, operations: float = 0.0) -> bool:
        """Whether work that can be left out, of so many operations, may be done now: what is spent
        keeps to the stream's pace, and what its rest costs anyway is kept back (`foresee`)."""
        most, whole = self.spec.flops, self.spec.observations
        if not most:
            return True
        done = self.clock.seen / whole if whole else 1.0
        if self.spec.support and done >= 1.0:  # small tasks: each is met as if it were the only one
            return bool(self.effort)
        even = (0.05 + PACE * done) * most if done < 1.0 else most
        even = BEFORE * even if self.spec.support else even
        return self.flops_spent + operations <= min(even, 0.97 * most - self.kept_back)

    def foresee(self, rows: int) -> None:
        """After a batch of so many rows: forecast what the rest of the stream costs anyway, to be
        kept back. That is the cheapest batch so far for each to come, questions as before, more
        where they grow (at most as the square of what was seen), and the dearest round again."""
        spent, seen = self.flops_spent, max(1, self.clock.seen)
        since = spent if self.asking is None else self.asking
        if self.rows:
            self.least = min(self.least, (since - self.told_spent) / self.rows)
        self.dearest = max(self.dearest, spent - self.told_spent)
        self.asked += spent - since
        self.asking, self.told_spent, self.rows = None, spent, rows
        (seen_by, asked_by), growth = self.asked_by, 2.0
        if seen > seen_by and self.asked > asked_by > 0:
            growth = math.log(self.asked / asked_by) / math.log(seen / seen_by)
        if seen >= 2 * seen_by:
            self.asked_by = (seen, self.asked)
        times = max(self.spec.observations, seen) / seen
        more = self.asked * (times ** max(1.0, min(2.0, growth)) - 1.0)
        rest = self.least * (times - 1.0) * seen if self.least < math.inf else 0.0
        self.kept_back = self.dearest + more + rest

    @torch.no_grad()
    def heads(self, x: Tensor) -> list[Tensor]:
        """The answer (B, width) of the network, then of every other head."""
        averaged = self.hooks("averaged")
        features, logits = self.forward(x, self.only("averaged")(self) if averaged else None)
        return [self.log(logits), *(h(self, x, features) for h in self.hooks("head_logits"))]

    def ensemble(self, heads: list[Tensor]) -> Tensor:
        """The heads' common answer (B, width), before any part's `decode`."""
        if self.hooks("combine"):
            scores: Tensor = self.only("combine")(self, heads)
            return scores
        shares = [part.weight for part in self.active if hasattr(part, "head_logits")]
        mixed: Tensor = max(0.0, 1.0 - sum(shares)) * heads[0]
        for share, head in zip(shares, heads[1:], strict=True):
            mixed = mixed + share * head
        return self.log(mixed)

    def log(self, scores: Tensor) -> Tensor:
        """Log-probabilities of scores (B, width); real-valued answers stay as they are."""
        if self.labelled:
            return scores.log_softmax(1)
        if self.spec.kind == "sequence":
            steps = scores.view(len(scores), -1, self.spec.outputs)
            return steps.log_softmax(2).view_as(scores)
        return scores

    def resize(self, carry: Sequence[Carry]) -> None:
        """Change the shape of the weights, one function each, and tell all parts."""
        own = self.trained[len(self.weights) :]
        with torch.no_grad():
            self.weights = [
                change(weight).clone().requires_grad_()
                for change, weight in zip(carry, self.weights, strict=True)
            ]
            self.trained = [*self.weights, *own]
            for resized in self.hooks("resized"):
                resized(self, carry)

    def drifted(self) -> None:
        """The stream has changed: tell all parts."""
        self.clock.drifts += 1
        for drift in self.hooks("drift"):
            drift(self)

    # what the verbs are made of

    def learn(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        """One batch, x (B, inputs) flat, through all hooks of learning."""
        self.task = task
        encoders, judges = self.hooks("targets"), self.hooks("score_heads")
        heads = self.heads(x) if encoders or judges else []
        for targets in encoders:
            y = targets(self, heads, y)
        for score_heads in judges:
            score_heads(self, heads, y)
        for on_batch in self.hooks("on_batch"):
            on_batch(self, x, y)
        batch, steps = Batch(x, y, task), self.steps if self.effort else 0
        if not steps:
            with torch.no_grad():
                batch.features, batch.logits = self.forward(x)
        for _ in range(steps):
            batch = self._step(Batch(x, y, task))
        self.clock.seen += len(x)
        self.clock.batches += 1
        self.recent.add(x)
        for after_batch in self.hooks("after_batch"):
            after_batch(self, batch)
        self.foresee(len(x))
        self.effort = int(self.affords())

    def answer(self, x: Tensor, task: int | None = None) -> Tensor:
        """The answer (B, outputs), of a sequence (B, steps, outputs), for x (B, *input_shape)."""
        self.task = task
        scores = self.ensemble(self.heads(x.reshape(len(x), -1)))
        for decode in self.hooks("decode"):
            scores = decode(self, scores)
        if self.spec.kind != "sequence":
            return scores
        return scores.view(len(x), -1, self.spec.outputs)

    def _step(self, batch: Batch) -> Batch:
        for replay in self.hooks("replay"):
            replay(self, batch)
        loss, grads = self.only("update")(self, batch)
        own = len(self.weights)
        with torch.no_grad():
            for gradients in self.hooks("gradients"):
                grads = [*gradients(self, batch, grads[:own]), *grads[own:]]
            steps = self.only("optimise")(self, grads)
            torch._foreach_add_(self.trained, steps, alpha=-self.lr)
            self.clock.steps += 1
            for after_step in self.hooks("after_step"):
                after_step(self, batch, loss.detach())
        return batch

    # verbs that are the same in every skeleton

    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        self.asking = self.flops_spent if self.asking is None else self.asking
        return self.answer(x, task)

    def task_boundary(self) -> None:
        self.clock.boundaries += 1
        for boundary in self.hooks("boundary"):
            boundary(self)

    def query(self, pool: Tensor, count: int) -> Tensor:
        """Indices (count,) of a pool (N, *input_shape): the most wanted, else any."""
        if self.hooks("query"):
            wanted = self.only("query")(self, pool.reshape(len(pool), -1))
        else:
            wanted = torch.rand(len(pool), generator=self.generator())
        best: Tensor = wanted.topk(min(count, len(pool))).indices
        return best

    def suggest(self, count: int) -> Tensor:
        """x (count, *input_shape) whose targets are wanted next; in [0, 1] if no part says."""
        if self.hooks("suggest"):
            x = self.only("suggest")(self, count)
        else:
            x = torch.rand(count, self.spec.inputs, generator=self.generator()).to(self.device)
        shaped: Tensor = x.reshape(count, *self.spec.input_shape)
        return shaped

    def forget(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        """Every part gives up what it holds of these samples, x (B, *input_shape)."""
        self.task = task
        for forget in self.hooks("forget"):
            forget(self, x.reshape(len(x), -1), y)

    def compress(self, bytes: int) -> None:  # noqa: A002 - the contract's word
        """Parts share what the network leaves of so many bytes."""
        hooks = self.hooks("compress")
        room = max(0, bytes - sum(weight.nbytes for weight in self.trained))
        for compress in hooks:
            compress(self, room // len(hooks))
