"""What the archive costs as it grows: 1,000 to a million agents, beside two peers' own stores.

    python benchmarks/archive.py [--quick] [--json FILE] [--sizes 1000,10000] [--no-peers]

Archives are made (not evolved): a random tree in which every agent has code of its own (about
1.5 KB), a proposal, two gates, three events, one evaluation and its place in every index. Then, in
a process of its own for each size, every operation is timed through the public verbs, and memory is
read when everything is loaded. --quick stops at 100,000. Times are medians; the growth is over
those sizes from 10,000 on. The file is read once before, so that pages come from the system's
cache, as in a run; what a disk adds to a page that is not there is the disk's.

The peers (OpenEvolve, ShinkaEvolve) are installed into an environment of their own, which this
makes and removes, and hold 1,000 and 3,000 programs of the same text in the same run.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import math
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _peers import peers
from _table import Figure, report

from cambrian.archive import Archive, EvaluationRecord, Gate
from cambrian.archive import nodes as tree_in_numbers
from cambrian.archive.backup import backup
from cambrian.archive.database import Database, copy_database
from cambrian.archive.lineage import Lineage
from cambrian.cli.agent_show import describe
from cambrian.evolution.neighbours import Neighbours
from cambrian.evolution.selection import STRATEGIES, Selection

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK = (1_000, 10_000, 100_000)
SEEDS = 4
CHUNK = 20_000
LOADING_KIB = 6 << 20
"""Pages in memory while an archive is made, at most: a million agents fit."""
DIMENSIONS = 10
PROJECTED = 100_000
"""The lineage is projected whole up to this size; --project says otherwise (minutes more)."""

IMPROVER = "class Improver:\n    def improve(self, evidence, ask):\n        return None\n" * 8
CODE = (
    "import torch\n\n\nclass Learner:\n"
    + "    # replay, consolidation, prototypes; what a learner is made of, in so many words\n" * 12
)

REASONS = """
INSERT OR REPLACE INTO tallies
    SELECT 'admitted.' || reason, count(*) FROM proposals WHERE state = 'admitted' GROUP BY 1
"""
"""Kept by a trigger on the decision, which agents that were made decided have not had."""

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


def code(number: int) -> dict[str, str]:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    learner = f"{CODE}    rate = 0x{digest}\n    number = {number}\n"
    return {"learner.py": learner, "improver.py": IMPROVER}


@cache
def identity(number: int) -> str:
    return hashlib.sha256(f"agent {number}".encode()).hexdigest()


def identity_of(files: Mapping[str, str]) -> str:
    """The id of an agent that `code` made, as the id of a real one follows from its files."""
    return identity(int(files["learner.py"].rsplit(" ", 1)[1]))


def make(home: Path, count: int) -> None:
    """An archive of so many agents, nine in ten of them members, by plain inserts."""
    rng = np.random.default_rng(count)
    parents = np.zeros(count + 1, dtype=np.int64)
    scores = np.full(count + 1, 0.2)
    depth = np.zeros(count + 1, dtype=np.int64)
    member = np.ones(count + 1, dtype=bool)
    draws, steps = rng.random(count + 1), rng.normal(0, 0.03, count + 1)
    fates = rng.random(count + 1) < 0.9
    alive = list(range(1, SEEDS + 1))
    for number in range(SEEDS + 1, count + 1):
        parent = alive[int(draws[number] * len(alive))]
        parents[number], depth[number] = parent, depth[parent] + 1
        scores[number] = min(max(scores[parent] + steps[number], 0.0), 1.0)
        member[number] = fates[number]
        if fates[number]:
            alive.append(number)
    with Archive.create(home) as archive:
        with _loading(archive.database), archive.transaction():
            for number in range(1, SEEDS + 1):
                archive.agents.add_seed(identity(number), code(number), f"seed {number}")
                archive.agents.set_score(identity(number), 0.2, 0.1, 0.3)
            run = archive.runs.start(0, {"benchmarks": ["split-mnist"]}, count)
            archive.runs.end(run.id, "finished")
            for first in range(SEEDS + 1, count + 1, CHUNK):
                numbers = range(first, min(first + CHUNK, count + 1))
                _insert(archive, numbers, parents, depth, scores, member, run.id)
        with archive.transaction():
            archive.database.execute(REASONS)
            tree_in_numbers.fill(archive.database)
        archive.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _loading(database: Database) -> Iterator[None]:
    """No journal, and no index but those of the keys until all is in: ids are hashes, so agents in
    the order of time touch every page of an index, and each transaction would write them all."""
    indexes = database.rows(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    )
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF"):
        database.rows(f"PRAGMA {pragma}")
    database.rows(f"PRAGMA cache_size = -{LOADING_KIB}")
    for index in indexes:
        database.execute(f"DROP INDEX {index['name']}")
    yield
    for index in indexes:
        database.execute(index["sql"])
    database.rows("PRAGMA journal_mode = WAL")


def _insert(
    archive: Archive,
    numbers: range,
    parents: np.ndarray,
    depth: np.ndarray,
    scores: np.ndarray,
    member: np.ndarray,
    run: int,
) -> None:
    def many(table: str, rows: Iterator[tuple[Any, ...]], columns: str) -> None:
        places = ", ".join("?" * len(columns.split(",")))
        archive.database.connection.executemany(
            f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({places})", rows
        )

    texts = {number: code(number) for number in numbers}
    hashes = {
        number: {path: hashlib.sha256(text.encode()).hexdigest() for path, text in files.items()}
        for number, files in texts.items()
    }
    many(
        "sources",
        (
            (hashes[n][path], len(text), zlib.compress(text.encode()))
            for n in numbers
            for path, text in (texts[n].items() if n == numbers[0] else [_own(texts[n])])
        ),
        "hash, size, content",
    )
    many(
        "proposals",
        (
            (
                *(n - SEEDS, run, n - SEEDS - 1, max(-1, n - SEEDS - 7), "recombine"),
                *("admitted" if member[n] else "rejected", json.dumps([identity(parents[n])])),
                *(identity(n), f"Tune {n}", "because", 0.1, 0.5, "{}", '{"kind": "tune"}', "{}"),
                *("better than its parent", 1.7e9, 1.7e9),
            )
            for n in numbers
        ),
        "id, run_id, idx, seen_through, rewriter, state, parents, agent_id, title, hypothesis, "
        "predicted_gain, confidence, edit, operation, outcome, reason, created_at, decided_at",
    )
    many(
        "agents",
        (
            (
                *(identity(n), n, "admitted" if member[n] else "rejected"),
                *(_kind(n) if member[n] else None, f"Tune {n}", "because", int(depth[n])),
                *(run, n - SEEDS, n - SEEDS - 1, float(scores[n]), float(scores[n]) - 0.05),
                *(float(scores[n]) + 0.05, 1.7e9, 1.7e9 + n),
            )
            for n in numbers
        ),
        "id, number, status, kind, title, hypothesis, depth, run_id, proposal_id, proposal_index, "
        "score, lower, upper, created_at, decided_at",
    )
    many(
        "agent_files",
        ((identity(n), path, hashes[n][path]) for n in numbers for path in sorted(hashes[n])),
        "agent_id, path, source_hash",
    )
    many(
        "parents",
        ((identity(n), 0, identity(parents[n])) for n in numbers),
        "child_id, position, parent_id",
    )
    many(
        "gates",
        (
            (n - SEEDS, identity(n), place, gate, "is above the threshold", 0.0, 0.1, "pass", "")
            for n in numbers
            for place, gate in enumerate(("screen", "improvement"))
        ),
        "proposal_id, agent_id, position, gate, rule, threshold, value, verdict, detail",
    )
    many(
        "events",
        (
            (1.7e9, f"proposal.{kind}", run, identity(n), n - SEEDS, "{}")
            for n in numbers
            for kind in ("opened", "proposed", "admitted" if member[n] else "rejected")
        ),
        "at, kind, run_id, agent_id, proposal_id, data",
    )
    many(
        "evaluations",
        (
            (
                *(identity(n), "split-mnist", "1", "full", 1, "scored", "", float(scores[n])),
                *('{"accuracy": 0.5}', "{}", 1.7e9),
            )
            for n in numbers
        ),
        "agent_id, benchmark, version, stage, seed, verdict, reason, score, metrics, provenance, "
        "created_at",
    )
    many(
        "spend",
        ((run, n - SEEDS, "propose", "made", 900, 100, 0.001, 1.7e9 + 60 * n) for n in numbers),
        "run_id, proposal_id, phase, model, prompt_tokens, completion_tokens, dollars, at",
    )


def _kind(number: int) -> str:
    return "improvement" if number % 3 else "stepping_stone"


def _own(files: dict[str, str]) -> tuple[str, str]:
    return "learner.py", files["learner.py"]


def timed(act: Callable[[int], object], times: int) -> float:
    """The median of so many calls, in milliseconds."""
    found = []
    for number in range(times):
        began = time.perf_counter()
        act(number)
        found.append(1000 * (time.perf_counter() - began))
    return statistics.median(found)


def measure(home: Path, count: int, scratch: Path, projected: int) -> dict[str, float]:
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
        if count <= projected:
            began = time.perf_counter()
            Lineage(archive).update()
            figures["project everything, s"] = time.perf_counter() - began
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
        if "project everything, s" in figures:
            figures["project a batch, per agent"] = _project(archive, grower, rng)
        known = [int(n) for n in rng.integers(SEEDS + 1, count + 1, 200)]
        figures["append an evaluation"] = timed(
            lambda at: archive.evaluations.record(_evaluation(identity(known[at]), grower.run.id)),
            200,
        )
        figures["agent page"] = timed(
            lambda at: describe(archive, archive.agents.get(identity(known[at]))), 100
        )
        figures["line to the root"] = timed(
            lambda at: archive.agents.line(identity(known[at])), 100
        )
        figures["subtree of 200"] = timed(
            lambda at: archive.agents.subtree(identity(1 + at % SEEDS)), 40
        )
        figures["novelty of a variant"] = _novelty(rng, count)
        shutil.rmtree(scratch / "backup", ignore_errors=True)
        began = time.perf_counter()
        if "project everything, s" in figures:
            backup(archive, scratch / "backup")
        else:  # a backup would make the lineage first
            (scratch / "backup").mkdir()
            copy_database(archive.database, scratch / "backup" / "archive.db")
        figures["back up, s"] = time.perf_counter() - began
    figures["memory, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["database, bytes per agent"] = (home / "archive.db").stat().st_size / count
    if "project everything, s" in figures:
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
        self.archive.evaluations.record(_evaluation(agent_id, self.run.id))
        gates = [
            Gate(gate=name, rule="is above the threshold", verdict="pass", threshold=0.0, value=0.1)
            for name in ("screen", "improvement")
        ]
        proposals.decide(opened.id, "improvement", "better", gates, score=0.3, lower=0.2, upper=0.4)
        self.next += 1


def _evaluation(agent_id: str, seed: int) -> EvaluationRecord:
    return EvaluationRecord(
        agent_id=agent_id,
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


def in_own_process(count: int, projected: int, kept: Path | None) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = scratch if kept is None else str(kept / str(count))
        began = time.perf_counter()
        if not (Path(folder) / "home").exists():
            make(Path(folder) / "home", count)
            made = time.perf_counter() - began
            print(f"{count} agents made in {made:.0f} s", file=sys.stderr, flush=True)
        command = [sys.executable, __file__, "--measure", folder, "--sizes", str(count)]
        command += ["--project", str(projected)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        return found


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


def show(by_size: dict[int, dict[str, float]]) -> None:
    names = list(dict.fromkeys(name for found in by_size.values() for name in found))
    width = max(map(len, names))
    print(f"\n{'ms, unless it says otherwise':{width}}", *(f"{size:>12,}" for size in by_size))
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
    parser.add_argument("--project", type=int, default=PROJECTED, help="into git, up to this size")
    parser.add_argument("--folder", type=Path, help="where archives are made and kept for again")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")] if given.sizes else list(SIZES)
    sizes = list(QUICK) if given.quick and not given.sizes else sizes
    if given.measure:
        home = given.measure / "home"
        print(json.dumps(measure(home, sizes[0], given.measure, given.project)))
        return 0
    by_size = {size: in_own_process(size, given.project, given.folder) for size in sizes}
    beside = [] if given.no_peers else peers()
    if given.json:
        found = {"archive": by_size, "peers": [dataclasses.asdict(peer) for peer in beside]}
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    show(by_size)
    for peer in beside:
        print(peer.line())
    return report("archive", figures(by_size))


if __name__ == "__main__":
    sys.exit(main())
