#!/usr/bin/env python3
"""Measure what the benchmarks' scores are normalised by, and what their reference agents cost.

    tools/calibrate.py [BENCHMARK ...] [--seeds N]
    tools/calibrate.py FAMILY ... [--only SEED ...] [--also SEED ...]
    tools/calibrate.py --joint BENCHMARK ...

Writes `src/cambrian/evaluators/calibration/NAME-VERSION.json`. A benchmark's `bounds` say how: the
floor is the `finetune` seed agent at the best constant learning rate of a grid, the ceiling the
same network trained jointly to convergence, unless they name a seed agent (for label-drift: the
`random_features` seed agent told the current names). The costs are those of the `replay` seed
agent, or of the one that the benchmark names as its `reference`. A name that ends in "+each-batch"
has the ends of its stream and costs of its own.

Of a family every stream is measured for itself, that of each seed of a search, of sealed runs and
of the page, unless it was before: `src/cambrian/evaluators/families/measured/NAME-VERSION.json`. A
stream whose floor and ceiling are less than 0.3 apart is drawn again, at most `REDRAWS` times;
nothing else is looked at.

With `--joint` it measures what intransigence is held against, and nothing else: for each task k of
a stream whose ceiling is joint training, the accuracy on it of that network trained on tasks 1 to
k; `calibration/joint.json` keeps the means over three seeds. Our own code only, so it runs without
a sandbox.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import dataclasses
import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from cambrian.agents.seeds import load_seed
from cambrian.evaluators import benchmarks, metrics
from cambrian.evaluators.benchmarks.base import (
    EACH_BATCH,
    REPORTED,
    STAGES,
    Benchmark,
    generator,
)
from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.families.base import Family
from cambrian.evaluators.families.scales import COLUMNS
from cambrian.evaluators.job import drive
from cambrian.evaluators.protocols.tasks import Task
from cambrian.measurement import Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.session import Session

HERE = Path(__file__).resolve().parent.parent
TARGET = HERE / "src/cambrian/evaluators/calibration"
FAMILIES = HERE / "src/cambrian/evaluators/families/measured"
RATES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
GRID_SEEDS = 2
LOWER, HIGHER = (0.02, 0.01, 0.005), (0.8, 1.2, 1.8)
JOINT_SEEDS = 3
JOINT_RATE, JOINT_MOMENTUM, JOINT_EPOCHS, JOINT_STEPS = 0.03, 0.9, 60, 1000
"""Of joint training: the epochs, and the steps that are taken at least (a small task needs more
epochs to converge)."""


def with_rate(files: dict[str, str], rate: float) -> dict[str, str]:
    """The same agent with another default learning rate."""
    changed, count = re.subn(r"(\blr: float = )[0-9.e-]+", rf"\g<1>{rate}", files["learner.py"])
    if count != 1:
        raise SystemExit("the seed agent has no single `lr: float = ...` knob")
    return {**files, "learner.py": changed}


_SESSIONS: dict[tuple[tuple[str, str], ...], Session] = {}


def session_of(files: dict[str, str]) -> Session:
    """A session for an agent, kept for all benchmarks: to start one takes longer than a run. One
    that a diverging learner has spent is replaced."""
    key = tuple(sorted(files.items()))
    if key not in _SESSIONS or _SESSIONS[key].spent:
        if key in _SESSIONS:
            _SESSIONS[key].close()
        session = _SESSIONS[key] = Session(PlainBackend())
        session.install(files)
        atexit.register(session.close)
    return _SESSIONS[key]


def run(
    files: dict[str, str], bench: Benchmark, seeds: int
) -> tuple[list[float], list[dict[str, Any]]]:
    """Raw scores and costs, one per seed of the screen and full stages."""
    found = [run_one(files, bench, "full", seed) for seed in range(seeds)]
    return [raw for raw, _ in found], [cost for _, cost in found]


def run_one(
    files: dict[str, str], bench: Benchmark, stage: str, seed: int
) -> tuple[float, dict[str, Any]]:
    """Raw score and cost of one seed, without allowances."""
    told = bench.stream_of(stage, seed)
    stream = dataclasses.replace(told, flops=1 << 60, memory_bytes=1 << 40)
    session = session_of(files)
    with session.job() as channel:
        outcome, cost = drive(channel, bench, stream, Unit(bench.name, stage, seed))
    assert session.report is not None
    return outcome.raw, dataclasses.asdict(cost) | {"cpu_s": session.report.cpu_s}


def at_rate(files: dict[str, str], rate: float, bench: Benchmark, seeds: int) -> float:
    """Mean raw score at a learning rate; 0 where it diverges."""
    try:
        return float(np.mean(run(with_rate(files, rate), bench, seeds)[0]))
    except LearnerFailed:
        return 0.0


def joint(
    bench: Benchmark,
    seed: int,
    apart: bool,
    stage: str = "full",
    least: tuple[int, int] | None = None,
) -> float:
    """The fine-tuning network trained on all tasks at once (or one for each) until it stops getting
    better; `least` are the epochs and steps that it takes at least."""
    tasks = bench.tasks(stage, generator(bench.name, stage, seed))  # type: ignore[attr-defined]
    tasks = tasks[-getattr(bench, "counted", len(tasks)) :]
    if not apart:
        return float(np.mean(trained(bench, tasks, seed, least, stage)))
    tasks = tasks[-APART_TASKS:] if least else tasks
    return float(np.mean([trained(bench, [task], seed, least, stage)[0] for task in tasks]))


def joint_accuracies(bench: Benchmark) -> dict[str, Any]:
    """R*_k of Chaudhry 2018: the accuracy on task k of a network trained on tasks 1 to k."""
    if bench.bounds.ceiling != "joint":
        raise SystemExit(f"{bench.name}: its ceiling is no joint training, so it has no reference")
    found = []
    for seed in range(JOINT_SEEDS):
        tasks = bench.tasks("full", generator(bench.name, "full", seed))  # type: ignore[attr-defined]
        each = [trained(bench, tasks[: k + 1], seed)[-1] for k in range(len(tasks))]
        found.append(each)
        print(bench.name, seed, np.round(each, 4).tolist(), flush=True)
    means = [round(float(mean), 5) for mean in np.mean(found, axis=0)]
    return {"version": bench.version, "accuracies": means, "seeds": JOINT_SEEDS}


def trained(
    bench: Benchmark,
    tasks: list[Task],
    seed: int,
    least: tuple[int, int] | None = None,
    stage: str = "full",
) -> list[float]:
    """The accuracy on each task of one network trained on all of them together."""
    x = torch.from_numpy(np.concatenate([t.train_x for t in tasks])).flatten(1)
    y = torch.from_numpy(np.concatenate([t.train_y for t in tasks]))
    torch.manual_seed(seed)
    widths = [x.shape[1], 256, 256, bench.stream_of(stage, seed).outputs]
    layers: list[torch.nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layers += [torch.nn.Linear(a, b), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    optimiser = torch.optim.SGD(net.parameters(), JOINT_RATE, JOINT_MOMENTUM, weight_decay=5e-4)
    epochs, steps = least or (JOINT_EPOCHS, JOINT_STEPS)
    epochs = max(epochs, -(-steps // -(-len(y) // 64)))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(len(y)), 64):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
        schedule.step()
    with torch.no_grad():
        scores = [net(torch.from_numpy(t.test_x).flatten(1)).numpy() for t in tasks]
    pairs = zip(scores, tasks, strict=True)
    return [metrics.accuracy(s, t.test_y) for s, t in pairs]


def floor(bench: Benchmark, seeds: int) -> tuple[float, dict[str, Any]]:
    """The raw score that is 0, and how it was found."""
    agent = bench.bounds.floor
    if agent != "rates":
        raws, _ = run(dict(load_seed(agent)), bench, seeds)
        return float(np.mean(raws)), {"floor": f"the {agent} seed agent"}
    plain = dict(load_seed("finetune"))
    few = min(seeds, GRID_SEEDS)
    grid = {rate: at_rate(plain, rate, bench, few) for rate in RATES}
    for beyond, edge in ((LOWER, min(RATES)), (HIGHER, max(RATES))):
        for rate in beyond:  # only as long as the best is at the grid's end
            if max(grid, key=lambda rate: grid[rate]) != edge:
                break
            grid[rate] = at_rate(plain, rate, bench, few)
            edge = rate
    best = max(grid, key=lambda rate: grid[rate])
    bottom = at_rate(plain, best, bench, seeds)
    return bottom, {
        "floor": f"finetune seed agent at learning rate {best}, the best of a grid on {few} seeds",
        "grid": {str(rate): round(grid[rate], 4) for rate in sorted(grid)},
    }


def ceiling(bench: Benchmark, seeds: int) -> tuple[float, str]:
    """The raw score that is 1, and how it was found."""
    wanted = bench.bounds
    if wanted.ceiling not in ("joint", "apart"):
        oracle = wanted.oracle or bench
        raws, _ = run(dict(load_seed(wanted.ceiling)), oracle, seeds)
        on = "the stream without what is hidden" if wanted.oracle else "the same stream"
        return float(np.mean(raws)), f"the {wanted.ceiling} seed agent on {on}"
    apart = wanted.ceiling == "apart"
    raws = [joint(bench, seed, apart) for seed in range(min(seeds, 3))]
    how = f"MLP 256-256, SGD {JOINT_RATE} momentum {JOINT_MOMENTUM}, cosine, {JOINT_EPOCHS} epochs"
    how += f" and {JOINT_STEPS} steps at least" if apart else ""
    kind = "a network for each task" if apart else "joint training"
    return float(np.mean(raws)), f"{kind}: {how}; seeds {np.round(raws, 4).tolist()}"


def calibrate(bench: Benchmark, seeds: int) -> dict[str, Any]:
    bottom, found = floor(bench, seeds)
    raws, costs = run(dict(load_seed(bench.reference)), bench, seeds)
    top, how = ceiling(bench, seeds)
    return {
        "floor": round(bottom, 5),
        "ceiling": round(top, 5),
        **spent(costs),
        "details": {
            **found,
            "ceiling": how,
            "reference": bench.reference,
            f"{bench.reference}_raw": round(float(np.mean(raws)), 4),
            "seeds": seeds,
            "torch": torch.__version__,
        },
    }


# -- families --------------------------------------------------------------------------

FAMILY_RATES = (0.02, 0.1, 0.2, 0.4)
JOINT_LEAST, APART_LEAST, APART_TASKS = (15, 1000), (15, 400), 3
"""Epochs and steps of joint training, and of that of a network for each task; how many of the last
tasks the latter is measured on."""
REDRAWS, APART = 5, 0.3
ROOM = 3
"""The state that a family allows: so many times what its reference agent holds."""
SEARCH = sorted({seed for stage in ("screen", "full", "race") for seed in STAGES[stage]})
PAGE = (REPORTED, REPORTED + 1, REPORTED + 2)


def calibrate_family(family: Family, parts: dict[str, list[int]]) -> None:
    """Measure the streams of these seeds of "search" and "sealed" that were not measured, each kept
    at once."""
    path = FAMILIES / f"{family.name}-{family.version}.json"
    kept = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    kept |= {"columns": list(COLUMNS), "torch": torch.__version__}
    for part, seeds in parts.items():
        rows = kept.setdefault(part, {})
        for seed in seeds:
            if str(seed) not in rows:
                rows[str(seed)] = scale(family, "sealed" if part == "sealed" else "full", seed)
                path.write_text(_compact(kept), encoding="utf-8")
                print(family.name, part, seed, rows[str(seed)], flush=True)


def scale(family: Family, stage: str, seed: int) -> list[float]:
    """A row of `COLUMNS`: of the first of the seed's streams whose ends are far enough apart, or of
    the one with the widest gap."""
    best: list[float] = []
    for number in range(REDRAWS + 1):
        row = _scale(family.attempt(stage, seed, number).bench, family.reference, stage, seed)
        if not best or row[1] - row[0] > best[2] - best[1]:
            best = [number, *row]
        if row[1] - row[0] >= APART:
            break
    return best


def _scale(bench: Benchmark, reference: str, stage: str, seed: int) -> list[float]:
    plain = dict(load_seed("finetune"))
    grid = {}
    for rate in FAMILY_RATES:
        with contextlib.suppress(LearnerFailed):  # it diverges
            grid[rate] = run_one(with_rate(plain, rate), bench, stage, seed)[0]
    best = max(grid, key=lambda rate: grid[rate])
    wanted = bench.bounds
    if wanted.ceiling in ("joint", "apart"):
        apart = wanted.ceiling == "apart"
        top = joint(bench, seed, apart, stage, APART_LEAST if apart else JOINT_LEAST)
    else:
        oracle = wanted.oracle or bench
        agents = wanted.ceiling.split("+")
        top = max(run_one(dict(load_seed(a)), oracle, stage, seed)[0] for a in agents)
    _, cost = run_one(dict(load_seed(reference)), bench, stage, seed)
    ends = [round(grid[best], 4), round(top, 4)]
    state = cost["state_bytes"]
    return [*ends, cost["flops"], state, round(ROOM * state), round(cost["cpu_s"], 3), best]


def _compact(kept: dict[str, Any]) -> str:
    """JSON with a line for each stream."""
    lines = [f' "{key}": {json.dumps(kept[key])}' for key in ("columns", "torch")]
    for part in ("search", "sealed"):
        rows = sorted(kept.get(part, {}).items(), key=lambda item: int(item[0]))
        told = ",\n".join(f'  "{seed}": {json.dumps(row)}' for seed, row in rows)
        lines.append(f' "{part}": {{\n{told}\n }}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def closer(bench: Benchmark) -> dict[str, Any]:
    """A stream probed after every batch: its ends are known, and what it costs is measured once."""
    known = calibration(benchmarks.benchmark(bench.name.removesuffix(EACH_BATCH)))
    _, costs = run(dict(load_seed(bench.reference)), bench, 1)
    details = {**known.details, "costs": "measured on one seed, probed after every batch"}
    ends = {"floor": known.floor, "ceiling": known.ceiling}
    return {**ends, **spent(costs), "details": details}


def spent(costs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "flops": round(float(np.mean([c["flops"] for c in costs]))),
        "state_bytes": round(float(np.mean([c["state_bytes"] for c in costs]))),
        "cpu_s": round(float(np.median([c["cpu_s"] for c in costs])), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="BENCHMARK")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--also", type=int, nargs="*", default=[], help="more seeds of a family")
    parser.add_argument("--only", type=int, nargs="*", help="these seeds of a family alone")
    parser.add_argument("--joint", action="store_true", help="only what intransigence needs")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.joint:
        for name in given.names:
            found = joint_accuracies(benchmarks.benchmark(name))
            kept = json.loads((TARGET / "joint.json").read_text(encoding="utf-8"))
            text = json.dumps({**kept, name: found}, indent=2, sort_keys=True) + "\n"
            (TARGET / "joint.json").write_text(text, encoding="utf-8")
        return
    for name in given.names or benchmarks.names():
        bench = benchmarks.benchmark(name)
        if isinstance(bench, Family):
            search = [] if bench.sealed_only else SEARCH
            parts = {"search": [*search, *PAGE], "sealed": list(STAGES["sealed"])}
            wanted = {
                p: [s for s in seeds if not given.only or s in given.only]
                for p, seeds in parts.items()
            }
            calibrate_family(bench, {**wanted, "search": [*wanted["search"], *given.also]})
            continue
        each = bench.name.endswith(EACH_BATCH)
        result = closer(bench) if each else calibrate(bench, given.seeds)
        path = TARGET / f"{bench.name}-{bench.version}.json"
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"{path.name}: {json.dumps(result)}", flush=True)
        if result["ceiling"] - result["floor"] < 0.3 and not bench.bounds.close:
            print(f"WARNING: {name}: floor and ceiling are less than 0.3 apart")


if __name__ == "__main__":
    main()
