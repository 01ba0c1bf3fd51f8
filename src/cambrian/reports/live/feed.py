"""The reducer fed from an archive that is open for reading only: it never holds a run back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambrian.evolution.budget import Budget
from cambrian.reports.events import last_event
from cambrian.reports.live.state import LAST, Best, Job, Limit, Standing, State, reduce, stand

if TYPE_CHECKING:
    from cambrian.archive import Archive

BATCH = 1000
BACK = 400
"""A snapshot looks so many events back for those that are told."""
AT_WORK = 64

_JOBS = """
SELECT j.id, j.kind, j.stage, coalesce(j.agent_id, p.agent_id) AS agent,
       (SELECT max(e.at) FROM events e WHERE e.seq > (SELECT max(seq) FROM events) - 4000
        AND e.job_id = j.id AND e.kind = 'job.leased') AS since,
       (SELECT v.benchmark FROM evaluations v WHERE v.agent_id = coalesce(j.agent_id, p.agent_id)
        AND v.stage = j.stage ORDER BY v.id DESC LIMIT 1) AS benchmark
FROM jobs j LEFT JOIN proposals p ON p.id = j.proposal_id
WHERE j.state = 'leased' ORDER BY j.id LIMIT ?
"""
_SINCE = """
SELECT count(*) FROM proposals WHERE state IN ('admitted', 'rejected') AND idx > ?
"""


def snapshot(archive: Archive) -> State:
    """The state now, from counts and not from the whole log, at the same cost for any length."""
    seq = last_event(archive)
    counts, run = archive.counts(), archive.runs.last()
    state = State()
    for event in archive.events(max(0, seq - BACK), BACK):
        state = reduce(state, event)
    names = ("admitted", "rejected", "duplicate", "invalid", "failed_smoke", "parked")
    champion = archive.champion()
    index = None if champion is None else champion.proposal_index
    since = archive.database.value(_SINCE, (-1 if index is None else index,))
    made = State(
        seq=state.seq,
        at=state.at,
        word="empty" if run is None else run.state,
        paused=run is not None and bool(archive.steering.orders(run.id).get("paused")),
        opened=counts["proposals"],
        seeds=counts["seeds"],
        evaluations=counts["evaluations_scored"] + counts["evaluations_failed"],
        ends={name: counts[name] for name in names},
        since_best=None if champion is None else int(since),
        events=state.events[-LAST:],
    )
    return stand(made, standing(archive))


def advance(archive: Archive, state: State, batch: int = BATCH) -> State:
    """The state after what was recorded since; unchanged where nothing was."""
    before = state
    while found := archive.events(state.seq, batch):
        for event in found:
            state = reduce(state, event)
    holder = archive.lock_holder() is not None
    if state is before and holder == state.standing.alive:
        return state
    return stand(state, standing(archive))


def standing(archive: Archive) -> Standing:
    """What no event tells: life, money, limits, the names of what is at work."""
    run, spend = archive.runs.last(), archive.ledger.total()
    limits: list[Limit] = []
    if run is not None:
        for one in Budget(archive, run, run.settings).standings(run.wall_s):
            told = one.to_json()
            if told["limit"] is not None:
                limits.append(Limit(told["name"], told["spent"], told["limit"], told["left_s"]))
    rows = archive.database.rows(_JOBS, (AT_WORK,))
    asked = spend.calls > 0
    return Standing(
        alive=archive.lock_holder() is not None,
        dollars=spend.dollars if asked else None,
        tokens=spend.prompt_tokens + spend.completion_tokens if asked else None,
        limits=tuple(limits),
        approvals=len(archive.steering.waiting()),
        jobs=tuple(Job(**row) for row in rows),
        queued=int(archive.database.value("SELECT count(*) FROM jobs WHERE state = 'queued'")),
        best=_best(archive),
    )


def _best(archive: Archive) -> Best | None:
    one = archive.champion()
    if one is None:
        return None
    return Best(one.score, one.lower, one.upper, one.id, one.number, one.title, one.proposal_id)
