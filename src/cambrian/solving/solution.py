"""All that came of a solution, as JSON: the table, the search, who was judged, the verdict."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cambrian._version import __version__
from cambrian.agents.tree import SourceTree
from cambrian.archive import Archive
from cambrian.errors import Refused
from cambrian.evaluators.benchmarks.base import generator
from cambrian.evaluators.statistics import mean_interval
from cambrian.sandbox.backends.process import Backend
from cambrian.solving.home import Home, Progress
from cambrian.solving.judging import Figure
from cambrian.solving.outcome import CHAMPION, SEED, interval_json, of_agent, of_baselines, verdict
from cambrian.solving.search import chosen, finished_s
from cambrian.tables import TableStream
from cambrian.takeaway.package import package, write
from cambrian.takeaway.provenance import provenance
from cambrian.takeaway.recording import record

ROLES = {"champion": CHAMPION, "seed": SEED}


def describe_table(bench: Any, question: Mapping[str, str]) -> dict[str, Any]:
    """The table, and how it is judged."""
    judged, batch = judged_rows(bench)
    regression = not bench.plan.classes
    return {
        "file": bench.file.name,
        **{name: question[name] for name in ("label", "kind", "order", "domain")},
        "rows": bench.stream("sealed").observations,
        "judged": judged,
        "batch": batch,
        "inputs": bench.plan.inputs,
        "classes": len(bench.plan.classes),
        "measure": "explained" if regression else "accuracy",
        "one_row": 0.0 if regression else 1 / judged,
    }


def judged_rows(bench: Any) -> tuple[int, int]:
    """How many sealed rows count, and how many are asked about at a time (0: task by task)."""
    if isinstance(bench, TableStream):
        _, y, start = bench.series("sealed", 0)
        return len(y) - start, bench.batch
    tasks = bench.tasks("sealed", generator(bench.name, "sealed", 0))
    return int(np.sum([len(task.test_y) for task in tasks])), 0


def solution(
    home: Home, bench: Any, progress: Progress, figures: Sequence[Figure], *, sealed: bool
) -> dict[str, Any]:
    """What came of it so far.

    Args:
        sealed: whether the agents were judged on the sealed rows: a search that goes on is not.
    """
    table = describe_table(bench, progress.question)
    usual = of_baselines(figures, not bench.plan.classes)
    with Archive.open(home.archive, read_only=True) as archive:
        found = chosen(archive)
        agents = {
            role: of_agent(archive, agent, ROLES[role], bench.name, "sealed")
            for role, agent in found
        }
        searched = {
            role: of_agent(archive, agent, ROLES[role], bench.name, "search")
            for role, agent in found
        }
        counts, looks = archive.counts(), archive.sealings.looks()
        titles = {role: agent.title for role, agent in found}
    decided = verdict(agents.get("champion") if sealed else None, usual, table["one_row"])
    return {
        "cambrian": __version__,
        "table": table,
        "minutes": progress.minutes,
        "finished": sealed,
        "search": {
            "seconds": round(finished_s(home.archive), 1),
            "judged": counts["judged"],
            "admitted": counts["admitted"],
            "guests": list(progress.guests or ()),
            "scores": {role: one.to_json() for role, one in searched.items()},
        },
        "sealed_use": {**vars(looks), "said": str(looks)},
        "agents": {role: {**one.to_json(), "made": titles[role]} for role, one in agents.items()},
        "baselines": [one.to_json() for one in usual],
        "verdict": decided.to_json(),
    }


def pack(home: Home, backend: Backend) -> dict[str, Any]:
    """Write the champion's package, in place of an earlier one: who it is of, and why it is held to
    no recorded answers, where that is so."""
    with Archive.open(home.archive, read_only=True) as archive:
        agent = archive.champion()
        if agent is None:
            return {"written": False, "reason": "no agent was judged"}
        files = archive.agents.files(agent.id)
        origin = {**provenance(archive, agent, files), "sealed": _sealed(archive, agent.id)}
    reason, answers = "", None
    try:
        answers = record(SourceTree(files), backend)
    except Refused as refused:
        reason = str(refused)
    made = package(files, origin, answers, "champion")
    _clear(home.package)
    write(made, home.package)
    return {"written": True, "id": agent.id, "files": len(made), "reason": reason}


def _sealed(archive: Archive, agent_id: str) -> dict[str, float | None] | None:
    """What it scored on the sealed rows, where 0 and 1 are the benchmark's ends."""
    rows = archive.evaluations.of(agent_id, sealed=True)
    scores = [row.score for row in rows if row.score is not None]
    return interval_json(mean_interval(scores)) if scores else None


def _clear(folder: Path) -> None:
    """Take an earlier package of ours away; nothing that is none."""
    if (folder / "provenance.json").is_file():
        shutil.rmtree(folder)
