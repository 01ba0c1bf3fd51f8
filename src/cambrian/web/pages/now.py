"""Now: what runs, what waits, what was found, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cambrian.evolution.budget import Budget
from cambrian.reports.events import event_json, last_event
from cambrian.reports.times import when

if TYPE_CHECKING:
    from cambrian.archive import Agent, Archive, Run

EVENTS = 14
"""Of the last events, so many are shown."""
AT_WORK = 32

_QUIET = ("job.queued", "job.done", "job.leased")
"""Events that say no more than what is shown at work."""

_AT_WORK = """
SELECT j.id AS job, j.kind, j.stage, j.attempts, coalesce(j.agent_id, p.agent_id) AS agent,
       coalesce(a.title, p.title) AS title, p.idx AS proposal,
       (SELECT max(e.at) FROM events e WHERE e.seq > (SELECT max(seq) FROM events) - :back
        AND e.job_id = j.id AND e.kind = 'job.leased') AS since
FROM jobs j LEFT JOIN agents a ON a.id = j.agent_id LEFT JOIN proposals p ON p.id = j.proposal_id
WHERE j.state = 'leased' ORDER BY j.id LIMIT :limit
"""
BACK = 4000
"""How many events back a job is looked for that says when it was taken; else it is unknown."""
_QUEUE = """
SELECT kind, ifnull(stage, '') AS stage, count(*) AS jobs FROM jobs WHERE state = 'queued'
GROUP BY 1, 2 ORDER BY min(priority), 1, 2
"""
_LATEST = """
SELECT benchmark, seed, created_at AS at FROM evaluations WHERE agent_id = ? AND stage = ?
ORDER BY id DESC LIMIT 1
"""


def read(archive: Archive, _: Mapping[str, str]) -> dict[str, Any]:
    """Whether a run is alive, its jobs, counts, limits, champion and last events."""
    run, counts = archive.runs.last(), archive.counts()
    waiting = len(archive.steering.waiting())
    events = _events(archive)
    return {
        "state": state(archive, run, events, waiting),
        "run": run and _run(run),
        "at_work": [_job(archive, row) for row in _at_work(archive)],
        "queue": archive.database.rows(_QUEUE, {}),
        "counts": counts,
        "rejected": counts["rejected"],
        "budget": _budget(archive, run),
        "champion": _champion(archive.champion()),
        "spend": vars(archive.ledger.total()),
        "approvals": waiting,
        "events": events,
        "as_of": when(time.time()),
    }


def _run(run: Run) -> dict[str, Any]:
    names = ("suite", "rewriter", "selection", "workers", "sandbox", "device", "model")
    return {
        "id": run.id,
        "seed": run.seed,
        "started_at": when(run.started_at),
        "ended_at": when(run.ended_at),
        "wall_s": run.wall_s,
        **{name: run.settings.get(name) for name in names},
    }


def state(
    archive: Archive, run: Run | None, events: list[dict[str, Any]], waiting: int = 0
) -> dict[str, Any]:
    """In a word whether it is alive, in a line why."""
    if run is None:
        says = "nothing was run in this archive yet"
        empty = {"paused": False, "pid": None, "last_event": None}
        return {"word": "empty", "says": says, "alive": False, **empty}
    holder = archive.lock_holder()
    asked = bool(archive.steering.orders(run.id).get("paused"))
    last = events[0]["at"] if events else None
    more = {"pid": holder, "last_event": last}
    if holder is None:
        killed = run.state == "running"
        word = "interrupted" if killed else run.state
        says = {
            "interrupted": "no process works on it; the same command continues it",
            "stopped": "no process works on it; the same command continues it",
            "finished": "the run came to its end",
        }.get(word, "no process works on it")
        return {"word": word, "says": says, "alive": False, "paused": asked, **more}
    if asked:
        says = "nothing new is started until it is resumed"
        return {"word": "paused", "says": says, "alive": True, "paused": True, **more}
    says = f"{waiting} decisions wait for you" if waiting else "a process works on it"
    return {"word": "running", "says": says, "alive": True, "paused": False, **more}


def _at_work(archive: Archive) -> list[dict[str, Any]]:
    return archive.database.rows(_AT_WORK, {"back": BACK, "limit": AT_WORK})


def _job(archive: Archive, row: Mapping[str, Any]) -> dict[str, Any]:
    """A job at work, with the benchmark that was finished last in it and the seconds since it was
    taken."""
    latest = None
    if row["agent"] is not None:
        latest = archive.database.row(_LATEST, (row["agent"], row["stage"]))
    since = row["since"]
    return {
        **row,
        "since": when(since),
        "seconds": None if since is None else max(0.0, time.time() - since),
        "benchmark": latest and latest["benchmark"],
    }


def _budget(archive: Archive, run: Run | None) -> list[dict[str, Any]]:
    """The limits that are set, with what was used and the time left at this pace."""
    if run is None:
        return []
    found = Budget(archive, run, run.settings).standings(run.wall_s)
    return [row for row in (one.to_json() for one in found) if row["limit"] is not None]


def _champion(agent: Agent | None) -> dict[str, Any] | None:
    if agent is None:
        return None
    names = ("id", "title", "number", "kind", "depth", "score", "lower", "upper")
    return {name: getattr(agent, name) for name in names}


def _events(archive: Archive) -> list[dict[str, Any]]:
    """The last events that say something, the newest first."""
    found = archive.events(last_event(archive, 400), 400)
    told = [event for event in found if event.kind not in _QUIET]
    return [event_json(event) for event in reversed(told[-EVENTS:])]
