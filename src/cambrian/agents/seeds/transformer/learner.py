"""A small causal transformer that learns within its context: its weights learn how to learn.

Kirsch et al. 2022, arXiv:2212.04458 (general-purpose in-context learning), with the tokens of
prior-fitted networks (Mueller et al. 2022, arXiv:2112.10510): every pair of a task is a token,
every question another, and a question sees itself and the pairs before it. Each batch is one task.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cambrian.agents.contract import Learner as Base
from cambrian.agents.contract import TaskSpec


@dataclass
class Knobs:
    lr: float = 0.002  # of Adam, after a short rise
    width: int = 64
    heads: int = 4
    layers: int = 2
    tasks: int = 1  # learned from at a time
    context: int = 64  # pairs kept, where batches are no tasks of their own


RANGES = {
    "lr": (0.0003, 0.005, "log"),
    "width": (32, 128, "int"),
    "heads": (1, 8, "int"),
    "layers": (1, 4, "int"),
    "tasks": (1, 32, "int"),
    "context": (16, 128, "int"),
}
RISE = 50


class Block(nn.Module):
    """Attention under a mask, then a layer of its own for each token; both are added on."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mixed, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        with torch.no_grad():  # questions and keys start alike: attention starts as likeness
            self.mixed.weight[width : 2 * width] = self.mixed.weight[:width]
        self.alone = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        tasks, length, width = tokens.shape
        split = (tasks, length, self.heads, width // self.heads)
        parts = self.mixed(self.before(tokens)).chunk(3, -1)
        q, k, v = (part.reshape(split).transpose(1, 2) for part in parts)
        near = (q @ k.transpose(-2, -1)) * split[-1] ** -0.5
        seen = near.masked_fill(~mask, -1e9).softmax(-1) @ v
        tokens = tokens + self.out(seen.transpose(1, 2).reshape(tasks, length, width))
        result: Tensor = tokens + self.alone(self.between(tokens))
        return result


class Network(nn.Module):
    def __init__(self, spec: TaskSpec, knobs: Knobs) -> None:
        super().__init__()
        width = max(1, knobs.width // knobs.heads) * knobs.heads
        self.inputs = nn.Linear(spec.inputs, width)
        self.targets = nn.Linear(spec.outputs, width)
        self.blocks = nn.ModuleList(Block(width, knobs.heads) for _ in range(knobs.layers))
        self.last, self.outputs = nn.LayerNorm(width), nn.Linear(width, spec.outputs)

    def forward(self, x: Tensor, y: Tensor, asked: Tensor, mask: Tensor) -> Tensor:
        """Answers (tasks, questions, outputs) given pairs x, y (tasks, pairs, ...)."""
        pairs = self.inputs(x) + self.targets(y)
        tokens = torch.cat((pairs, self.inputs(asked)), 1)
        for block in self.blocks:
            tokens = block(tokens, mask)
        result: Tensor = self.outputs(self.last(tokens[:, x.shape[1] :]))
        return result


class Learner(Base):
    def __init__(self, spec: TaskSpec, *, seed: int, device: str = "cpu") -> None:
        super().__init__(spec, seed=seed, device=device)
        self.knobs = Knobs()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = Network(spec, self.knobs).to(self.device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=self.knobs.lr)
        self.waiting: list[tuple[Tensor, Tensor]] = []
        self.steps = 0
        self.training = True
        self.x: Tensor
        self.y: Tensor
        self._forget()

    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:
        x, y = x.reshape(len(x), -1), self._targets(y)
        if self.training:
            if self.waiting and self.waiting[0][0].shape != x.shape:
                self.waiting = []
            self.waiting.append((x, y))
            if len(self.waiting) >= (self.knobs.tasks if self.spec.episodic else 1):
                self._train(*(torch.stack(parts) for parts in zip(*self.waiting, strict=True)))
                self.waiting = []
        if not (self.training and self.spec.episodic):
            room = self.spec.support if self.spec.episodic else self.knobs.context
            self.x = torch.cat((self.x, x))[-room:]
            self.y = torch.cat((self.y, y))[-room:]

    @torch.no_grad()
    def predict(self, x: Tensor, task: int | None = None) -> Tensor:
        x, pairs = x.reshape(1, len(x), -1), len(self.x)
        mask = torch.eye(pairs + x.shape[1], dtype=torch.bool, device=self.device)
        mask[:pairs, :pairs] = torch.ones_like(mask[:pairs, :pairs]).tril()
        mask[pairs:, :pairs] = True
        scores: Tensor = self.network(self.x[None], self.y[None], x, mask)[0]
        return scores if self.spec.kind == "regression" else scores.log_softmax(1)

    def adapt(self, x: Tensor, y: Tensor, steps: int | None = None) -> Learner:
        copied = copy.copy(self)
        copied.training = False
        copied.x, copied.y = x.reshape(len(x), -1), self._targets(y)
        return copied

    def new_episode(self) -> None:
        self.training = False
        self._forget()

    # inside

    def _targets(self, y: Tensor) -> Tensor:
        if self.spec.kind == "regression":
            return y
        return F.one_hot(y, self.spec.outputs).to(torch.float32)

    def _forget(self) -> None:
        self.x = torch.zeros(0, self.spec.inputs, device=self.device)
        self.y = torch.zeros(0, self.spec.outputs, device=self.device)

    def _train(self, x: Tensor, y: Tensor) -> None:
        """Every row of a task is asked for, given the rows before it."""
        before = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=self.device).tril()
        self_only = torch.eye(x.shape[1], dtype=torch.bool, device=self.device)
        none = torch.zeros_like(before)
        mask = torch.cat(
            (torch.cat((before, none), 1), torch.cat((before ^ self_only, self_only), 1))
        )
        scores = self.network(x, y, x, mask)
        if self.spec.kind == "regression":
            loss = F.mse_loss(scores, y)
        else:
            loss = F.cross_entropy(scores.flatten(0, 1), y.argmax(-1).flatten())
        self.steps += 1
        for group in self.optimiser.param_groups:
            group["lr"] = self.knobs.lr * min(1.0, self.steps / RISE)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
