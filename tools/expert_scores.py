#!/usr/bin/env python3
"""Measure the expert learners on the seeds of a search and on the sealed part of suite `general`.

    tools/expert_scores.py [--seeds N] [--all]
                                      measure the experts whose code has changed
    tools/expert_scores.py --check    only say whether what ships is of the present code
    tools/expert_scores.py --page     only write docs/experts.md

For final figures alone: no knob of an expert may follow from what it prints. What is measured
ships as `src/cambrian/reports/scores/experts.json`, with a hash of each expert's files. Our own
code only, so it runs without a sandbox, in one process.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from cambrian.agents.experts import EXPERTS, load_expert
from cambrian.evaluators.job import evaluate
from cambrian.evaluators.stages import STAGES
from cambrian.evaluators.suites import GENERAL, sealed_part, suite
from cambrian.measurement import Unit
from cambrian.reports.scores.experts import STORE, document, load, stale
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.session import Session

PAGE = Path(__file__).parent.parent / "docs" / "experts.md"


def measured(name: str, seeds: int) -> dict[str, Any]:
    """An expert's scores by family, one for each seed; None where it failed."""
    tree = load_expert(name)
    units = [
        Unit(entry.benchmark, "screen" if seed in STAGES["screen"] else "full", seed)
        for entry in suite(GENERAL).entries
        for seed in range(seeds)
    ]
    units += [
        Unit(family, "sealed", seed)
        for family in sealed_part(GENERAL)
        for seed in STAGES["sealed"][:seeds]
    ]
    scores: dict[str, list[float | None]] = {}
    cpu_s = 0.0
    session = Session(PlainBackend())
    try:
        session.install(tree)
        for unit in units:
            if session.spent:
                session.close()
                session = Session(PlainBackend())
                session.install(tree)
            found = evaluate(session, unit)
            score = None if found.score is None else round(found.score, 4)
            scores.setdefault(unit.benchmark, []).append(score)
            cpu_s += found.cpu_s or 0.0
            print(name, unit.benchmark, unit.seed, score, found.reason[:100], flush=True)
    finally:
        session.close()
    return {"code": tree.identity, "cpu_s": round(cpu_s / len(units), 2), "scores": scores}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="measure nothing")
    parser.add_argument("--seeds", type=int, default=2, help="of each family, from 0 [default: 2]")
    parser.add_argument("--all", action="store_true", help="measure those that are not stale, too")
    parser.add_argument("--page", action="store_true", help="write docs/experts.md only")
    given = parser.parse_args()
    if given.page:
        PAGE.write_text(document(), encoding="utf-8")
        return 0
    old = stale()
    if given.check:
        print(f"measure again: {', '.join(old)}" if old else "of the present code")
        return 1 if old else 0
    kept = {name: rows for name, rows in load().items() if name in EXPERTS}
    versions = {entry.benchmark: entry.version for entry in suite(GENERAL).entries}
    for name in EXPERTS if given.all else old:
        kept[name] = {**measured(name, given.seeds), "versions": versions}
        text = json.dumps({n: kept[n] for n in EXPERTS if n in kept}, indent=1)
        STORE.write_text(text + "\n", encoding="utf-8")
    PAGE.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
