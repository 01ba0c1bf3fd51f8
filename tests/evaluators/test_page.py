"""docs/benchmarks.md is what its generator makes of docs/benchmarks.json; it leaves nothing out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from cambrian.agents.seeds import all_seed_names
from cambrian.evaluators import benchmarks
from cambrian.evaluators.families import Family

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"


def test_the_page_is_what_was_measured() -> None:
    call = [sys.executable, str(ROOT / "tools" / "benchmarks_docs.py"), "--check"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_every_benchmark_and_every_seed_agent_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    drawn = (PAGE.parent / "families.md").read_text(encoding="utf-8")
    for family in benchmarks.FAMILIES:
        for bench in family:
            if isinstance(bench, Family):
                assert bench.card.task in drawn.split(f"\n## {bench.name}\n", 1)[1]
                continue
            section = text.split(f"\n## {bench.name}\n", 1)[1].split("\n## ", 1)[0]
            for agent in all_seed_names():
                assert f"\n| {agent} |" in section, (bench.name, agent)
            assert bench.card.task in section


def test_what_was_measured_says_with_what() -> None:
    store = json.loads((ROOT / "docs" / "benchmarks.json").read_text(encoding="utf-8"))
    assert {"cambrian", "numpy", "python", "machine", "date"} <= set(store["provenance"])
    rows = [row for agents in store["results"].values() for row in agents.values()]
    assert rows
    for row in rows:
        assert {"version", "code"} <= set(row)
        assert ("failed" in row) != ("raw" in row)
        if "raw" in row:
            assert len(row["raw"]) == len(row["score"]) >= 3 and row["torch"]


def test_the_stated_tolerance_is_not_below_what_was_measured() -> None:
    call = [sys.executable, str(ROOT / "tools" / "tolerance.py"), "--check"]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
