"""An agent of Cambrian in the place of all five modules at once.

Its learner runs as it is, with its own skeleton, driven by `observe`, `task_boundary` and
`predict`. Parts are not taken out one by one: a part's hook may ask the learner for more than the
modules offer (`cambrian.agents.part.PartsLearner`), flat learners have no parts, and an agent whose
memory, optimiser and network were chosen for each other would not be judged as what it is. It
brings its own network too, therefore. The sampler is the default order of rows, without any mixing:
an agent with a memory replays by itself.

The agent's code runs in this process, outside any sandbox: give it only archives you trust.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cambrian.agents.contract import TaskSpec
from cambrian.agents.tree import SourceTree
from cambrian.archive import Archive
from cambrian.sandbox.runner.job import load_module

MEMORY_BYTES = 10 << 20
"""Of state, told to the agent and not enforced. The default modules hold 9.1 MiB: 2,000 rows of 784
numbers, and four times a network (weights, velocity, importance, the weights of the last task)."""


class Whole:
    """A learner that is told of batches and ends of tasks, and never of which task a row is."""

    def __init__(self, learner: Any) -> None:
        self.learner = learner

    def learn(self, x: Tensor, y: Tensor) -> None:
        self.learner.observe(x, y)

    def end_task(self, x: Tensor, y: Tensor) -> None:
        self.learner.task_boundary()

    def scores(self, x: Tensor) -> Tensor:
        answers: Tensor = self.learner.predict(x).detach()
        if answers.shape != (len(x), 10):
            raise ValueError(f"expected scores {(len(x), 10)} of predict; got {answers.shape}")
        return answers


Make = Callable[[int, int, int], Whole]
"""A fresh learner of (observations, batch size, seed)."""


@contextmanager
def loaded(tree: SourceTree) -> Iterator[Make]:
    """The agent's code, imported for as long as the context lasts, then taken out again.

    Raises:
        Exception: whatever the agent's own code raises.
    """
    path, modules = list(sys.path), set(sys.modules)
    with tempfile.TemporaryDirectory() as folder:
        tree.write_to(Path(folder))
        try:
            learner: Any = load_module(Path(folder), "learner").Learner

            def make(observations: int, batch: int, seed: int) -> Whole:
                torch.manual_seed(seed)
                spec = TaskSpec(
                    "classification",
                    (784,),
                    10,
                    boundaries=True,
                    observations=observations,
                    batch_size=batch,
                    memory_bytes=MEMORY_BYTES,
                )
                return Whole(learner(spec, seed=seed))

            yield make
        finally:
            sys.path[:] = path
            for name in set(sys.modules) - modules:
                if name in ("learner", "parts") or name.startswith("parts."):
                    del sys.modules[name]


def from_archive(path: Path, agent: str) -> tuple[str, SourceTree]:
    """The full id and the files of an agent of an archive, by its id or the beginning of one.

    Raises:
        NotFound: there is no such archive or agent.
    """
    with Archive.open(path) as archive:
        chosen = archive.resolve(agent)
        return chosen, SourceTree(archive.agents.files(chosen))
