"""OpenEvolve's and ShinkaEvolve's own stores, timed in an environment of their own.

They are installed from PyPI into a scratch environment, which is removed afterwards; they are no
dependency of anything. Default settings but for OpenEvolve's cap of 1,000 programs, which is raised
where more are asked for. Where one does not install or run, the line says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

COUNTS = (1_000, 3_000)
MINUTES = 20

_HEAD = """
import json, logging, random, statistics, sys, time, pathlib
logging.disable(logging.CRITICAL)
counts, folder = json.loads(sys.argv[1]), pathlib.Path(sys.argv[2])
text = "    # replay, consolidation, prototypes; what a learner is made of\\n" * 24
def code(n): return f"import torch\\nclass Learner:\\n{text}    rate = {n * 7919}\\n"
def size(path): return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
def median(act, times):
    found = []
    for _ in range(times):
        began = time.perf_counter(); act(); found.append(1000 * (time.perf_counter() - began))
    return statistics.median(found)
"""

_OPENEVOLVE = """
from openevolve.config import DatabaseConfig
from openevolve.database import Program, ProgramDatabase
def open_(count, home):
    store = ProgramDatabase(DatabaseConfig(population_size=max(1000, count), random_seed=1))
    def add(n):
        parent = str(random.randrange(n)) if n else None
        store.add(Program(id=str(n), code=code(n), parent_id=parent,
                          metrics={"combined_score": random.random()}), iteration=n)
    return add, store.sample, lambda: store.save(str(home), count)
"""

_SHINKA = """
from shinka.database import DatabaseConfig, Program, ProgramDatabase
def open_(count, home):
    home.mkdir()
    store = ProgramDatabase(DatabaseConfig(db_path=str(home / "programs.db")))
    def add(n):
        parent = str(random.randrange(n)) if n else None
        store.add(Program(id=str(n), code=code(n), parent_id=parent, generation=n, correct=True,
                          combined_score=random.random()))
    return add, lambda: store.sample(target_generation=count), lambda: None
"""

_TAIL = """
random.seed(1)
found = {}
for count in counts:
    home = folder / str(count)
    add, sample, save = open_(count, home)
    began = time.perf_counter()
    for n in range(count): add(n)
    took = 1000 * (time.perf_counter() - began) / count
    sampled = median(sample, 15)
    began = time.perf_counter(); save(); saved = 1000 * (time.perf_counter() - began)
    found[count] = {"insert": took, "sample": sampled, "save": saved, "bytes": size(home) / count}
print("FOUND" + json.dumps(found))
"""


@dataclass(frozen=True)
class Peer:
    """What was found of one: milliseconds and bytes per program by number of programs, or why not.

    `figures`: count → insert, sample, save (all of it), bytes.
    """

    name: str
    version: str
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    reason: str = ""

    def line(self) -> str:
        if not self.figures:
            return f"{self.name}: not measured ({self.reason})"
        parts = [
            f"at {int(count):,}: insert {f['insert']:.1f} ms, sample {f['sample']:.1f} ms, "
            f"save {f['save']:.0f} ms, {f['bytes']:.0f} bytes per program"
            for count, f in self.figures.items()
        ]
        return f"{self.name} {self.version}: {'; '.join(parts)}"


def peers() -> list[Peer]:
    """Install and time both; neither ever stops the benchmark."""
    scripts = {"openevolve": _OPENEVOLVE, "shinka-evolve": _SHINKA}
    with tempfile.TemporaryDirectory() as folder:
        given = os.environ.get("CAMBRIAN_PEERS")  # an environment that has them already
        python = Path(given or folder) / "bin" / "python"
        if given is None:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        return [_peer(name, python, script, given is None) for name, script in scripts.items()]


def _peer(name: str, python: Path, script: str, install: bool) -> Peer:
    if install:
        done = _call([str(python), "-m", "pip", "install", "--quiet", name])
        if isinstance(done, str):
            return Peer(name, "", reason=f"it did not install: {done}")
    asked = f"import importlib.metadata as m; print(m.version({name!r}))"
    version = _call([str(python), "-c", asked])
    if isinstance(version, str):
        return Peer(name, "", reason=f"it is not there: {version}")
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), "-c", _HEAD + script + _TAIL, json.dumps(COUNTS), folder]
        done = _call(command)
    if isinstance(done, str):
        return Peer(name, version.stdout.strip(), reason=f"it failed: {done}")
    found = next(line for line in done.stdout.splitlines() if line.startswith("FOUND"))
    return Peer(name, version.stdout.strip(), json.loads(found.removeprefix("FOUND")))


def _call(command: list[str]) -> subprocess.CompletedProcess[str] | str:
    """What it printed, or the last line of what went wrong."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60 * MINUTES)
    except subprocess.TimeoutExpired:
        return f"no end within {MINUTES} minutes"
    if done.returncode == 0:
        return done
    return (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]
