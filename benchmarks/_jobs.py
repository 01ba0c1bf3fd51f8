"""Whole jobs for `sandbox.py`: the same learner and stream in one plain process and in a session.

Two jobs of about five seconds with the `replay` seed agent: digit-sums (spans, probes) and
label-drift (one round trip per step). The plain process drives the learner by direct calls,
unmetered; a second plain process gives the A/A spread. Runs alternate; times are of the job, from
creating the learner to the last prediction, in processes that have torch imported.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cambrian.agents.seeds import load_seed
from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.benchmarks import digit_sums, label_drift
from cambrian.evaluators.benchmarks.base import Benchmark, Outcome, generator, learner_seed
from cambrian.evaluators.benchmarks.digit_sums import DigitSums
from cambrian.evaluators.benchmarks.label_drift import LabelDrift
from cambrian.evaluators.protocols.tasks import run_tasks

TARGETS = {"spans": 1.02, "prequential": 1.10}
JOB_S = 5.0
UNBOUNDED: dict[str, Any] = {"flops": 1 << 60, "memory_bytes": 1 << 40}


class LongDigitSums(DigitSums):
    """digit-sums gone through several times, so that a job lasts about five seconds."""

    times: ClassVar[int] = 3

    def run(self, channel: Any, stage: str, seed: int) -> Outcome:
        rng = generator(self.name, stage, seed)
        tasks = [
            dataclasses.replace(task, order=np.tile(task.order, self.times))
            for task in self.tasks(stage, rng)
        ]
        return run_tasks(channel, tasks, digit_sums.PROTOCOL)


JOBS: dict[str, Benchmark] = {"spans": LongDigitSums(), "prequential": LabelDrift()}


class DirectChannel:
    """The calls of a channel, made on the learner itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, dict[str, Any]] = {}

    def start(self, stream: TaskSpec, seed: int, device: str = "cpu") -> None:
        from cambrian.agents.contract import TaskSpec
        from cambrian.sandbox.runner.job import load_module

        module = load_module(self.folder, "learner")
        spec = TaskSpec(**dataclasses.asdict(stream))
        self.learner = module.Learner(spec, seed=seed, device=device)

    def publish(self, name: str, arrays: Mapping[str, Any]) -> None:
        import torch

        self.files[name] = {key: torch.from_numpy(value) for key, value in arrays.items()}

    def span(
        self, name: str, start: int, stop: int, batch: int, *, probe: str, probe_every: int
    ) -> Iterator[Any]:
        x, y, order = (self.files[name][key] for key in ("x", "y", "order"))
        starts = range(start, stop, batch)
        for number, first in enumerate(starts, start=1):
            rows = order[first : min(first + batch, stop)]
            self.learner.observe(x[rows], y[rows])
            if number % probe_every == 0 or number == len(starts):
                yield self.predict_file(probe)

    def predict_file(self, name: str) -> Any:
        return self.learner.predict(self.files[name]["x"]).numpy()

    def prequential(self, steps: Iterable[tuple[Any, Any]]) -> Iterator[Any]:
        import torch

        for x, y in steps:
            inputs = torch.from_numpy(x)
            yield self.learner.predict(inputs).numpy()
            self.learner.observe(inputs, torch.from_numpy(y))

    def withdraw(self, name: str) -> None:
        del self.files[name]

    def task_boundary(self) -> None:
        self.learner.task_boundary()


def lengthened(job: str, factor: int) -> Benchmark:
    """The job, `factor` times its usual length."""
    LongDigitSums.times = factor
    label_drift.SAMPLES = 5000 * factor
    return JOBS[job]


def plain_process() -> None:
    """Serve jobs named on standard input; answer with seconds and the raw score."""
    import torch

    torch.set_num_threads(1)
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)  # its lazy imports
    with tempfile.TemporaryDirectory() as folder:
        load_seed("replay").write_to(Path(folder))
        for line in sys.stdin:
            name, factor = line.split()
            bench = lengthened(name, int(factor))
            stream = dataclasses.replace(bench.stream("full"), **UNBOUNDED)
            channel: Any = DirectChannel(Path(folder))
            began = time.perf_counter()
            channel.start(stream, learner_seed(bench.name, "full", 1))
            raw = bench.run(channel, "full", 1).raw
            print(time.perf_counter() - began, raw, flush=True)


class Plain:
    """A plain process, from outside."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def run(self, job: str, factor: int) -> tuple[float, float]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{job} {factor}\n")
        self.process.stdin.flush()
        seconds, raw = self.process.stdout.readline().split()
        return float(seconds), float(raw)

    def close(self) -> None:
        self.process.communicate()


def in_session(session: Any, job: str, factor: int) -> tuple[float, float]:
    bench = lengthened(job, factor)
    stream = dataclasses.replace(bench.stream("full"), **UNBOUNDED)
    began = time.perf_counter()
    with session.job() as channel:
        channel.start(stream, learner_seed(bench.name, "full", 1))
        raw = bench.run(channel, "full", 1).raw
        channel.finish()
    return time.perf_counter() - began, raw


def measure(session: Any, *, quick: bool) -> list[dict[str, Any]]:
    """Both jobs, in the session and in two plain processes, in turn."""
    one, two = Plain(), Plain()
    found = []
    try:
        for job in JOBS:
            for run in (one.run, two.run, partial(in_session, session)):
                run(job, 1)
            factor = 1 if quick else max(1, round(JOB_S / one.run(job, 1)[0]))
            found.append(_one(job, session, one, two, 3 if quick else 7, factor))
    finally:
        one.close()
        two.close()
    return found


def _one(
    job: str, session: Any, one: Plain, two: Plain, rounds: int, factor: int
) -> dict[str, Any]:
    times: dict[str, list[float]] = {"plain": [], "plain again": [], "session": []}
    raws = set()
    runs: list[tuple[str, Callable[[], tuple[float, float]]]] = [
        ("plain", lambda: one.run(job, factor)),
        ("session", lambda: in_session(session, job, factor)),
        ("plain again", lambda: two.run(job, factor)),
    ]
    for number in range(rounds):
        for name, run in runs[number % 3 :] + runs[: number % 3]:  # nobody is always the first
            seconds, raw = run()
            times[name].append(seconds)
            raws.add(raw)
    median = {name: statistics.median(values) for name, values in times.items()}
    plain = statistics.median([*times["plain"], *times["plain again"]])
    return {
        "job": job,
        "seconds": median,
        "all_seconds": times,
        "ratio": median["session"] / plain,
        "a_a_spread": abs(median["plain again"] / median["plain"] - 1),
        "same_score": len(raws) == 1,
        "rounds": rounds,
    }


if __name__ == "__main__":
    plain_process()
