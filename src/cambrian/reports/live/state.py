"""The reducer: the state of a run after one more event. It is pure, and needs no archive.

What no event tells (money, limits, the end of a plateau) is None until a `Standing` says it: what
is unknown is never shown as 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

LAST = 40
"""Of the last events that say something, so many are kept."""

QUIET = frozenset(
    {"job.queued", "job.leased", "job.done", "evaluation.recorded", "sealed.recorded"}
)
"""Events that say no more than the counts do."""

ENDS = {"admitted", "rejected", "duplicate", "invalid", "failed_smoke", "parked"}
"""How a proposal may end, by the names of its events."""

RUN = {"started", "resumed", "finished", "stopped", "failed", "killed"}
"""What happens to a run as a whole; its other events change no more than the log."""

STALE_S = 120.0
"""A process without a sign of life for so long is said to be silent."""


class Told(Protocol):
    """An event of the archive's log (`archive.Event`), or one of a recording."""

    @property
    def seq(self) -> int:
        """Its place in the log, from 1."""

    @property
    def at(self) -> float:
        """When, in seconds since the epoch."""

    @property
    def kind(self) -> str:
        """What happened: a noun, a dot, a verb."""

    @property
    def agent_id(self) -> str | None:
        """The agent that it concerns."""

    @property
    def proposal_id(self) -> int | None:
        """The proposal that it concerns."""

    @property
    def job_id(self) -> int | None:
        """The job that it concerns."""

    @property
    def data(self) -> Mapping[str, Any]:
        """More, by name; untrusted text."""


@dataclass(frozen=True)
class Job:
    """A job at work. `agent`, `stage` and `benchmark` (the last that was finished in it) are None
    where nothing said them; `since` is in seconds since the epoch."""

    id: int
    owner: str | None = None
    since: float | None = None
    kind: str | None = None
    stage: str | None = None
    agent: str | None = None
    benchmark: str | None = None


@dataclass(frozen=True)
class Best:
    """The champion: a mean on the full stage with its interval; the title is untrusted text."""

    score: float | None
    lower: float | None
    upper: float | None = None
    agent: str | None = None
    number: int | None = None
    title: str = ""
    proposal: int | None = None


@dataclass(frozen=True)
class Limit:
    """A limit that is set, what was used of it, and the seconds left at the pace so far."""

    name: str
    spent: float
    limit: float
    left_s: float | None


@dataclass(frozen=True)
class Standing:
    """What is asked of the archive now and then, for no event tells it.

    Attributes:
        alive: whether a process holds the archive; None where nobody can say (a recording).
        dollars, tokens: what models cost; None where that is unknown, or no model was asked.
        approvals: decisions that wait for a person.
    """

    alive: bool | None = None
    dollars: float | None = None
    tokens: int | None = None
    limits: tuple[Limit, ...] = ()
    approvals: int = 0
    jobs: tuple[Job, ...] | None = None
    queued: int | None = None
    best: Best | None = None


@dataclass(frozen=True)
class State:
    """Where a run stands after the event `seq`.

    Attributes:
        at: the last sign of life, in seconds since the epoch.
        word: of the last run: empty, running, or how it ended.
        ends: proposals by how they ended; untold means none.
        since_best: proposals judged since the champion was found; None without one.
        events: the last that say something, the newest last.
    """

    seq: int = 0
    at: float | None = None
    word: str = "empty"
    paused: bool = False
    opened: int = 0
    seeds: int = 0
    evaluations: int = 0
    queued: int = 0
    ends: Mapping[str, int] = field(default_factory=dict)
    jobs: Mapping[int, Job] = field(default_factory=dict)
    best: Best | None = None
    since_best: int | None = None
    events: tuple[Told, ...] = ()
    standing: Standing = Standing()

    @property
    def judged(self) -> int:
        """Proposals that were admitted or rejected."""
        return self.ends.get("admitted", 0) + self.ends.get("rejected", 0)

    @property
    def unjudged(self) -> int:
        """Duplicates, invalid edits, smoke failures and what was parked."""
        return sum(self.ends.values()) - self.judged


def reduce(state: State, event: Told) -> State:
    """The state after the event; one that was seen already changes nothing."""
    if event.seq <= state.seq:
        return state
    noun, _, verb = event.kind.partition(".")
    if noun == "job":
        state = _job(state, event, verb)
    elif noun == "proposal":
        state = _proposal(state, event, verb)
    elif noun == "run" and verb in RUN:
        word = "running" if verb in ("started", "resumed") else verb
        state = replace(state, word=word)
        if word != "running":
            state = replace(state, jobs={})
    elif event.kind == "agent.seeded":
        state = replace(state, seeds=state.seeds + 1)
    elif event.kind == "agent.scored":
        state = _found(state, event, event.agent_id)
    elif event.kind == "evaluation.recorded":
        state = replace(state, evaluations=state.evaluations + 1)
    elif event.kind == "order.given" and event.data.get("name") == "paused":
        state = replace(state, paused=bool(event.data.get("value")))
    events = state.events
    if event.kind not in QUIET:
        events = (*events[-(LAST - 1) :], event)
    return replace(state, seq=event.seq, at=event.at, events=events)


def reduce_all(state: State, events: Iterable[Told]) -> State:
    """The state after each of the events in turn."""
    for event in events:
        state = reduce(state, event)
    return state


def stand(state: State, standing: Standing) -> State:
    """The state with what was asked of the archive: it names the jobs and the champion."""
    jobs, best = standing.jobs, standing.best
    return replace(
        state,
        standing=standing,
        jobs=state.jobs if jobs is None else {job.id: job for job in jobs},
        queued=state.queued if standing.queued is None else standing.queued,
        best=state.best if best is None else best,
    )


def alive(state: State, now: float) -> str:
    """Whether it is alive, in a word: the run's word, or "silent", "interrupted", "paused"."""
    if state.word != "running":
        return state.word
    if state.standing.alive is False:
        return "interrupted"
    if state.paused:
        return "paused"
    if state.at is not None and now - state.at > STALE_S:
        return "silent"
    return "running"


def _job(state: State, event: Told, verb: str) -> State:
    if event.job_id is None:
        return state
    rest = {number: job for number, job in state.jobs.items() if number != event.job_id}
    if verb == "leased":
        owner = event.data.get("owner")
        job = Job(event.job_id, None if owner is None else str(owner), event.at)
        return replace(state, jobs={**rest, event.job_id: job}, queued=max(0, state.queued - 1))
    waits = verb in ("queued", "requeued", "released", "expired", "retried")
    return replace(state, jobs=rest, queued=state.queued + waits)


def _proposal(state: State, event: Told, verb: str) -> State:
    if verb == "opened":
        return replace(state, opened=state.opened + 1)
    if verb not in ENDS:
        return state
    state = replace(state, ends={**state.ends, verb: state.ends.get(verb, 0) + 1})
    if verb in ("admitted", "rejected") and state.since_best is not None:
        state = replace(state, since_best=state.since_best + 1)
    return _found(state, event, event.agent_id) if verb == "admitted" else state


def _found(state: State, event: Told, agent: str | None) -> State:
    """A member with a score: the champion, if its lower bound is the best; the first of equals
    stays."""
    score, lower = event.data.get("score"), event.data.get("lower")
    if score is None or lower is None:
        return state
    before = state.best
    if before is not None and before.lower is not None and lower <= before.lower:
        return state
    upper = event.data.get("upper", 2 * score - lower)
    best = Best(score, lower, upper, agent, proposal=event.proposal_id)
    return replace(state, best=best, since_best=0)
