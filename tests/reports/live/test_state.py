"""One reducer: events in, one state out, without an archive, a page or a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import HOSTILE, EvolvedArchive

from cambrian.archive import Archive, Event
from cambrian.reports.live import lines
from cambrian.reports.live.feed import advance, snapshot
from cambrian.reports.live.state import Limit, Standing, State, alive, reduce, reduce_all, stand


def event(seq: int, kind: str, at: float = 0.0, **more: Any) -> Event:
    whose = {name: more.pop(name, None) for name in ("agent_id", "proposal_id", "job_id")}
    return Event(seq=seq, at=at, kind=kind, run_id=None, **whose, data=more)


def test_an_event_seen_twice_counts_once() -> None:
    first = event(1, "proposal.admitted", score=0.5, lower=0.4)
    state = reduce_all(State(), [first, first])
    assert (state.judged, state.seq) == (1, 1)


def test_a_job_is_at_work_from_its_lease_to_its_end() -> None:
    state = reduce_all(
        State(), [event(1, "job.queued", job_id=7), event(2, "job.queued", job_id=8)]
    )
    assert state.queued == 2
    state = reduce(state, event(3, "job.leased", 5.0, job_id=7, owner="worker-1"))
    assert (state.queued, state.jobs[7].owner, state.jobs[7].since) == (1, "worker-1", 5.0)
    assert reduce(state, event(4, "job.done", job_id=7)).jobs == {}


def test_the_champion_is_the_best_lower_bound_and_the_first_of_equals_stays() -> None:
    state = reduce_all(
        State(),
        [
            event(1, "agent.scored", agent_id="a" * 64, score=0.5, lower=0.4, upper=0.6),
            event(2, "proposal.admitted", proposal_id=1, score=0.9, lower=0.3),
            event(3, "proposal.admitted", proposal_id=2, score=0.6, lower=0.4),
            event(4, "proposal.rejected", proposal_id=3, score=None, lower=None),
        ],
    )
    assert state.best is not None
    assert state.best.agent == "a" * 64
    assert state.since_best == 3


@pytest.mark.parametrize(
    ("kinds", "standing", "now", "word"),
    [
        ([], Standing(), 0.0, "empty"),
        (["run.started"], Standing(alive=True), 10.0, "running"),
        (["run.started"], Standing(alive=True), 1000.0, "silent"),
        (["run.started"], Standing(alive=False), 10.0, "interrupted"),
        (["run.started", "run.finished"], Standing(alive=False), 10.0, "finished"),
    ],
)
def test_whether_it_is_alive_is_one_word(
    kinds: list[str], standing: Standing, now: float, word: str
) -> None:
    events = [event(seq, kind) for seq, kind in enumerate(kinds, 1)]
    assert alive(stand(reduce_all(State(), events), standing), now) == word


def test_an_unknown_cost_is_unknown_and_never_nought() -> None:
    assert lines.spend(State()) == "models: cost unknown"
    asked = stand(State(), Standing(alive=True, tokens=12, dollars=None))
    assert lines.spend(asked) == "models: cost unknown, 12 tokens"


def test_time_is_left_only_while_it_runs() -> None:
    told = Standing(limits=(Limit("proposals", 10.0, 40.0, 600.0), Limit("hours", 1.0, 2.0, None)))
    running = stand(reduce(State(), event(1, "run.started")), told)
    assert lines.limits(running) == [
        "proposals 10 of 40, about 10 min left",
        "hours 1 of 2, time left unknown",
    ]
    ended = reduce(running, event(2, "run.finished"))
    assert lines.limits(ended) == ["proposals 10 of 40", "hours 1 of 2"]


def test_hostile_text_is_one_bounded_line_without_control_characters() -> None:
    told = lines.event(event(1, f"proposal.{HOSTILE}", reason=HOSTILE + "x" * 1_000_000))
    assert len(told) <= lines.LONGEST
    assert told.isprintable()


def test_the_snapshot_of_an_archive_and_its_whole_log_agree(tmp_path: Path) -> None:
    grown = EvolvedArchive(tmp_path / "archive")
    with Archive.open(grown.path, read_only=True) as archive:
        quick = snapshot(archive)
        whole = reduce_all(State(), archive.events(0, 10_000))
        counted = archive.counts()
    assert quick.judged == whole.judged == counted["judged"] == 3
    assert (quick.opened, quick.seeds, quick.ends["duplicate"]) == (7, 2, 1)
    assert (whole.opened, whole.seeds, whole.ends["duplicate"]) == (7, 2, 1)
    assert quick.best is not None
    assert quick.best.agent == grown["graft"]


def test_a_state_advances_by_what_was_recorded_since(tmp_path: Path) -> None:
    grown = EvolvedArchive(tmp_path / "archive")
    with Archive.open(grown.path, read_only=True) as archive:
        before = snapshot(archive)
        assert advance(archive, before) is before
        late = replace(before, seq=0, events=())
        assert advance(archive, late, batch=3).seq == before.seq
