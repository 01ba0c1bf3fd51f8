"""Building, loading and driving agents in this process (tests only: no sandbox)."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cambrian.agents.compose import compose
from cambrian.agents.contract import TaskSpec
from cambrian.agents.tree import SourceTree

_numbers = itertools.count()


def load_learner(tree: SourceTree) -> Any:
    """The class Learner of a tree, with its own copies of the modules it imports."""
    with tempfile.TemporaryDirectory() as folder:
        tree.write_to(Path(folder))
        _forget_parts()
        sys.path.insert(0, folder)
        try:
            name = f"agent_under_test_{next(_numbers)}"
            spec = importlib.util.spec_from_file_location(name, Path(folder) / "learner.py")
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
        finally:
            sys.path.remove(folder)
            _forget_parts()
    return module.Learner


def _forget_parts() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "parts"]:
        del sys.modules[name]
    importlib.invalidate_caches()


composed = compose
"""The composed seed agent with these mechanisms and knobs."""


def make(
    tree: SourceTree, *, inputs: int = 20, outputs: int = 6, seed: int = 0, **more: Any
) -> Any:
    """A learner of the tree for vectors of `inputs` values."""
    spec = TaskSpec("classification", (inputs,), outputs, batch_size=16, **more)
    return load_learner(tree)(spec, seed=seed)


def blobs(
    count: int, *, inputs: int = 20, outputs: int = 6, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Easy data: x (count, inputs) around one centre per class, y (count,)."""
    chance = torch.Generator().manual_seed(seed)
    centres = torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(99))
    y = torch.randint(0, outputs, (count,), generator=chance)
    return centres[y] + 0.3 * torch.randn(count, inputs, generator=chance), y


def teach(learner: Any, x: Tensor, y: Tensor, batch: int = 16) -> None:
    for start in range(0, len(x), batch):
        learner.observe(x[start : start + batch], y[start : start + batch])


def accuracy(learner: Any, x: Tensor, y: Tensor) -> float:
    return float((learner.predict(x).argmax(1) == y).float().mean())
