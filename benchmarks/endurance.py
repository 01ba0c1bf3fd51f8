"""A thousand jobs over eight sessions, with crashes, hangs, memory bombs and an engine restart.

    python benchmarks/endurance.py [--quick] [--json FILE] [--sandbox auto|docker|bubblewrap]
                                   [--restart-engine]

Every job's verdict is known beforehand: an honest learner is scored, and has the same score each
time; the others fail, with their cause; `broken` is what happens to whatever is under way while
the engine is restarted, and to nothing else. What was broken is tried again. Afterwards nothing may
be left: memory and descriptors of this process, containers, control groups, disk.

`--restart-engine` kills the Docker engine (by the id in its own pid file) in the middle and has
`scripts/engine` start it again. That ends every other container of that engine, so it has to be
asked for; without it the row says so.
"""

from __future__ import annotations

import argparse
import collections
import gc
import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _table import Figure, report

from cambrian.agents.spec import TaskSpec
from cambrian.errors import CambrianError, SandboxBroken
from cambrian.sandbox.backends import cgroups, owner
from cambrian.sandbox.backends.process import Backend
from cambrian.sandbox.backends.registry import choose
from cambrian.sandbox.session.channel import Channel
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.session import Session

ENGINE = Path(__file__).parent.parent / "scripts" / "engine"
ENGINE_PID = Path("/var/run/docker.pid")
SESSIONS, JOBS = 8, 1000
WARMED_UP = 0.2
"""The share of the jobs after which memory and descriptors are first looked at."""
LIMITS = Limits(memory_bytes=384 << 20, request_s=4.0, job_s=30.0, cpus=1.0)
BROKEN_AGAIN = 30
PAUSE_S = 2.0

HONEST = """
import torch
class Learner:
    def __init__(self, spec, *, seed, device="cpu"):
        torch.manual_seed(seed)
        self.layer = torch.nn.Linear(16, 4)
        self.step = torch.optim.SGD(self.layer.parameters(), lr=0.1)
    def observe(self, x, y, task=None):
        self.step.zero_grad()
        torch.nn.functional.cross_entropy(self.layer(x), y).backward()
        self.step.step()
    def predict(self, x, task=None):
        with torch.no_grad():
            return self.layer(x)
"""
BAD = """
from honest import Learner as Honest
class Learner(Honest):
    def observe(self, x, y, task=None):
        """
LEARNERS = {
    "honest": (HONEST, "scored"),
    "exit": (BAD + "import os; os._exit(3)", "crash"),
    "segfault": (BAD + "import ctypes; ctypes.string_at(0)", "crash"),
    "exception": (BAD + "raise ValueError('no')", "exception"),
    "hang": (BAD + "\n        while True: pass", "timeout"),
    "sleep": (BAD + "import time; time.sleep(600)", "timeout"),
    "memory": (BAD + "self.held = [bytearray(b'x' * (1 << 20)) for _ in range(4000)]", "memory"),
    "nonfinite": (BAD + "self.layer.weight.data.fill_(float('nan'))", "nonfinite"),
    "daemon": (
        BAD + "import os, time\n        if os.fork() == 0:\n            os.setsid()\n"
        "            time.sleep(600)\n        super().observe(x, y)",
        "scored",
    ),
    "files": (
        BAD + "import os\n        for n in range(50): open(f'f{n}', 'wb').write(b'x' * 10000)\n"
        "        super().observe(x, y)",
        "scored",
    ),
}
SHARES = {"honest": 80, "exit": 2, "segfault": 2, "exception": 3, "hang": 2, "sleep": 1}
SHARES |= {"memory": 3, "nonfinite": 3, "daemon": 2, "files": 2}


@dataclass
class Tally:
    """What happened, from all threads."""

    verdicts: collections.Counter[str] = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)
    broken_outside: int = 0
    broken: int = 0
    scores: set[float] = field(default_factory=set)
    sessions: int = 0
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    restarting: threading.Event = field(default_factory=threading.Event)


def run_job(channel: Channel) -> float:
    draw = np.random.default_rng(3)
    x = draw.normal(size=(64, 16)).astype(np.float32)
    y = (x[:, :4].argmax(1)).astype(np.int64)
    channel.start(TaskSpec("classification", (16,), 4, observations=128, batch_size=16), seed=1)
    channel.publish("train", {"x": x, "y": y, "order": np.arange(64).repeat(2)})
    channel.publish("probe", {"x": x})
    hits = [
        float((scores.argmax(1) == y).mean())
        for scores in channel.span("train", 0, 128, 16, probe="probe", probe_every=4)
    ]
    channel.finish()
    return float(np.mean(hits))


def work(backend: Backend, jobs: queue.Queue[str], tally: Tally) -> None:
    """One of the eight: a live session, made anew whenever the last is spent."""
    session: Session | None = None
    while True:
        try:
            kind = jobs.get_nowait()
        except queue.Empty:
            break
        for _ in range(BROKEN_AGAIN):
            try:
                if session is None or session.spent:
                    if session is not None:
                        session.close()
                    session = Session(backend, LIMITS)
                    with tally.lock:
                        tally.sessions += 1
                verdict, score = judge(session, kind)
            except SandboxBroken as error:
                with tally.lock:
                    tally.broken += 1
                    if not tally.restarting.is_set():
                        tally.broken_outside += 1
                        tally.wrong.append(f"{kind}: broken: {error}"[:300])
                time.sleep(PAUSE_S)
                continue
            with tally.lock:
                tally.verdicts[f"{kind}: {verdict}"] += 1
                tally.done += 1
                if verdict != LEARNERS[kind][1]:
                    tally.wrong.append(f"{kind}: {verdict}")
                if verdict == "scored":
                    tally.scores.add(score)
            break
        else:
            with tally.lock:
                tally.wrong.append(f"{kind}: never carried out")
    if session is not None:
        session.close()


def judge(session: Session, kind: str) -> tuple[str, float]:
    session.install({"honest.py": HONEST, "learner.py": LEARNERS[kind][0]})
    try:
        with session.job() as channel:
            return "scored", run_job(channel)
    except LearnerFailed as failure:
        return failure.cause, 0.0


def restart_engine(tally: Tally) -> float:
    """Kill the engine and have it started again; seconds it took."""
    began = time.monotonic()
    tally.restarting.set()
    os.kill(int(ENGINE_PID.read_text()), signal.SIGKILL)
    subprocess.run([ENGINE, "start"], check=True)
    time.sleep(3 * PAUSE_S)  # what was under way finds out
    tally.restarting.clear()
    return time.monotonic() - began


# -- what is left ------------------------------------------------------------------------


def looked_at(backend: Backend) -> dict[str, float]:
    gc.collect()
    status = Path("/proc/self/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    folders = list(Path(tempfile.gettempdir()).glob(f"{owner.PREFIX}{owner.me().slug}*"))
    return {
        "memory_mb": int(resident.split()[1]) / 1024,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "disk_mb": shutil.disk_usage(tempfile.gettempdir()).used / 1e6,
        "folders": len(folders),
        "containers": containers(backend),
        "groups": groups(),
    }


def containers(backend: Backend) -> int:
    if backend.name != "docker":
        return 0
    from cambrian.sandbox.backends.docker import OWNER_LABEL
    from cambrian.sandbox.backends.engine import engine

    with engine() as client:
        label = f"{OWNER_LABEL}={owner.me()}"
        return len(client.containers(all=True, filters={"label": label}))


def groups() -> int:
    """Control groups of this process's sessions (bubblewrap's; the engine keeps its own)."""
    found = cgroups.ROOT.glob(f"**/{owner.PREFIX}{owner.me().slug}*")
    return len({path.name for path in found})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="120 jobs over 4 sessions")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--restart-engine", action="store_true")
    given = parser.parse_args()
    try:
        backend = choose(given.sandbox, announce=lambda text: print(text, file=sys.stderr))
    except CambrianError as error:
        print(f"endurance: {error}", file=sys.stderr)
        return error.exit_code
    count, sessions = (120, 4) if given.quick else (JOBS, SESSIONS)
    whole = endure(backend, count, sessions, given.restart_engine and backend.name == "docker")
    if given.json:
        given.json.write_text(json.dumps(whole, indent=2) + "\n")
    for wrong in whole["wrong"][:20]:
        print(f"wrong: {wrong}")
    print(
        json.dumps({key: whole[key] for key in ("verdicts", "before", "warm", "after")}, indent=2)
    )
    return report(f"{count} jobs over {sessions} sessions in {backend.name}", figures(whole))


def endure(backend: Backend, count: int, sessions: int, restart: bool) -> dict[str, Any]:
    chance = random.Random(1)
    kinds = chance.choices(list(SHARES), list(SHARES.values()), k=count)
    jobs: queue.Queue[str] = queue.Queue()
    for kind in kinds:
        jobs.put(kind)
    tally, before, began = Tally(), looked_at(backend), time.monotonic()
    warm, restart_s = before, 0.0
    hands = [threading.Thread(target=work, args=(backend, jobs, tally)) for _ in range(sessions)]
    for hand in hands:
        hand.start()
    told = 0
    while any(hand.is_alive() for hand in hands):
        time.sleep(0.5)
        if warm is before and tally.done >= WARMED_UP * count:
            warm = looked_at(backend)
        if restart and not restart_s and tally.done >= count / 2:
            restart_s = restart_engine(tally)
        if tally.done >= told + 100:
            told = tally.done
            print(f"{told} of {count} after {time.monotonic() - began:.0f} s", file=sys.stderr)
    for hand in hands:
        hand.join()
    return {
        "jobs": count,
        "seconds": time.monotonic() - began,
        "verdicts": dict(sorted(tally.verdicts.items())),
        "wrong": tally.wrong,
        "broken": tally.broken,
        "broken_outside": tally.broken_outside,
        "restart_s": restart_s,
        "scores": sorted(tally.scores),
        "sessions": tally.sessions,
        "before": before,
        "warm": warm,
        "after": looked_at(backend),
    }


def figures(whole: dict[str, Any]) -> list[Figure]:
    before, warm, after = whole["before"], whole["warm"], whole["after"]
    restarted = f"engine restarted in {whole['restart_s']:.0f} s" if whole["restart_s"] else ""
    return [
        Figure("jobs carried out", sum(whole["verdicts"].values()), "", whole["jobs"], True),
        Figure("wrong verdicts", len(whole["wrong"]), "", 0),
        Figure("different scores of one learner", len(whole["scores"]), "", 1),
        Figure("broken while the engine was up", whole["broken_outside"], "", 0),
        Figure(
            "broken by the engine's restart", whole["broken"], note=restarted or "none asked for"
        ),
        Figure("sessions opened", whole["sessions"]),
        Figure("memory gained since warm", after["memory_mb"] - warm["memory_mb"], "MB", 64),
        Figure("descriptors gained", after["descriptors"] - before["descriptors"], "", 0),
        Figure("containers left", after["containers"], "", 0),
        Figure("control groups left", after["groups"], "", 0),
        Figure("folders left", after["folders"], "", 0),
        Figure("disk gained", after["disk_mb"] - before["disk_mb"], "MB", 64),
        Figure("jobs per second", whole["jobs"] / whole["seconds"]),
    ]


if __name__ == "__main__":
    sys.exit(main())
