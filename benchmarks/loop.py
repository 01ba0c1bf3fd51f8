"""What the loop itself costs per judged variant, as the archive grows.

    python benchmarks/loop.py [--agents 10000] [--quick] [--profile FILE] [--json FILE]

One run grows an archive with an instant model (in-process, as OpenEvolve's and ShinkaEvolve's were
measured with an instant one) and an instant evaluator: everything else is real, a parent drawn, the
evidence put together, the answer recorded, the edit applied and checked, six evaluations in three
stages, gates, the decision, events, the git lineage. Time, CPU (this process and its children) and
disk are taken over the last tenth before each size, and over `LEAST` variants at least: the lineage
is written once in 64. What the instant evaluator takes to make up its verdicts is taken off. Exit
code 1 if a target is missed.

The peers' figures beside it were measured elsewhere, on a machine like this one, with one
evaluation per program (not six), and are not run here.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import resource
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
from _table import Figure, report

from cambrian.archive import Archive
from cambrian.daemon.supervisor import prepare
from cambrian.evolution.loop import Loop
from cambrian.evolution.runtime.workers import Ask
from cambrian.measurement import Measurement, Unit
from cambrian.testing import forked_runs
from cambrian.testing.workers import InstantWorker, judged, noted

SIZES = (100, 1_000, 3_000, 10_000)
LEAST = 64
CPU_MS, PER_S, DISK_KB, FLAT = 10.0, 100.0, 8.0, 1.5

PEERS = """\
peers, measured elsewhere, one evaluation per program, CPU per program:
  OpenEvolve 0.4.0      22 ms at 100, 166-195 ms at 1,000, 1.1-1.7 s at 3,000;
                        260 KB of disk at its cap of 1,000 programs
  ShinkaEvolve 9912af1  210-280 ms at 100 with a bare evaluator (6.2 s with the documented one);
                        time 0.44, 0.59 and 0.74 s at 100, 1,000 and 3,000; 78 KB of disk
"""


class Asking(InstantWorker):
    """Asks the instant model, and makes a note of the answer: a new agent every time."""

    made = 0
    judging_s = 0.0
    """Processor time that verdicts took to make up; nothing waits in between, so also wall time."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        for unit in units:
            await anyio.sleep(0)
            began = time.thread_time()
            verdict = judged(files, unit)
            Asking.judging_s += time.thread_time() - began
            yield verdict

    async def improve(
        self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
    ) -> dict[str, Any]:
        Asking.made += 1
        text = await ask([{"role": "user", "content": f"{Asking.made} {evidence['rules']}"}])
        edit = await super().improve(files, evidence, _silent)
        return edit | {"title": f"Note {Asking.made}", "files": noted(files, text)}


async def _silent(_: list[dict[str, str]]) -> str:
    return ""


def usage() -> float:
    """CPU seconds of this process and of the children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def disk(home: Path) -> int:
    """Bytes that the archive takes, lineage and write-ahead log included."""
    sizes = (path.lstat().st_blocks * 512 for path in home.rglob("*"))
    return sum(sizes)


async def grow(home: Path, loop: Loop, sizes: tuple[int, ...]) -> dict[int, dict[str, float]]:
    """Run it, and look over the last tenth before each size."""
    found: dict[int, dict[str, float]] = {}

    def count_judged() -> int:
        return loop.archive.counts()["judged"]

    async def watch() -> None:
        for size in sizes:
            while count_judged() < min(size * 0.9, size - LEAST):
                await anyio.sleep(0.02)
            evaluating = Asking.judging_s
            began, cpu, first, room = time.perf_counter(), usage(), count_judged(), disk(home)
            while count_judged() < size:
                await anyio.sleep(0.02)
            count = count_judged() - first
            evaluating = Asking.judging_s - evaluating
            found[size] = {
                "variants": count,
                "cpu_ms": (usage() - cpu - evaluating) / count * 1e3,
                "wall_ms": (time.perf_counter() - began - evaluating) / count * 1e3,
                "evaluator_ms": evaluating / count * 1e3,
                "disk_kb": (disk(home) - room) / count / 1e3,
                "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
            }
            print(f"{size:>6} judged: {json.dumps(found[size])}", flush=True)
        loop.halt("now")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        await loop.run()
    return found


def measure(
    home: Path, sizes: tuple[int, ...], profile: Path | None
) -> dict[int, dict[str, float]]:
    limits = {"judged": sizes[-1] + 50, "workers": 1}
    settings = forked_runs.settings(None, benchmarks=("label-drift",), **limits)
    with Archive.open_or_create(home) as archive, archive.lock():
        prepare(archive)
        run = archive.runs.start(settings.seed, settings.to_json(), 2**31 - 1)
        loop = Loop(
            archive,
            run,
            settings,
            lambda _: None,
            home / "logs",
            Asking,
            forked_runs.InstantModel(),
        )
        profiler = cProfile.Profile()
        if profile:
            profiler.enable()
        found = anyio.run(grow, home, loop, sizes)
        if profile:
            profiler.disable()
            profiler.dump_stats(profile)
    return found


def figures(found: Mapping[int, Mapping[str, float]]) -> list[Figure]:
    rows = []
    for size, one in found.items():
        rows += [
            Figure(f"CPU per variant at {size:,}", one["cpu_ms"], "ms", CPU_MS),
            Figure(f"variants a second at {size:,}", 1e3 / one["wall_ms"], "/s", PER_S, True),
            Figure(f"disk per variant at {size:,}", one["disk_kb"], "KB", DISK_KB),
        ]
    sizes = sorted(found)
    growth = found[sizes[-1]]["cpu_ms"] / found[sizes[0]]["cpu_ms"]
    rows.append(Figure(f"CPU at {sizes[-1]:,} over that at {sizes[0]:,}", growth, "x", FLAT))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--agents", type=int, default=SIZES[-1], help="grow up to so many")
    parser.add_argument("--quick", action="store_true", help="up to 1,000")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="cProfile's statistics")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    most = 1_000 if given.quick else given.agents
    sizes = tuple(size for size in SIZES if size <= most)
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(Path(scratch) / "archive", sizes, given.profile)
    rows = figures(found)
    if given.json:
        table = [{**vars(figure), "met": figure.met} for figure in rows]
        given.json.write_text(
            json.dumps({"figures": table, "load": os.getloadavg()}, indent=2) + "\n"
        )
    print("\n" + PEERS)
    return report("the loop itself, per judged variant", rows)


if __name__ == "__main__":
    raise SystemExit(main())
