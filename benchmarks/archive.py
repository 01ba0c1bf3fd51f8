"""What the archive costs as it grows: 1,000 to a million agents, beside two peers' own stores.

    python benchmarks/archive.py [--quick] [--json FILE] [--sizes 1000,10000] [--folder DIR]
                                 [--no-peers] [--no-keeping] [--imports N]

Archives are made (`_made`). Then, in a process of its own for each size, every operation is timed
through the public verbs, and memory is read when everything is loaded. --quick stops at 100,000.
Times are medians; the growth is over those sizes from 10,000 on. The file is read once before, so
that pages come from the system's cache, as in a run; what a disk adds to a page that is not there
is the disk's. Then what keeping the archive costs (`_keeping`): every command in a process of its
own, and the questions of docs/archive.md. With --folder the archives are kept, and measured again
by the next run without making them, or their lineage, again: those times are of the first run.

The peers (OpenEvolve, ShinkaEvolve) are installed into an environment of their own, which this
makes and removes, and hold 1,000 and 3,000 programs of the same text in the same run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _keeping import command, kept, questions
from _made import SEEDS, code, identity, make
from _peers import peers
from _table import Figure, report

from cambrian.archive import Archive, Gate, Measurement
from cambrian.archive.lineage.lineage import Lineage
from cambrian.evolution.admission.neighbours import Neighbours
from cambrian.evolution.selection.selection import STRATEGIES, Selection
from cambrian.reports.agents import describe_agent

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK = (1_000, 10_000, 100_000)
DIMENSIONS = 10
IMPORTED = 100_000
"""Bundles are read up to this size; --imports says otherwise."""

TARGETS = {
    "sample dgm": 5.0,
    "sample uniform": 5.0,
    "sample greedy": 5.0,
    "sample power-law": 5.0,
    "sample clade": 50.0,
    "append an evaluation": 2.0,
    "agent page": 20.0,
    "ready": 10_000.0,
}


def timed(act: Callable[[int], object], times: int) -> float:
    """The median of so many calls, in milliseconds."""
    found = []
    for number in range(times):
        began = time.perf_counter()
        act(number)
        found.append(1000 * (time.perf_counter() - began))
    return statistics.median(found)


def measure(home: Path, count: int) -> dict[str, float]:
    """Every operation on an archive of `count` agents, in ms unless it is said otherwise."""
    rng = np.random.default_rng(1)
    figures: dict[str, float] = {}
    with (home / "archive.db").open("rb") as file:
        while file.read(1 << 24):
            pass
    began, spent = time.perf_counter(), time.process_time()
    with Archive.open(home) as archive:
        selection = Selection(archive, "dgm")
        archive.counts(), archive.champion(), archive.proposals.undecided()
        selection.draw(count, 2, rng)
        figures["ready"] = 1000 * (time.perf_counter() - began)
        figures["ready, of it CPU"] = 1000 * (time.process_time() - spent)
        grower = Grower(archive, count)
        for name in STRATEGIES:
            selection = Selection(archive, name)
            selection.draw(grower.through, 2, rng)

            def sample(_: int, selection: Selection = selection) -> None:
                selection.draw(grower.through, 1, rng)

            figures[f"sample {name}"] = timed(sample, 100)
            # With a decision between two draws, as in a run: the arrays move on by one.
            times = []
            for _ in range(20):
                grower.grow(rng)
                began = time.perf_counter()
                selection.draw(grower.through, 1, rng)
                times.append(1000 * (time.perf_counter() - began))
            figures[f"sample {name} after a decision"] = statistics.median(times)
        del selection
        figures["insert an agent"] = timed(lambda _: grower.grow(rng), 200)
        figures["project a batch, per agent"] = _project(archive, grower, rng)
        known = [int(n) for n in rng.integers(SEEDS + 1, count + 1, 200)]
        figures["append an evaluation"] = timed(
            lambda at: archive.evaluations.record(identity(known[at]), _evaluation(grower.run.id)),
            200,
        )
        figures["agent page"] = timed(
            lambda at: describe_agent(archive, archive.agents.get(identity(known[at]))), 100
        )
        figures["line to the root"] = timed(
            lambda at: archive.agents.line(identity(known[at])), 100
        )
        figures["subtree of 200"] = timed(
            lambda at: archive.agents.subtree(identity(1 + at % SEEDS)), 40
        )
        figures["novelty of a variant"] = _novelty(rng, count)
    figures["memory, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["database, bytes per agent"] = (home / "archive.db").stat().st_size / count
    size = sum(f.stat().st_size for f in (home / "lineage.git").rglob("*") if f.is_file())
    figures["lineage, bytes per agent"] = size / count
    return figures


class Grower:
    """Makes and decides variants through the verbs that a run uses."""

    def __init__(self, archive: Archive, count: int) -> None:
        self.archive, self.count = archive, count
        self.next = archive.counts()["proposals"]
        if (left := archive.runs.current()) is not None:  # of a measurement of a kept archive
            archive.runs.end(left.id, "abandoned")
        self.run = archive.runs.start(1, {"benchmarks": ["split-mnist"]}, 10**6)

    @property
    def through(self) -> int:
        return self.next - 1

    def grow(self, rng: np.random.Generator) -> None:
        """An agent from the draw of its parent to its admission: about ten transactions' work."""
        number = self.count + 10**7 + self.next
        parent = identity(int(rng.integers(1, SEEDS + 1)))
        proposals = self.archive.proposals
        opened = proposals.open(self.run.id, self.next, self.next - 1, [parent], "recombine")
        agent_id = identity(number)
        proposals.record_variant(
            opened.id, agent_id, code(number), title="t", hypothesis="h", stage="smoke"
        )
        self.archive.evaluations.record(agent_id, _evaluation(self.run.id))
        gates = [
            Gate(gate=name, rule="is above the threshold", verdict="pass", threshold=0.0, value=0.1)
            for name in ("screen", "improvement")
        ]
        proposals.record(opened.id, "improvement", "better", gates, score=0.3, lower=0.2, upper=0.4)
        self.next += 1


def _evaluation(seed: int) -> Measurement:
    return Measurement(
        benchmark="split-mnist",
        version="1",
        stage="full",
        seed=seed,
        verdict="scored",
        score=0.5,
        metrics={"accuracy": 0.5, "min_accuracy": 0.4, "forgetting": 0.1},
        flops=10**9,
        curves={"probe_accuracy": np.linspace(0, 1, 50, dtype=np.float32)},
        matrices={"accuracy": np.eye(5, dtype=np.float32)},
    )


def _project(archive: Archive, grower: Grower, rng: np.random.Generator) -> float:
    lineage, times = Lineage(archive), []
    lineage.update()
    for _ in range(5):
        for _ in range(20):
            grower.grow(rng)
        began = time.perf_counter()
        lineage.update()
        times.append(1000 * (time.perf_counter() - began) / 20)
    return statistics.median(times)


def _novelty(rng: np.random.Generator, count: int) -> float:
    """Distances to the nearest of `count` behaviours that wandered from parent to child."""
    points = np.empty((count, DIMENSIONS))
    points[0] = 0.5
    steps = rng.normal(0, 0.03, (count, DIMENSIONS))
    for at, parent in enumerate((rng.random(count - 1) * np.arange(1, count)).astype(int), 1):
        points[at] = points[parent] + steps[at]
    index, noise = Neighbours(points), np.full(DIMENSIONS, 0.02)
    asked = [int(at) for at in rng.integers(0, count, 100)]
    return timed(lambda at: index.nearest(points[asked[at]] + steps[at], noise, 3), 100)


def of_size(
    count: int, folder: Path, keeping: bool, imports: int
) -> tuple[dict[str, float], dict[str, dict[str, float]], dict[str, float]]:
    """Figures, what keeping costs, and milliseconds by question, of one archive."""
    home, times = folder / "home", folder / "made.json"
    if not times.exists():
        began = time.perf_counter()
        make(home, count)
        made = {"make everything, s": time.perf_counter() - began}
        print(f"{count:,} agents made", file=sys.stderr, flush=True)
        projected = command("db lineage", folder)
        made |= {"project everything, s": projected["s"], "project everything, MB": projected["MB"]}
        times.write_text(json.dumps(made))
    asked = [sys.executable, __file__, "--measure", str(home), "--sizes", str(count)]
    done = subprocess.run(asked, stdout=subprocess.PIPE, check=True)
    figures = json.loads(times.read_text()) | json.loads(done.stdout)
    answered = questions(home, count)
    return figures, kept(folder, count <= imports) if keeping else {}, answered


def growth(by_size: dict[int, dict[str, float]], name: str) -> tuple[float, float] | None:
    """How much dearer at the largest size than at 10,000, and what log n would allow."""
    sizes = [size for size in by_size if size >= 10_000 and name in by_size[size]]
    if len(sizes) < 2:
        return None
    first, last = min(sizes), max(sizes)
    return by_size[last][name] / by_size[first][name], math.log(last) / math.log(first)


GROWS = (
    *(f"sample {name}" for name in STRATEGIES),
    *("insert an agent", "append an evaluation", "agent page", "subtree of 200"),
)
SLACK_MS = 0.5
"""A difference below this is no growth: medians of calls this short differ by as much."""


def show(head: str, by_size: dict[int, dict[str, float]]) -> None:
    names = list(dict.fromkeys(name for found in by_size.values() for name in found))
    if not names:
        return
    width = max(map(len, [head, *names]))
    print(f"\n{head:{width}}", *(f"{size:>12,}" for size in by_size))
    for name in names:
        cells = [
            f"{found[name]:12.3f}" if name in found else f"{'-':>12}" for found in by_size.values()
        ]
        print(f"{name:{width}}", *cells)


def figures(by_size: dict[int, dict[str, float]]) -> list[Figure]:
    largest = max(by_size)
    rows = [
        Figure(f"{name} at {largest:,}", by_size[largest][name], "ms", target)
        for name, target in TARGETS.items()
    ]
    for name in GROWS:
        found = growth(by_size, name)
        if found is None:
            continue
        ratio, allowed = found
        sizes = [size for size in by_size if size >= 10_000]
        slack = SLACK_MS / by_size[min(sizes)][name]
        note = f"log n: x{allowed:.2f}, and {SLACK_MS} ms"
        rows.append(Figure(f"growth of {name}", ratio, "x", allowed + slack, note=note))
    rows.append(
        Figure(
            "bytes per agent", by_size[largest]["database, bytes per agent"], "B", note="database"
        )
    )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 100,000 agents")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--sizes", help="numbers of agents, separated by commas")
    parser.add_argument("--no-peers", action="store_true", help="only our own store")
    parser.add_argument("--no-keeping", action="store_true", help="not check, backup, export, ...")
    parser.add_argument("--imports", type=int, default=IMPORTED, help="bundles, up to this size")
    parser.add_argument("--folder", type=Path, help="where archives are made and kept for again")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")] if given.sizes else list(SIZES)
    sizes = list(QUICK) if given.quick and not given.sizes else sizes
    if given.measure:
        print(json.dumps(measure(given.measure, sizes[0])))
        return 0
    by_size, keeping, answered = {}, {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes:
            folder = (given.folder or Path(scratch)) / str(size)
            by_size[size], keeping[size], answered[size] = of_size(
                size, folder, not given.no_keeping, given.imports
            )
    beside = [] if given.no_peers else peers()
    if given.json:
        found = {"archive": by_size, "keeping": keeping, "questions": answered}
        found["peers"] = [dataclasses.asdict(peer) for peer in beside]
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    show("ms, unless it says otherwise", by_size)
    show("questions of docs/archive.md, ms", answered)
    for unit in ("s", "CPU s", "MB"):
        cells = {size: {n: f[unit] for n, f in by.items()} for size, by in keeping.items()}
        show(f"keeping, {unit}", cells)
    for peer in beside:
        print(peer.line())
    return report("archive", figures(by_size))


if __name__ == "__main__":
    sys.exit(main())
