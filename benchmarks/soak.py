"""A run for an hour or more with everything going wrong around it: is it as well as at the start?

    python benchmarks/soak.py [--minutes 60] [--quick] [--sandbox docker] [--json FILE]
                               [--folder DIR]

The daemon runs in a process of its own, as users run it, with instant workers (judging is not what
is tried here) and a real model client. Around it, all the time and at random (seeded) moments:

- the sandbox's engine is down for a while. Without `--sandbox docker` that is a fake: every attempt
  breaks, the probe too. With it, a Docker engine of the soak's own (`_engine.py`; the machine's is
  left alone) is killed and started again, and one variant in four has its smoke stage in a real
  container there, as has the seed agent with which the daemon finds out whether a sandbox works;
- the disk is full: the archive is on a small file system that somebody else fills up;
- the clock is set back and forward by up to a day;
- the model's endpoint answers 503, hangs up, sends nonsense, or is slow;
- a person pauses and resumes, and changes the number of workers.

After each fault it waits until a variant is judged again. Every few seconds memory, descriptors and
threads are sampled. It ends with a drain, a full check of the archive, and a table: figure, target,
met or missed; exit code 1 if one was missed. The file system is a tmpfs where that may be mounted
(as root); else the database's size is limited instead. To end it early: SIGTERM.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
from _around import SIZE_MB, STUCK_S, Around, judged_by, own_engine, sample, small_disk
from _engine import PrivateEngine
from _table import Figure, report

from cambrian.archive import Archive, store
from cambrian.archive.sqlite import connection
from cambrian.daemon import socket, supervisor
from cambrian.daemon.logs import EventLog
from cambrian.daemon.service import Options
from cambrian.errors import SandboxBroken, Unreachable
from cambrian.evolution.runtime.process_worker import ProcessWorker
from cambrian.measurement import Measurement, Unit
from cambrian.testing import forked_runs
from cambrian.testing.endpoint import endpoint

SAMPLE_S = 5.0
WORK_S = 0.08
"""How long an evaluation takes: a few variants a second, as many as a fast machine judges."""

SETTLED_S = 30.0

GROWTH_MB, GROWTH_SHARE = 24.0, 0.15


class Faulty(forked_runs.InstantImprover):
    """Works, unless the engine is down."""

    down = Path()

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        for unit in units:
            if Faulty.down.exists():
                raise SandboxBroken("the engine does not answer")
            async for one in super().evaluate(agent_id, files, [unit], device):
                yield one
            await anyio.sleep(WORK_S)


class Mixed(Faulty):
    """Judges the smoke stage of one variant in four, and of seed agents, in a real container."""

    def __init__(self, log: Path) -> None:
        super().__init__(log)
        self._real = ProcessWorker("docker", log)

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        real = "NOTES.md" not in files or agent_id[0] in "0123"
        for unit in units:
            judge = self._real.evaluate if real and unit.stage == "smoke" else super().evaluate
            async for one in judge(agent_id, files, [unit], device):
                yield one

    async def close(self, *, now: bool = False) -> None:
        await self._real.close(now=now)


def child(home: Path, faults: Path) -> None:
    """The daemon's process."""
    Faulty.down = faults / "engine-down"
    offset = [0.0]

    def look() -> None:
        while True:
            with contextlib.suppress(OSError, ValueError):
                offset[0] = float((faults / "clock").read_text())
            time.sleep(0.5)

    threading.Thread(target=look, daemon=True).start()
    plain = connection.connect

    def connect(path: Path, clock: Any, **keywords: Any) -> Any:
        found = plain(path, lambda: time.time() + offset[0], **keywords)
        if (faults / "full").exists() and not keywords.get("read_only"):
            pages = found.value("PRAGMA page_count")
            found.connection.execute(f"PRAGMA max_page_count = {pages}")
        return found

    store.connect = connect  # type: ignore[attr-defined]
    settings = forked_runs.settings(None, hours=1000.0, tokens=10**12, model="soak")
    make_worker = Mixed if "DOCKER_HOST" in os.environ else Faulty
    options = Options(
        make_worker=make_worker, log=EventLog(faults / "logs"), drain_s=60.0, metrics_port=0
    )
    supervisor.run(home, settings, lambda text: print(text, file=sys.stderr), options=options)


def soak(
    minutes: float, folder: Path, seed: int, sandbox: str
) -> tuple[list[Figure], dict[str, Any]]:
    disk, faults = folder / "disk", folder / "faults"
    for each in (disk, faults):
        each.mkdir(parents=True, exist_ok=True)
    samples: list[dict[str, float]] = []
    with small_disk(disk) as mounted, contextlib.ExitStack() as stack:
        home = disk / "archive"
        real, known = stack.enter_context(own_engine(folder / "engine", sandbox == "docker"))
        around = Around(home, faults, mounted, seed, real)
        server = stack.enter_context(endpoint(around.answer))
        server.requests = Forgetful()
        log = stack.enter_context((folder / "daemon.err").open("ab"))
        process = subprocess.Popen(
            [sys.executable, __file__, "--child", str(home), str(faults)],
            stderr=log,
            env=os.environ | known | {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": server.url},
        )
        stack.callback(process.kill)
        began = _ready(home, process)
        over = threading.Event()
        troubles = threading.Thread(target=_trouble, args=(around, over), daemon=True)
        troubles.start()
        progress, longest = (began, -1), 0.0
        while time.monotonic() - began < minutes * 60 and process.poll() is None:
            over.wait(SAMPLE_S)
            now = time.monotonic()
            try:
                samples.append({"at_s": now - began, **sample(process.pid)})
            except (OSError, KeyError):  # it has just ended, which is looked at below
                break
            judged = judged_by(home)
            if judged > progress[1]:
                progress = (now, judged)
            longest = max(longest, now - progress[0])
            samples[-1]["judged"] = judged
            with (folder / "samples.jsonl").open("a") as lines:
                lines.write(json.dumps(samples[-1]) + "\n")
        over.set()
        troubles.join(120)
        around.endpoint = "fine"
        alive = process.poll() is None
        around.say("stop", {"how": "drain"})
        try:
            code = process.wait(180)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            code = process.wait()
        problems, facts = _look(home)
        facts["recoveries_s"] = around.recoveries
        facts["engine_restarts"] = real.starts - 1 if real else 0
        facts["containers_left"] = _settled(real) if real else []
    figures = _figures(samples, alive, code, problems, facts, longest)
    return figures + (_of_real_engine(facts) if sandbox == "docker" else []), {
        "minutes": minutes,
        "sandbox": sandbox,
        "faults": around.happened,
        "disk": f"tmpfs of {SIZE_MB} MB" if mounted else "max_page_count",
        "problems": problems,
        **facts,
        "samples": samples,
    }


class Forgetful(list[Any]):
    """The endpoint's list of requests, which would grow for an hour."""

    def append(self, item: Any) -> None:
        return


def _trouble(around: Around, over: threading.Event) -> None:
    while not over.is_set():
        around.one(over)
        around.recovered(over)
        over.wait(around.chance.uniform(3, 20))


def _ready(home: Path, process: subprocess.Popen[bytes]) -> float:
    while process.poll() is None:
        try:
            socket.ask(home, "status")
        except Unreachable:
            time.sleep(0.2)
        else:
            return time.monotonic()
    raise SystemExit(f"soak: the daemon ended at once with {process.returncode}")


def _settled(engine: PrivateEngine) -> list[str]:
    """The containers that are there when a while has passed: the engine removes them by itself."""
    end = time.monotonic() + SETTLED_S
    while (left := engine.containers()) and time.monotonic() < end:
        time.sleep(1)
    return left


def _look(home: Path) -> tuple[list[str], dict[str, Any]]:
    """What is wrong with the archive in the end, and what is in it."""
    problems = forked_runs.sound(home)
    with Archive.open(home) as archive:
        kinds = archive.database.rows("SELECT kind, count(*) AS n FROM events GROUP BY kind")
        events = {row["kind"]: row["n"] for row in kinds}
        counts, jobs = archive.counts(), archive.jobs.counts()
        stuck = archive.database.value(
            "SELECT count(*) FROM jobs j JOIN proposals p ON p.id = j.proposal_id WHERE j.state IN "
            "('queued', 'leased') AND p.state NOT IN ('open', 'proposed', 'ready')"
        )
        paused = archive.database.rows(
            "SELECT json_extract(data, '$.reason') AS reason, count(*) AS n FROM events "
            "WHERE kind = 'run.paused' GROUP BY reason"
        )
        inside = archive.database.value("SELECT count(*) FROM evaluations WHERE backend = 'docker'")
        run = archive.runs.last()
        meters = archive.steering.meters(run.id if run else 0)
        missing = {
            "proposals": counts["proposals"] - events.get("proposal.opened", 0),
            "evaluations": sum(n for name, n in counts.items() if name.startswith("evaluations_"))
            - events.get("evaluation.recorded", 0),
            "admitted": counts["admitted"] - events.get("proposal.admitted", 0),
            "jobs": int(archive.database.value("SELECT count(*) FROM jobs"))
            - events.get("job.queued", 0),
            "gaps": int(archive.database.value("SELECT max(seq) - count(*) FROM events")),
            "answers": int(archive.database.value("SELECT count(*) FROM answers"))
            - int(archive.database.value("SELECT count(*) FROM spend WHERE estimated = 0")),
        }
        return problems, {
            "counts": counts,
            "jobs": jobs,
            "stuck": stuck,
            "leased": jobs["leased"],
            "events": sum(events.values()),
            "events_missing": missing,
            "metered": meters,
            "pauses": {row["reason"]: row["n"] for row in paused},
            "in_containers": inside,
            "failed": counts["evaluations_failed"],
            "parked": counts["parked"],
            "database_mb": (home / "archive.db").stat().st_size / 1e6,
        }


def _figures(
    samples: Sequence[Mapping[str, float]],
    alive: bool,
    code: int,
    problems: Sequence[str],
    facts: Mapping[str, Any],
    longest: float,
) -> list[Figure]:
    quarter = max(len(samples) // 4, 1)
    slowest = max(facts["recoveries_s"], default=0.0)

    def growth(name: str) -> tuple[float, float]:
        before = statistics.median(s[name] for s in samples[quarter : 2 * quarter] or samples)
        return before, statistics.median(s[name] for s in samples[-quarter:]) - before

    rss, more = growth("rss_mb")
    allowed = max(GROWTH_MB, GROWTH_SHARE * rss)
    _, descriptors = growth("descriptors")
    _, threads = growth("threads")
    counts, after_drain = facts["counts"], float(code != 0)
    made = sum(counts[f"evaluations_{verdict}"] for verdict in ("scored", "failed", "broken"))
    uncounted = made - facts["metered"].get("evaluations", 0)
    return [
        Figure("ended before it was told to", float(not alive), target=0),
        Figure("exit code after a drain not 0", after_drain, target=0),
        Figure("variants judged", counts["judged"], target=1, at_least=True),
        Figure("slowest to judge again after a fault's end", slowest, "s", STUCK_S),
        Figure("longest without a variant judged", longest, "s"),
        Figure("memory: growth after the first half", more, "MB", allowed, note=f"{rss:.0f} MB"),
        Figure("descriptors: growth", descriptors, target=4),
        Figure("threads: growth", threads, target=4),
        Figure("jobs stuck or still leased", facts["stuck"] + facts["leased"], target=0),
        Figure("variants parked", facts["parked"], target=0),
        Figure("variants that a fault was held against", facts["failed"], target=0),
        Figure("events missing", sum(map(abs, facts["events_missing"].values())), target=0),
        Figure("evaluations not counted or counted twice", abs(uncounted), target=0),
        Figure("problems that db check finds", len(problems), target=0),
    ]


def _of_real_engine(facts: Mapping[str, Any]) -> list[Figure]:
    return [
        Figure("the engine was killed and started again", facts["engine_restarts"], "", 1, True),
        Figure("pauses because it was down", facts["pauses"].get("engine", 0), "", 1, True),
        Figure("evaluations in its containers", facts["in_containers"], "", 1, True),
        Figure("containers left in it", len(facts["containers_left"]), target=0),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--quick", action="store_true", help="one minute")
    parser.add_argument(
        "--sandbox",
        default="none",
        choices=["none", "docker"],
        help="docker: part of the work in containers of an engine of its own, which is killed and "
        "started again (as root)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--folder", type=Path, help="where it works and leaves samples")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(*given.child)
        return
    for kind in (signal.SIGTERM, signal.SIGINT):  # leave no engine and nothing mounted behind
        signal.signal(kind, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.folder or Path(scratch)).absolute()
        figures, facts = soak(
            1.0 if given.quick else given.minutes, folder, given.seed, given.sandbox
        )
    if given.json:
        rows = [{**vars(figure), "met": figure.met} for figure in figures]
        given.json.write_text(json.dumps({"figures": rows, **facts}, indent=2) + "\n")
    print(json.dumps({name: value for name, value in facts.items() if name != "samples"}))
    raise SystemExit(report(f"soak, {facts['minutes']:g} minutes", figures))


if __name__ == "__main__":
    main()
