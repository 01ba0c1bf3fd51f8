"""What judging costs next to learning: one stream, learned by the same maths in four ways.

    python benchmarks/evaluators.py [--quick] [--json FILE] [--sandbox auto|docker|bubblewrap]

Split MNIST (3,600 real images, five tasks of two classes), a perceptron 784-256-256-10, plain SGD,
32 new samples and 32 from a memory of 500, evaluated on the test images of the tasks seen so far
after each task; and 2,000 of them, evaluated on 2,000 others after *every step* (in Cambrian as the
`+each-batch` streams do it: the next batch is revealed when the evaluation is in). In (a) a bare
loop with tensor indexing, (b) Cambrian in one process (the runner's own job code, metered, with no
sandbox), (c) Cambrian in a warm session, (d) Avalanche in an environment of its own, which this
makes (minutes, once): with batches of 32 in tests as in training, and where every step is evaluated
also with all tests of a task in one batch, as Cambrian asks. One thread each; runs alternate; a
second bare run in each round gives the A/A spread. Mammoth is in no package index, and not timed.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from _one_process import OneProcess
from _table import Figure, report
from peers.environment import HERE as PEERS
from peers.environment import NoEnvironment, python_of

from cambrian.agents.spec import TaskSpec
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.benchmarks.base import generator
from cambrian.evaluators.protocols.tasks import Task, TaskStream, shuffled
from cambrian.sandbox.backends.process import Backend

LEARNER = (PEERS / "replay_learner.py").read_text(encoding="utf-8")
BATCH, SEED = 32, 1
STREAM = TaskSpec("classification", (28, 28), 10, boundaries=True, flops=1 << 60)
ONE_PROCESS, WARM_SESSION, EVERY_STEP = 0.95, 0.90, 3.0
STEPPED_EPOCHS = 3  # those of split-mnist, where every step is evaluated
AT_ONCE = "Avalanche, tests at once"
PER_CLASS = 200
"""Images of a class that are learned from, and others that are tested on, at every step."""

TEST_BATCH = {"Avalanche": BATCH, AT_ONCE: 1024}
Measured = tuple[float, float, float]
"""Wall seconds, processor seconds, mean accuracy on all tasks at the end."""

Run = Callable[[int, bool], Measured]
"""(epochs, whether every step is evaluated) → what was measured."""


class Clock:
    """Wall and processor seconds of this process since it was made."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self.wall, time.process_time() - self.cpu


def tasks() -> list[Task]:
    stream = benchmark("split-mnist")
    assert isinstance(stream, TaskStream)
    return stream.tasks("full", generator("split-mnist", "full", 1))


def tasks_to_step_through() -> list[Task]:
    """The same five tasks with as many images to test on as to learn from."""
    found = []
    for task in tasks():
        x, y = np.concatenate((task.train_x, task.test_x)), np.append(task.train_y, task.test_y)
        rows = [np.flatnonzero(y == label) for label in np.unique(y)]
        learn = np.concatenate([some[:PER_CLASS] for some in rows])
        test = np.concatenate([some[PER_CLASS : 2 * PER_CLASS] for some in rows])
        order = np.arange(len(learn))
        found.append(Task(x[learn], y[learn], order, x[test], y[test], len(test)))
    return found


def orders(stream: list[Task], epochs: int) -> list[np.ndarray]:
    rng = np.random.default_rng(SEED)
    return [shuffled(len(task.train_x), epochs, rng) for task in stream]


def of_both(make: Callable[[list[Task]], Run]) -> Run:
    """A run on the one stream, or on the other where every step is evaluated."""
    once, stepped = make(tasks()), make(tasks_to_step_through())
    return lambda epochs, each_step: (stepped if each_step else once)(epochs, each_step)


def bare(stream: list[Task]) -> Run:
    import torch
    from peers.replay_learner import CAPACITY, RATE, Learner

    tensors = [tuple(map(torch.from_numpy, (t.train_x, t.train_y))) for t in stream]
    tests = [tuple(map(torch.from_numpy, (t.test_x, t.test_y))) for t in stream]
    every_x, every_y = (torch.cat(parts) for parts in zip(*tests, strict=True))

    def right(network: Any, x: Any, y: Any) -> float:
        with torch.no_grad():
            return float((network(x).argmax(1) == y).float().mean())

    def run(epochs: int, each_step: bool) -> Measured:
        plan = [torch.from_numpy(order) for order in orders(stream, epochs)]
        clock = Clock()
        start = Learner(None, seed=SEED)
        network, draw = start.network, start.generator
        optimiser = torch.optim.SGD(network.parameters(), lr=RATE)
        memory_x, memory_y, seen = start.x, start.y, 0
        for number, (x, y) in enumerate(tensors):
            order = plan[number]
            for first in range(0, len(order), BATCH):
                rows = order[first : first + BATCH]
                new_x, new_y = x[rows], y[rows]
                all_x, all_y = new_x, new_y
                if seen:
                    old = torch.randint(min(seen, CAPACITY), (BATCH,), generator=draw)
                    all_x = torch.cat((new_x, memory_x[old]))
                    all_y = torch.cat((new_y, memory_y[old]))
                loss = torch.nn.functional.cross_entropy(network(all_x), all_y)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call,unused-ignore]
                optimiser.step()
                place = torch.arange(seen, seen + len(new_x))
                luck = torch.rand(len(new_x), generator=draw)
                slots = torch.where(place < CAPACITY, place, (luck * (place + 1)).long())
                keep = slots < CAPACITY
                memory_x[slots[keep]], memory_y[slots[keep]] = new_x[keep], new_y[keep]
                seen += len(new_x)
                if each_step:
                    right(network, every_x, every_y)
            accuracy = [right(network, *test) for test in tests[: number + 1]]
        return *clock.read(), float(np.mean(accuracy))

    return run


def driven(channel: Any, stream: list[Task], epochs: int, each_step: bool) -> float:
    """The stream as `run_tasks` goes through it, but for what is probed when."""
    every = np.concatenate([task.test_x for task in stream])
    accuracy: list[float] = []
    if each_step:
        channel.publish("every", {"x": every})
    for number, (task, order) in enumerate(zip(stream, orders(stream, epochs), strict=True)):
        if each_step:
            batches = (order[first : first + BATCH] for first in range(0, len(order), BATCH))
            observe_and_probe = ((task.train_x[rows], task.train_y[rows]) for rows in batches)
            for scores in channel.observe_and_probe(observe_and_probe, "every"):
                scores.argmax(1)
        else:
            channel.publish("task", {"x": task.train_x, "y": task.train_y, "order": order})
            for _ in channel.span("task", 0, len(order), BATCH):
                raise AssertionError("a span without a probe has no answers")
            channel.withdraw("task")
        channel.task_boundary()
        seen = stream[: number + 1]
        channel.publish("test", {"x": np.concatenate([t.test_x for t in seen])})
        scores = channel.predict_file("test")
        channel.withdraw("test")
        ends = np.cumsum([len(t.test_y) for t in seen])[:-1]
        answers = np.split(scores.argmax(1), ends)
        accuracy = [float(np.mean(a == t.test_y)) for a, t in zip(answers, seen, strict=True)]
    return float(np.mean(accuracy))


def one_process(stream: list[Task], folder: Path) -> Run:
    (folder / "agent").mkdir(exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    (folder / "agent" / "learner.py").write_text(LEARNER, encoding="utf-8")

    def run(epochs: int, each_step: bool) -> Measured:
        channel = OneProcess(folder)
        clock = Clock()
        channel.start(STREAM, SEED)
        accuracy = driven(channel, stream, epochs, each_step)
        channel.finish()
        return *clock.read(), accuracy

    return run


def in_session(stream: list[Task], session: Any) -> Run:
    def run(epochs: int, each_step: bool) -> Measured:
        clock = Clock()
        with session.job() as channel:
            channel.start(STREAM, SEED)
            accuracy = driven(channel, stream, epochs, each_step)
            channel.finish()
            wall, cpu = clock.read()
        return wall, cpu + session.report.cpu_s, accuracy

    return run


class Process:
    """A process that serves runs: "EPOCHS EACH_STEP" in, "WALL CPU ACCURACY" out."""

    def __init__(self, *command: str, quiet: bool = False) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )

    def __call__(self, epochs: int, each_step: bool) -> Measured:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{epochs} {int(each_step)}\n")
        self.process.stdin.flush()
        wall, cpu, accuracy = map(float, self.process.stdout.readline().split())
        return wall, cpu, accuracy

    def close(self) -> None:
        self.process.communicate()


def serve(kind: str) -> None:
    """Be such a process: `bare` or `one-process`."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        made = bare if kind == "bare" else functools.partial(one_process, folder=Path(folder))
        run = of_both(made)
        for line in sys.stdin:
            epochs, each_step = map(int, line.split())
            print(*run(epochs, bool(each_step)), flush=True)


def avalanche(folder: Path) -> dict[str, Process]:
    """With batches of 32, in tests as in training, and with tests in one batch for each task."""
    paths = folder / "once.npz", folder / "stepped.npz"
    for path, stream in zip(paths, (tasks(), tasks_to_step_through()), strict=True):
        arrays: dict[str, Any] = {}
        for number, task in enumerate(stream):
            arrays |= {f"train_x{number}": task.train_x, f"train_y{number}": task.train_y}
            arrays |= {f"test_x{number}": task.test_x, f"test_y{number}": task.test_y}
        np.savez(path, **arrays)
    try:
        python = python_of("avalanche")
    except NoEnvironment as error:
        print(f"no Avalanche here: {error}", file=sys.stderr)
        return {}
    # It warns of its own deprecated calls at every step, and resets every filter.
    call = str(python), str(PEERS / "avalanche_stream.py"), *map(str, paths)
    return {name: Process(*call, str(size), quiet=True) for name, size in TEST_BATCH.items()}


Times = Mapping[str, list[float]]


def measure(
    runs: Mapping[str, Run], rounds: int, epochs: int, each_step: bool
) -> tuple[Times, Times, dict[str, float]]:
    """Wall and processor seconds of every run, in turns, and each one's accuracy; a first round
    only warms up."""
    wall: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    accuracy = {name: run(1, each_step)[-1] for name, run in runs.items()}
    for number in range(rounds):
        names = list(runs) if number % 2 == 0 else list(runs)[::-1]
        for name in names:
            seconds, used, accuracy[name] = runs[name](epochs, each_step)
            wall[name].append(seconds)
            cpu[name].append(used)
    return wall, cpu, accuracy


def ratio(times: Times, one: str, other: str) -> float:
    """Median over the rounds of seconds of `one` by seconds of `other`."""
    pairs = zip(times[one], times[other], strict=True)
    return statistics.median(a / b for a, b in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--serve", choices=["bare", "one-process"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return 0
    from cambrian.sandbox.backends.registry import choose
    from cambrian.sandbox.session.limits import Limits
    from cambrian.sandbox.session.session import Session

    samples = sum(len(task.train_x) for task in tasks())
    rounds, epochs = (3, 2) if given.quick else (7, 8)
    backend = choose(given.sandbox, announce=lambda text: print(text, file=sys.stderr))
    here = (sys.executable, __file__, "--serve")
    processes = {
        "bare": Process(*here, "bare"),
        "bare again": Process(*here, "bare"),
        "one process": Process(*here, "one-process"),
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        Session(backend, Limits(job_s=600, request_s=300)) as session,
    ):
        session.install({"learner.py": LEARNER})
        processes |= avalanche(Path(folder))
        in_it = functools.partial(in_session, session=session)
        runs: dict[str, Run] = {**processes, "session": of_both(in_it)}
        once = {name: run for name, run in runs.items() if name != AT_ONCE}
        plain, cpu, accuracy = measure(once, rounds, epochs, each_step=False)
        short = 1 if given.quick else STEPPED_EPOCHS
        stepped, stepped_cpu, _ = measure(runs, 1 if given.quick else 3, short, each_step=True)
    for process in processes.values():
        process.close()
    figures = list(
        tabled((plain, cpu), (stepped, stepped_cpu), accuracy, samples, (epochs, short), backend)
    )
    if given.json:
        given.json.write_text(json.dumps([vars(f) for f in figures], indent=2) + "\n")
    return report(f"class-incremental replay, {samples * epochs} samples a run", figures)


def tabled(
    plain_times: tuple[Times, Times],
    stepped_times: tuple[Times, Times],
    accuracy: Mapping[str, float],
    samples: int,
    passes: tuple[int, int],
    backend: Backend,
) -> Iterator[Figure]:
    epochs, short = passes
    (plain, cpu), (stepped, stepped_cpu) = plain_times, stepped_times
    pairs = list(zip(plain["bare"], plain["bare again"], strict=True))
    spread = statistics.median(abs(b / a - 1) for a, b in pairs)
    for name, times in plain.items():
        rate = samples * epochs / statistics.median(times)
        note = f"accuracy {accuracy[name]:.4f}"
        yield Figure(f"{name}: samples/s", round(rate), note=note)
    for name, target in (("one process", ONE_PROCESS), ("session", WARM_SESSION)):
        where = f", {backend.name}" if name == "session" else ""
        yield Figure(
            f"{name}{where}: speed of the bare loop's",
            ratio(plain, "bare", name),
            target=target,
            at_least=True,
            spread=spread,
            note=f"by processor time {ratio(cpu, 'bare', name):.3f}",
        )
    # The bare loop means in single precision.
    same = len({round(accuracy[name], 6) for name in ("bare", "one process", "session")})
    yield Figure("different accuracies of the same maths", same, target=1)
    steps = sum(len(task.train_x) for task in tasks_to_step_through()) * short / BATCH
    for name, times in stepped.items():
        yield Figure(
            f"{name}, every step evaluated: ms/step", 1000 * statistics.median(times) / steps
        )
    if "Avalanche" in plain:
        yield Figure(
            "Avalanche: times slower than the bare loop", ratio(plain, "Avalanche", "bare")
        )
        targets: dict[str, float | None] = {"Avalanche": EVERY_STEP, AT_ONCE: None}
        for name, goal in targets.items():
            yield Figure(
                f"session, every step evaluated: times {name}'s speed",
                ratio(stepped, name, "session"),
                target=goal,
                at_least=True,
                note=f"by processor time {ratio(stepped_cpu, name, 'session'):.2f}",
            )


if __name__ == "__main__":
    sys.exit(main())
