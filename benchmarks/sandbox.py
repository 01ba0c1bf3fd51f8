"""What isolation costs: start-up and job latency, round trips and bulk, whole jobs, side by side.

    python benchmarks/sandbox.py [--quick] [--json FILE]

Start-up is from nothing to torch imported and ready; a job is a whole tiny job (an agent's code in,
the learner created, one batch predicted, what it cost, everything cleaned up). Medians. Every way
that this machine can run is measured in the same run; gVisor where the engine has it (`runsc`).
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _jobs
import numpy as np
from _channel import ECHO, KEPT, Bare
from _table import Figure, report

from cambrian.agents.seeds import load_seed
from cambrian.agents.spec import TaskSpec
from cambrian.errors import CambrianError
from cambrian.sandbox.backends.bubblewrap import BubblewrapBackend
from cambrian.sandbox.backends.docker import DockerBackend
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.backends.process import Backend
from cambrian.sandbox.session.channel import Channel
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.pool import SessionPool
from cambrian.sandbox.session.session import Session

LIMITS = Limits(job_s=600, request_s=300)
SMALL, BULK = (32, 64), (128, 3, 32, 32)
BARE = f"""
import sys; sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
{ECHO}
Learner(None, seed=0).predict(torch.zeros{SMALL})
"""
BUSY_S = 4.0


def backends() -> Iterator[tuple[str, Backend]]:
    """Every way to isolate that works here, by the name it has in the table."""
    makers: dict[str, Callable[[], Backend]] = {
        "no sandbox": PlainBackend,
        "bubblewrap": BubblewrapBackend,
        "container": DockerBackend,
        "gVisor": lambda: DockerBackend(runtime="runsc"),
    }
    for name, make in makers.items():
        try:
            backend = make()
            Session(backend, LIMITS).close()
        except CambrianError as error:
            print(f"{name}: not here ({str(error)[:100]})", file=sys.stderr)
            continue
        yield name, backend


def timed(work: Callable[[], object], rounds: int, warm: int = 1) -> float:
    """Median seconds of one call."""
    for _ in range(warm):
        work()
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def tiny(session: Session) -> None:
    with session.job() as channel:
        start(channel)
        channel.predict(np.zeros(SMALL, np.float32))
        channel.finish()


def start(channel: Channel) -> None:
    channel.start(TaskSpec("classification", (64,), KEPT), seed=0)


# -- latency -----------------------------------------------------------------------------


def bare_process() -> None:
    subprocess.run([sys.executable, "-c", BARE, "/"], check=True)


def fresh(backend: Backend) -> tuple[float, float]:
    """Seconds until a session is ready, and of a job in it, which is its first."""
    began = time.perf_counter()
    with Session(backend, LIMITS) as session:
        ready = time.perf_counter()
        session.install({"learner.py": ECHO})
        tiny(session)
        return ready - began, time.perf_counter() - ready


def pooled(backend: Backend, rounds: int) -> float:
    """Median seconds of a job in a container that stood ready, as its first and only one."""
    pool, found = SessionPool(backend, LIMITS), []
    for _ in range(rounds):
        pool.prepare()
        while pool._thread is not None and pool._thread.is_alive():  # stands ready
            time.sleep(0.05)
        began = time.perf_counter()
        session = pool.acquire()
        session.install({"learner.py": ECHO})
        tiny(session)
        found.append(time.perf_counter() - began)
        session.close()
    pool.close()
    return statistics.median(found)


def hidden(backend: Backend, agents: int) -> float:
    """Median seconds that an agent waits for its session while the last one's job took seconds."""
    pool, waits = SessionPool(backend, LIMITS), []
    session = pool.acquire()
    for _ in range(agents):
        pool.prepare()
        busy_until = time.monotonic() + BUSY_S
        with session.job() as channel:
            session.install({"learner.py": ECHO})
            start(channel)
            while time.monotonic() < busy_until:
                channel.predict(np.zeros(SMALL, np.float32))
                time.sleep(0.01)
        session.close()
        began = time.perf_counter()
        session = pool.acquire()
        waits.append(time.perf_counter() - began)
    session.close()
    pool.close()
    return statistics.median(waits)


def latencies(ways: dict[str, Backend], quick: bool) -> dict[str, float]:
    rounds = 2 if quick else 5
    found = {"start-up and job, bare process": timed(bare_process, rounds, warm=1)}
    for name, backend in ways.items():
        both = [fresh(backend) for _ in range(rounds)]
        found[f"start-up, {name}"] = statistics.median(ready for ready, _ in both)
        found[f"first job, {name}"] = statistics.median(job for _, job in both)
        if "between jobs" in backend.reduced:
            continue  # a session for every job: none is ever warm
        with Session(backend, LIMITS) as session:
            session.install({"learner.py": ECHO})
            found[f"job in a warm session, {name}"] = timed(
                functools.partial(tiny, session), 20 if quick else 100, warm=3
            )
    if "container" in ways:
        found["job, pooled container"] = pooled(ways["container"], rounds)
        found["wait for a session, queue not empty"] = hidden(ways["container"], 2 if quick else 5)
    return found


# -- the channel -------------------------------------------------------------------------


def round_trips(ways: dict[str, Backend], quick: bool) -> dict[tuple[str, str], float]:
    """Seconds of a round trip by way and size; the ways take turns, best half of the rounds."""
    turns, calls = (3, 200) if quick else (10, 500)
    found: dict[tuple[str, str], float] = {}
    for size, shape in (("32x64", SMALL), ("128x3x32x32", BULK)):
        with contextlib.ExitStack() as stack:
            ends: dict[str, Callable[[], object]] = {}
            for way in ("pipe", "socket", "shm", "shm-zero-copy"):
                bare = Bare(way, shape)
                stack.callback(bare.close)
                ends[f"bare processes, {way}"] = bare
            x = np.random.default_rng(0).random(shape, np.float32)
            for name, backend in ways.items():
                session = stack.enter_context(Session(backend, LIMITS))
                session.install({"learner.py": ECHO})
                channel = stack.enter_context(session.job())
                start(channel)
                ends[name] = functools.partial(channel.predict, x)
            seen: dict[str, list[float]] = {name: [] for name in ends}
            for _ in range(turns):
                for name, call in ends.items():
                    seen[name].append(timed(call, calls, warm=20))
            for name, times in seen.items():
                found[name, size] = statistics.median(sorted(times)[: (turns + 1) // 2])
    return found


# -- the whole ---------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter jobs")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    ways = dict(backends())
    strongest = next(name for name in ("container", "bubblewrap") if name in ways)
    latency = latencies(ways, given.quick)
    trips = round_trips(ways, given.quick)
    with Session(ways[strongest], LIMITS) as session:
        session.install(load_seed("replay"))
        jobs = _jobs.measure(session, quick=given.quick)
    show(latency, trips)
    if given.json:
        flat = {f"{name}, {size}": seconds for (name, size), seconds in trips.items()}
        whole = {"latency_s": latency, "round_trip_s": flat, "jobs": jobs}
        given.json.write_text(json.dumps(whole, indent=2) + "\n")
    return report(f"Targets (sandbox: {strongest})", list(figures(strongest, latency, trips, jobs)))


def show(latency: dict[str, float], trips: dict[tuple[str, str], float]) -> None:
    width = max(map(len, [*latency, *(name for name, _ in trips)]))
    print(f"\n{'latency':{width}} {'ms':>10}")
    for name, seconds in latency.items():
        print(f"{name:{width}} {seconds * 1e3:10.1f}")
    sizes = {"32x64": np.prod(SMALL) * 4, "128x3x32x32": np.prod(BULK) * 4}
    heads = "".join(f" {size + ', us':>16} {'per s':>7} {'MB/s':>7}" for size in sizes)
    print(f"\n{'round trip':{width}}{heads}")
    for name in dict.fromkeys(name for name, _ in trips):
        line = f"{name:{width}}"
        for size, count in sizes.items():
            seconds = trips[name, size]
            line += f" {seconds * 1e6:16.0f} {1 / seconds:7.0f} {count / seconds / 1e6:7.0f}"
        print(line)


def figures(
    way: str,
    latency: dict[str, float],
    trips: dict[tuple[str, str], float],
    jobs: list[dict[str, Any]],
) -> Iterator[Figure]:
    yield Figure("job in a warm session", latency[f"job in a warm session, {way}"] * 1e3, "ms", 40)
    yield Figure("32x64 float32 round trip", trips[way, "32x64"] * 1e6, "us", 100)
    owned = trips["bare processes, shm", "128x3x32x32"]
    lying = trips["bare processes, shm-zero-copy", "128x3x32x32"]
    bulk = trips[way, "128x3x32x32"]
    yield Figure(
        "bulk batch / shared memory",
        bulk / owned,
        "x",
        2,
        note=f"a copy of the reader's own; {bulk / lying:.2f} x where it looks at the writer's",
    )
    if "wait for a session, queue not empty" in latency:
        waited = latency["wait for a session, queue not empty"] * 1e3
        yield Figure("wait for a session, queue not empty", waited, "ms", 40)
    for row in jobs:
        yield Figure(
            f"{row['seconds']['session']:.1f} s job, {row['job']} / bare process",
            row["ratio"],
            "x",
            _jobs.TARGETS[row["job"]],
            spread=row["a_a_spread"],
            note="" if row["same_score"] else "SCORES DIFFER",
        )
        yield Figure(f"scores that differ, {row['job']}", float(not row["same_score"]), "", 0)


if __name__ == "__main__":
    sys.exit(main())
