"""What the archive hands out and takes in: frozen dataclasses, one per noun.

Times are seconds since the epoch; scores are normalised (0 the floor, 1 the ceiling of a
benchmark); `lower` and `upper` bound the mean normalised score on the full stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cambrian.archive.sqlite.database import Row, decode
from cambrian.measurement import Measurement

RunState = Literal["running", "finished", "stopped", "abandoned"]
Status = Literal["seed", "candidate", "admitted", "rejected"]
Kind = Literal["seed", "improvement", "stepping_stone"]
Rewriter = Literal["recombine", "model"]
ProposalState = Literal[
    "open",
    "proposed",
    "ready",
    "admitted",
    "rejected",
    "duplicate",
    "invalid",
    "failed_smoke",
    "parked",
]
GateVerdict = Literal["pass", "fail", "info"]
JobKind = Literal["propose", "evaluate", "seal"]
JobState = Literal["queued", "leased", "done", "cancelled", "parked"]

UNDECIDED: frozenset[str] = frozenset({"open", "proposed", "ready"})
#: Terminal without a judgement: what `Proposals.close` may end a proposal with.
UNJUDGED: frozenset[str] = frozenset({"duplicate", "invalid", "failed_smoke", "parked"})


@dataclass(frozen=True, kw_only=True)
class Run:
    """One stretch of evolution; `wall_s` adds up over its restarts. `suite_id` is what it was
    judged by; None where no suite was opened."""

    id: int
    seed: int
    settings: Mapping[str, Any]
    state: RunState
    target_proposals: int
    first_proposal: int
    started_at: float
    ended_at: float | None
    wall_s: float
    version: str
    suite_id: int | None = None

    @classmethod
    def of(cls, row: Row) -> Run:
        """From a row of `runs`."""
        return cls(**{**row, "settings": decode(row["settings"])})


@dataclass(frozen=True, kw_only=True)
class Agent:
    """An agent's record. `number` is None until its fate is decided; `parents` primary first."""

    id: str
    number: int | None
    status: Status
    kind: Kind | None
    title: str
    hypothesis: str
    depth: int
    parents: tuple[str, ...]
    run_id: int | None
    proposal_id: int | None
    proposal_index: int | None
    score: float | None
    lower: float | None
    upper: float | None
    created_at: float
    decided_at: float | None

    @classmethod
    def of(cls, row: Row) -> Agent:
        """From a row of `agents` with its parents as a JSON list (see `tables.agents.COLUMNS`)."""
        return cls(**{**row, "parents": tuple(decode(row["parents"]))})


@dataclass(frozen=True, kw_only=True)
class Member:
    """What selection needs to know of a member of the tree, and no more."""

    agent_id: str
    number: int
    score: float
    lower: float | None
    depth: int
    children: int


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Proposal `idx` (from 0, over all runs); it sees the archive as decided through
    `seen_through` (-1: only the seeds)."""

    id: int
    run_id: int
    idx: int
    seen_through: int
    rewriter: Rewriter
    state: ProposalState
    parents: tuple[str, ...]
    agent_id: str | None
    title: str | None
    hypothesis: str | None
    predicted_gain: float | None
    confidence: float | None
    edit: Any
    operation: Any
    outcome: Any
    reason: str | None
    created_at: float
    decided_at: float | None

    @classmethod
    def of(cls, row: Row) -> Proposal:
        """From a row of `proposals`; edit, operation and outcome are decoded JSON."""
        plain = {name: decode(row[name]) for name in ("edit", "operation", "outcome")}
        return cls(**{**row, **plain, "parents": tuple(decode(row["parents"]))})

    @property
    def terminal(self) -> bool:
        """Whether it was decided or closed, so that nothing of it changes any more."""
        return self.state not in UNDECIDED


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One step of a decision: the rule, what it was held against, and how it came out."""

    gate: str
    rule: str
    verdict: GateVerdict
    threshold: float | None = None
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Evaluation(Measurement):
    """A measurement of an agent as recorded, without its arrays: `Evaluations.series` has its
    curves and matrices, and `Evaluations.predictions` what was answered."""

    agent_id: str
    id: int
    created_at: float

    @classmethod
    def of(cls, row: Row) -> Evaluation:
        """From a row of `evaluations` or `sealed_evaluations`; metrics and provenance are
        decoded JSON."""
        plain = {name: decode(row[name]) for name in ("metrics", "provenance")}
        return cls(**{**row, **plain})


@dataclass(frozen=True, kw_only=True)
class Job:
    """A piece of work in the durable table, held by `lease_owner` until `lease_expires`."""

    id: int
    kind: JobKind
    run_id: int | None
    proposal_id: int | None
    agent_id: str | None
    stage: str | None
    payload: Any
    priority: int
    state: JobState
    lease_owner: str | None
    lease_expires: float | None
    heartbeat_at: float | None
    attempts: int
    last_error: str | None
    created_at: float
    finished_at: float | None
    not_before: float | None

    @classmethod
    def of(cls, row: Row) -> Job:
        """From a row of `jobs`; the payload is decoded JSON."""
        return cls(**{**row, "payload": decode(row["payload"])})


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of the append-only log."""

    seq: int
    at: float
    kind: str
    run_id: int | None
    agent_id: str | None
    proposal_id: int | None
    job_id: int | None
    data: Mapping[str, Any]

    @classmethod
    def of(cls, row: Row) -> Event:
        """From a row of `event_log`; the data is decoded JSON."""
        return cls(**{**row, "data": decode(row["data"])})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A model's answer as recorded; `request_hash` tells whether the question is still the same."""

    request_hash: str
    proposal_id: int
    position: int
    model: str
    text: str
    created_at: float


@dataclass(frozen=True, kw_only=True)
class Spend:
    """What was spent: model calls, tokens, US dollars."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ImproverCheck:
    """Whether an improver still produces a valid edit against a scripted model."""

    improver_hash: str
    valid: bool
    detail: str
    created_at: float
