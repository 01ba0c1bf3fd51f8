#!/usr/bin/env python3
"""Measure composed agents to the last bit, to compare two versions of the parts.

    tools/part_scores.py OUT.json [--against OLD.json]

Each agent (every mechanism alone, some with other knobs, some pairs) runs through small streams in
this process, where a hash over all its answers is kept with the floating point operations and the
bytes of its state, and through smoke stages of benchmarks. Trees are made in a way that works where
parts have no roles, too (protocol 1). With `--against`, what differs is printed, and the exit code
is 1 where an answer does.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib.util
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cambrian.agents.catalogue import catalogue, read_card
from cambrian.agents.contract import TaskSpec
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.recombine.surgery import Part
from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import SourceTree
from cambrian.evaluators import benchmarks
from cambrian.evaluators.job import drive
from cambrian.measurement import Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.runner.meter import FlopMeter, state_bytes
from cambrian.sandbox.session.session import Session

BASIC = {"network", "loss", "update", "optimiser"}
Parts = list[tuple[str, dict[str, Any]]]

CASES: dict[str, tuple[Parts, dict[str, Any]]] = {
    "plain": ([], {}),
    "plain, three steps": ([], {"steps": 3, "layers": 1, "gain": 2.0, "lr": 0.05, "hidden": 128}),
    **{name: ([(name, {})], {}) for name in (
        *("adam", "class_mean", "dark_replay", "ewc", "gate", "gpm", "hopfield", "label_map"),
        *("momentum", "reservoir", "self_rate", "weight_average"),
    )},
    "ewc, often": ([("ewc", {"every": 100, "strength": 3.0})], {"lr": 0.05}),
    "gpm, often": ([("gpm", {"every": 100, "energy": 0.8})], {}),
    "homeostatic": ([("self_rate", {"rule": "homeostatic"})], {}),
    "nesterov": ([("momentum", {"nesterov": True})], {}),
    "er-ace, recent": ([("reservoir", {"recency": 0.5, "asymmetry": 0.5})], {"steps": 2}),
    "network heads": (
        [("class_mean", {"source": "network"}), ("hopfield", {"source": "network"})], {},
    ),
    "gpm, adam": ([("gpm", {"every": 100}), ("adam", {})], {}),
    "adam, gpm": ([("adam", {}), ("gpm", {"every": 100})], {}),
    "ewc, gpm": ([("ewc", {"every": 100}), ("gpm", {"every": 150})], {"lr": 0.05}),
    "momentum, reservoir": ([("momentum", {}), ("reservoir", {})], {}),
    "reservoir, adam, ewc": ([("reservoir", {}), ("adam", {}), ("ewc", {"every": 100})], {}),
    "the best so far": (
        [("reservoir", {}), ("class_mean", {"weight": 0.8}), ("label_map", {})],
        {"gain": 2.0, "steps": 2},
    ),
    "four": ([("reservoir", {}), ("hopfield", {}), ("gate", {}), ("weight_average", {})], {}),
}  # fmt: skip
BENCHMARKS = ("split-mnist", "label-drift", "permuted-mnist", "few-shot-digits")


def tree_of(parts: Parts, knobs: Mapping[str, Any]) -> SourceTree:
    """The composed seed agent with these mechanisms; knobs go to whatever has one of that name."""
    seed, found = load_seed("composed"), catalogue()
    agent = Agent.of(seed).with_knobs(knobs)
    roles = {}
    for part in agent.parts:
        card = read_card(agent.source(part.module) or "") or {}
        roles[part.module] = card.get("role")
        agent = agent.with_part(
            next(own for own in agent.parts if own.module == part.module),
            {name: knobs[name] for name in agent.part_knobs(part) if name in knobs},
        )
    filled = {found[name].card.get("role") for name, _ in parts}
    kept = [p for p in agent.parts if roles[p.module] in BASIC - filled]
    calls = [Part(name, found[name].cls, values) for name, values in parts]
    sources = {name: found[name].source for name, _ in parts}
    return seed.replace(agent.with_parts([*kept, *calls], sources).changes(seed))


def load(tree: SourceTree) -> Any:
    """The class Learner of a tree."""
    with tempfile.TemporaryDirectory() as folder:
        tree.write_to(Path(folder))
        sys.path.insert(0, folder)
        try:
            spec = importlib.util.spec_from_file_location("learner", Path(folder) / "learner.py")
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules["learner"] = module
            spec.loader.exec_module(module)
        finally:
            sys.path.remove(folder)
            for name in [name for name in sys.modules if name.split(".")[0] == "parts"]:
                del sys.modules[name]
    return module.Learner


def small(tree: SourceTree, *, boundaries: bool, names_move: bool) -> dict[str, Any]:
    """Nine stages of two classes each, with boundaries or without, and perhaps names that swap."""
    chance = torch.Generator().manual_seed(3)
    spec = TaskSpec(
        "classification", (5, 4), 6, boundaries=boundaries, batch_size=16, observations=1152,
        memory_bytes=4 << 20,
    )  # fmt: skip
    learner, meter, digest = load(tree)(spec, seed=5), FlopMeter(), hashlib.sha256()
    centres = torch.randn(6, 20, generator=chance)
    names = torch.arange(6)
    for stage in range(9):
        if names_move:
            one, two = torch.randperm(6, generator=chance)[:2].tolist()
            names[[one, two]] = names[[two, one]]
        for _ in range(8):
            y = 2 * (stage % 3) + torch.randint(0, 2, (16,), generator=chance)
            y = torch.randint(0, 6, (16,), generator=chance) if names_move else y
            x = (centres[y] + 0.3 * torch.randn(16, 20, generator=chance)).reshape(16, 5, 4)
            with torch.no_grad():
                digest.update(meter.call(learner.predict, x).numpy().tobytes())
            meter.call(learner.observe, x, names[y])
        if boundaries:
            meter.call(learner.task_boundary)
    return {"answers": digest.hexdigest(), "flops": meter.total, "state": state_bytes(learner)}


def measured(tree: SourceTree) -> dict[str, Any]:
    """Everything that is compared of one agent."""
    found: dict[str, Any] = {
        "in turns": small(tree, boundaries=True, names_move=False),
        "unannounced": small(tree, boundaries=False, names_move=False),
        "names swap": small(tree, boundaries=False, names_move=True),
    }
    session = Session(PlainBackend())
    try:
        session.install(dict(tree))
        for name in BENCHMARKS:
            bench = benchmarks.benchmark(name)
            stream = dataclasses.replace(bench.stream("smoke"), flops=1 << 60, memory_bytes=6 << 20)
            with session.job() as channel:
                outcome, cost = drive(channel, bench, stream, Unit(name, "smoke", 0))
            digest = hashlib.sha256()
            for kept, array in sorted(outcome.predictions.items()):
                if kept != "costs":  # what it held meanwhile is compared apart
                    digest.update(array.tobytes())
            found[name] = {
                "answers": [outcome.raw, dict(sorted(outcome.metrics.items())), digest.hexdigest()],
                "flops": cost.flops,
                "state": cost.state_bytes,
            }
    finally:
        session.close()
    return found


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """A line for each figure that differs, those of answers first."""
    lines = []
    for what in ("answers", "flops", "state"):
        for case in old:
            for stream in old[case]:
                one, two = old[case][stream][what], new.get(case, {}).get(stream, {}).get(what)
                if one != two:
                    lines.append(f"{what}: {case}: {stream}: {one} -> {two}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--against", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for case, (parts, knobs) in CASES.items():
        found[case] = json.loads(json.dumps(measured(tree_of(parts, knobs))))
        print(case, flush=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n")
    if arguments.against is None:
        return 0
    lines = differences(json.loads(arguments.against.read_text()), found)
    print("\n".join(lines) or "the same to the last bit")
    return any(line.startswith("answers") for line in lines)


if __name__ == "__main__":
    sys.exit(main())
