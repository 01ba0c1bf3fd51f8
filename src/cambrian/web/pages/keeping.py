"""What was spent, what waits for a person, and whether the archive is sound."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError
from cambrian.evolution.budget import Budget
from cambrian.reports.costs import BY, costs
from cambrian.reports.events import event_json

if TYPE_CHECKING:
    from cambrian.archive import Archive

ROWS = 200
TAIL = 6000
"""Bytes of the end of a log."""
LOGS = 6

_FAILED = """
SELECT benchmark, verdict, count(*) AS evaluations FROM evaluations
WHERE verdict <> 'scored' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 40
"""
_TROUBLE = ("run.paused", "run.resumed", "job.parked", "evaluation.broken", "proposal.parked")


def spend(archive: Archive, ask: Mapping[str, str]) -> dict[str, Any]:
    """What was spent `by` one of `reports.costs.BY`, in total, and against each limit.

    Raises:
        UsageError: `by` is none of them.
    """
    by = ask.get("by", "model")
    if by not in BY:
        raise UsageError(f"expected by to be one of {', '.join(BY)}, got {by!r}")
    run = archive.runs.last()
    standings = Budget(archive, run, run.settings).standings(run.wall_s) if run else ()
    return {
        **costs(archive, by, ROWS),
        "budget": [one.to_json() for one in standings],
        "choices": list(BY),
    }


def approvals(archive: Archive, _: Mapping[str, str]) -> dict[str, Any]:
    """The decisions that wait for a person."""
    from cambrian.reports.approvals import waiting

    return {"items": waiting(archive)}


def health(archive: Archive, _: Mapping[str, str]) -> dict[str, Any]:
    """The files and their sizes, room on the disk, jobs, failures, the null controls, logs."""
    from cambrian.reports.nulls import null_controls

    home = archive.path
    counts = archive.counts()
    return {
        "path": str(home),
        "lock": archive.lock_holder(),
        "schema": archive.database.value("SELECT max(name) FROM migrations"),
        "files": _files(home),
        "free_bytes": shutil.disk_usage(home).free,
        "counts": counts,
        "jobs": archive.jobs.counts(),
        "failures": [dict(row) for row in archive.database.rows(_FAILED, {})],
        "failed_seeds": [
            {"agent": row.agent_id, "benchmark": row.benchmark, "reason": row.reason}
            for row in archive.evaluations.failures_of_seeds()
        ],
        "nulls": null_controls(archive),
        "runs": _runs(archive),
        "trouble": _trouble(archive),
        "logs": _logs(home / "logs"),
    }


def _files(home: Path) -> list[dict[str, Any]]:
    names = ("archive.db", "archive.db-wal", "archive.db-shm")
    found = [home / name for name in names]
    return [{"name": each.name, "bytes": each.stat().st_size} for each in found if each.is_file()]


def _runs(archive: Archive) -> list[dict[str, Any]]:
    return archive.database.rows(
        "SELECT id, state, seed, version, wall_s, datetime(started_at, 'unixepoch') AS started "
        "FROM runs ORDER BY id DESC LIMIT ?",
        (20,),
    )


def _trouble(archive: Archive) -> list[dict[str, Any]]:
    """The last events that tell of trouble, of the last thousand."""
    last = int(archive.database.value("SELECT ifnull(max(seq), 0) FROM events"))
    found = [e for e in archive.events(max(0, last - 1000), 1000) if e.kind in _TROUBLE]
    return [event_json(event) for event in reversed(found[-20:])]


def _logs(folder: Path) -> list[dict[str, str]]:
    """The end of each log; links are not followed."""
    if not folder.is_dir():
        return []
    files = [each for each in sorted(folder.iterdir()) if each.is_file() and not each.is_symlink()]
    return [{"name": each.name, "tail": _tail(each)} for each in files[:LOGS]]


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
        return file.read(TAIL).decode("utf-8", "replace")
