#!/usr/bin/env python3
"""Hold agents against DiscoGen's default modules on permuted MNIST, with seeds and intervals.

    python examples/discogen/run.py [--seeds 5] [--tasks 10] [--quick] [--json FILE]
    python examples/discogen/run.py --archive PATH --agent ID

docs/yardstick.md says what was found, and why no figure compares with one of theirs.
"""

# ruff: noqa: T201 -- it is a script
from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from adapter import from_archive, loaded
from task import (
    BATCH,
    Modular,
    Score,
    Task,
    Trainee,
    accuracies,
    default_modules,
    permuted_mnist,
    score,
)

from cambrian.agents.compose import compose
from cambrian.agents.experts import load_expert
from cambrian.agents.seeds import load_seed, seed_names
from cambrian.agents.tree import SourceTree
from cambrian.errors import CambrianError
from cambrian.evaluators.statistics import mean_interval

QUICK_ROWS = 300
DEFAULT = "default modules"

Start = Callable[[Sequence[Task], int], Trainee]
"""A fresh trainee for a stream and a seed."""


def agents() -> dict[str, SourceTree]:
    """Seed agents, three composed agents and an expert, by the name that the table gives them."""
    chosen = {f"seed {name}": load_seed(name) for name in seed_names()}
    chosen["composed: reservoir of 2,000"] = compose(("reservoir", {"capacity": 2000}))
    chosen["composed: reservoir of 2,000, adam"] = compose(
        ("reservoir", {"capacity": 2000}), "adam"
    )
    chosen["composed: dark_replay, ewc, momentum"] = compose(
        ("dark_replay", {"capacity": 2000}), "ewc", "momentum"
    )
    chosen["expert rehearsal"] = load_expert("rehearsal")
    return chosen


@contextmanager
def starting(tree: SourceTree | None) -> Iterator[Start]:
    """How to make what is trained: an agent, or of None the default modules."""
    if tree is None:
        yield lambda stream, seed: Modular(default_modules(steps_of(stream), seed), seed)
        return
    with loaded(tree) as make:
        yield lambda stream, seed: make(sum(len(task.x) for task in stream), BATCH, seed)


def steps_of(stream: Sequence[Task]) -> int:
    """How many batches a stream has; the last of a task may be smaller."""
    return sum(-(-len(task.x) // BATCH) for task in stream)


def scores_of(
    tree: SourceTree | None, seeds: int, tasks: int, rows: int | None = None
) -> list[Score]:
    """One score per seed, which draws the permutations, the batches and the first weights."""
    found = []
    with starting(tree) as start:
        for seed in range(seeds):
            stream = permuted_mnist(tasks, seed, rows)
            found.append(score(accuracies(start(stream, seed), stream, seed)))
    return found


def line(name: str, found: list[Score], seconds: float) -> str:
    """A row of the table."""
    cells = []
    for field in ("score", "accuracy", "forgetting"):
        one = mean_interval([asdict(each)[field] for each in found])
        cells.append(f"{one.mean:.3f} [{one.lower:.3f}, {one.upper:.3f}]")
    return f"| {name} | {' | '.join(cells)} | {seconds:.0f} |"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="seeds of each row (default: 5)")
    parser.add_argument("--tasks", type=int, default=10, help="permutations (default: 10)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROWS} images and no more")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores here too")
    parser.add_argument("--archive", type=Path, help="an archive you trust: code runs unboxed")
    parser.add_argument("--agent", metavar="ID", help="the agent of the archive to run")
    given = parser.parse_args()
    if given.seeds < 1 or given.tasks < 1:
        parser.error("expected at least one seed and one task")
    if (given.archive is None) != (given.agent is None):
        parser.error("expected --archive PATH and --agent ID together, or neither")
    return given


def main() -> int:
    given = options()
    torch.set_num_threads(1)
    everyone: dict[str, SourceTree | None] = {DEFAULT: None}
    try:
        if given.archive is None:
            everyone.update(agents())
        else:
            full, tree = from_archive(given.archive, given.agent)
            everyone[f"agent {full[:12]}"] = tree
    except CambrianError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print("| learner | score | accuracy at the end | forgetting | seconds |\n|---|---|---|---|---|")
    results = {}
    for name, agent in everyone.items():
        begun = time.perf_counter()
        rows = QUICK_ROWS if given.quick else None
        found = scores_of(agent, given.seeds, given.tasks, rows)
        print(line(name, found, time.perf_counter() - begun), flush=True)
        results[name] = [asdict(each) for each in found]
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
