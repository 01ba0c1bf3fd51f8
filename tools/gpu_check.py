#!/usr/bin/env python3
"""The seed agents on a GPU and on the CPU, side by side: a table to keep in docs/gpu.md.

They are our own code, so they run outside any container (`--sandbox none`); the GPU is leased as a
worker would. Exit codes: 0 every seed agent trained and came within 0.05 of its score on the CPU,
1 one did not, 5 there is no GPU (`--device cpu` tries the script itself).

    tools/gpu_check.py [--benchmark split-mnist] [--stage screen] [--device cuda]
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from cambrian.agents.seeds import load_seed, seed_names
from cambrian.agents.tree import SourceTree
from cambrian.errors import CambrianError
from cambrian.evaluators.job import evaluate
from cambrian.evaluators.workers.worker import FULL
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.backends import gpu
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.session import Session

APART = 0.05
ROW = "{:18} {:>10} {:>10} {:>9} {:>9}  {}"


def card(device: str) -> str:
    """Name and driver of the GPUs, as the driver tells them."""
    if device == "cpu":
        return "no GPU: the CPU twice"
    asked = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def judged(files: SourceTree, unit: Unit, device: str) -> Measurement:
    """One unit in a process of its own."""
    with gpu.on(device, FULL) as limits, Session(PlainBackend(), limits) as session:
        session.install(files)
        return evaluate(session, unit, device=device)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--benchmark", default="split-mnist")
    options.add_argument("--stage", default="screen")
    options.add_argument("--device", default="cuda", choices=gpu.DEVICES)
    given = options.parse_args()
    unit, missed = Unit(given.benchmark, given.stage, 0), False
    try:
        gpu.require(given.device)
        print(card(given.device))
        print(f"{given.benchmark}, {given.stage} stage, seed 0")
        print(ROW.format("seed agent", "cpu score", given.device, "cpu s", f"{given.device} s", ""))
        for name in seed_names():
            files = load_seed(name)
            here, there = judged(files, unit, "cpu"), judged(files, unit, given.device)
            good = there.score is not None and here.score is not None
            good = good and abs((there.score or 0.0) - (here.score or 0.0)) <= APART
            missed |= not good
            print(
                ROW.format(
                    name,
                    "-" if here.score is None else f"{here.score:.3f}",
                    "-" if there.score is None else f"{there.score:.3f}",
                    f"{here.wall_s:.1f}",
                    f"{there.wall_s:.1f}",
                    "" if good else f"missed: {there.reason.splitlines()[:1]}",
                )
            )
    except CambrianError as error:
        print(f"gpu-check: {error}", file=sys.stderr)
        return error.exit_code
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
