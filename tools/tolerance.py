#!/usr/bin/env python3
"""Measure how far the same evaluation comes out apart where floating point is done otherwise.

    tools/tolerance.py [--seeds N] [--only WORD] [--torch PYTHON]     measure; docs/tolerance.json
    tools/tolerance.py --write                                       only write the page's table
    tools/tolerance.py --check                                       only compare

One machine stands in for several: the same learners, streams and seeds are run with other vector
instructions (of PyTorch's own kernels, of MKL, of oneDNN), with two threads, and with MKL's
reproducible mode; `--torch` names a Python of another environment with another PyTorch. Each is
held against this machine's usual way. What it cannot show is another maker's processor or a GPU.

It writes the table of docs/statistics.md between its marks, and keeps what was measured in
docs/tolerance.json; a condition that is there is not measured again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STORE, PAGE = ROOT / "docs/tolerance.json", ROOT / "docs/statistics.md"
BEGIN, END = "<!-- tolerance -->", "<!-- /tolerance -->"
TOLERANCE = 0.05
"""What docs/statistics.md promises of the raw score of one seed."""

RUNS = (
    ("split-mnist", "replay"),
    ("label-drift", "replay"),
    ("few-shot-digits", "protonet"),
    ("permuted-mnist", "finetune"),
)
USUAL = "the usual way"
TWO_THREADS = "two threads"
CONDITIONS: dict[str, dict[str, str]] = {
    USUAL: {},
    "the usual way again": {},
    "PyTorch's kernels without vectors": {"ATEN_CPU_CAPABILITY": "default"},
    "PyTorch's kernels at AVX2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "MKL and oneDNN at AVX2": {"MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "MKL and oneDNN at SSE4": {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "MKL reproducible (CBWR), AVX2": {"MKL_CBWR": "AVX2"},
    "MKL reproducible (CBWR), any": {"MKL_CBWR": "COMPATIBLE"},
    TWO_THREADS: {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"},
    "all of it at its oldest": {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
    },
}


def measure(condition: str, seeds: int) -> dict[str, list[list[float]]]:
    """In this process: [raw score, FLOPs] of each seed, by "benchmark, agent"."""
    from cambrian.agents.seeds import load_seed
    from cambrian.evaluators.benchmarks import benchmark
    from cambrian.evaluators.job import drive
    from cambrian.measurement import Unit
    from cambrian.sandbox.backends import plain
    from cambrian.sandbox.session.session import Session

    plain.ENVIRONMENT.update(CONDITIONS.get(condition, {}))
    found: dict[str, list[list[float]]] = {}
    for name, agent in RUNS:
        bench, files = benchmark(name), dict(load_seed(agent))
        if condition == TWO_THREADS:  # the runner sets one
            late = "import torch\ntorch.set_num_threads(2)\n"
            files["learner.py"] += "\n\n" + late
        stream = dataclasses.replace(bench.stream("full"), flops=1 << 60, memory_bytes=1 << 40)
        results = found.setdefault(f"{name}, {agent}", [])
        with Session(plain.PlainBackend()) as session:
            session.install(files)
            for seed in range(100, 100 + seeds):
                with session.job() as channel:
                    outcome, cost = drive(channel, bench, stream, Unit(name, "full", seed))
                results.append([outcome.raw, cost.flops])
    return found


def measured_with(python: str, condition: str, seeds: int) -> dict[str, list[list[float]]]:
    """The same in a process of its own, by that Python."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [python, __file__, "--child", condition, "--seeds", str(seeds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    found: dict[str, list[list[float]]] = json.loads(done.stdout)
    return found


def differences(store: dict[str, Any]) -> list[tuple[str, dict[str, float], bool]]:
    """Of each condition the largest difference in raw score by run, and whether FLOPs agree."""
    usual = store["conditions"][USUAL]
    rows = []
    for condition, found in store["conditions"].items():
        if condition == USUAL:
            continue
        pairs = {run: list(zip(found[run], usual[run], strict=True)) for run in usual}
        apart = {run: max(abs(a[0] - b[0]) for a, b in pairs[run]) for run in pairs}
        same = all(a[1] == b[1] for run in pairs for a, b in pairs[run])
        rows.append((condition, apart, same))
    return rows


def table(store: dict[str, Any]) -> str:
    """The page's part: one row a condition."""
    usual = store["conditions"][USUAL]
    runs = list(usual)
    seeds = len(usual[runs[0]])
    rows = differences(store)
    most = largest(store)
    lines = [
        f"{store['machine']}, PyTorch {store['torch']}, {seeds} seeds: the largest difference in",
        f"raw score to {USUAL} (one thread, what the libraries choose by themselves), and",
        "whether the FLOPs are the same.",
        "",
        f"| condition | {' | '.join(runs)} | FLOPs |",
        f"|---|{'---|' * len(runs)}---|",
    ]
    for condition, found, same in rows:
        cells = [f"{found[run]:.4f}" if found[run] else "0" for run in runs]
        lines.append(f"| {condition} | {' | '.join(cells)} | {'same' if same else 'differ'} |")
    lines += ["", f"Largest of all: {most:.4f}. Stated tolerance: **{TOLERANCE}**."]
    return "\n".join(lines)


def largest(store: dict[str, Any]) -> float:
    """The largest difference in raw score there was."""
    return max(value for _, found, _ in differences(store) for value in found.values())


def page(store: dict[str, Any]) -> str:
    """docs/statistics.md with the table as it should be."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return f"{before}{BEGIN}\n{table(store)}\n{END}{rest.split(END)[1]}"


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", metavar="WORD", help="conditions with this in it")
    parser.add_argument("--torch", metavar="PYTHON", help="a Python with another PyTorch")
    parser.add_argument("--write", action="store_true", help="measure nothing")
    parser.add_argument("--check", action="store_true", help="measure and write nothing")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given.child, given.seeds)))
        return
    if given.check:
        store = json.loads(STORE.read_text(encoding="utf-8"))
        if page(store) != PAGE.read_text(encoding="utf-8"):
            raise SystemExit(
                "docs/statistics.md is not what was measured: tools/tolerance.py --write"
            )
        if largest(store) > TOLERANCE:
            raise SystemExit(f"{largest(store):.4f} was measured, over the stated {TOLERANCE}")
        return
    import torch

    store = {"machine": processor(), "torch": torch.__version__, "conditions": {}}
    if STORE.exists():
        store = json.loads(STORE.read_text(encoding="utf-8"))
    wanted = {name: sys.executable for name in CONDITIONS if given.only in name}
    if given.torch:
        asked = [given.torch, "-c", "import torch; print(torch.__version__)"]
        version = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout
        wanted = {f"PyTorch {version.strip()}": given.torch}
    for condition, python in wanted.items() if not given.write else ():
        if condition in store["conditions"]:
            continue
        print(condition, file=sys.stderr, flush=True)
        store["conditions"][condition] = measured_with(python, condition, given.seeds)
        STORE.write_text(json.dumps(store, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(store), encoding="utf-8")
    print(table(store))


if __name__ == "__main__":
    main()
