"""The archive: what is remembered.

An archive is a directory: `archive.db` (SQLite, the truth, code included), `lineage.git/` (a
projection for people and tools, see `cambrian.archive.lineage.lineage`) and `archive.lock`::

    with Archive.open_or_create(path) as archive, archive.lock():
        archive.agents.add_seed(agent_id, files, title)
        ...

`cambrian.archive.lineage` (GitPython) and `cambrian.archive.transfer` are imported where they are
needed, so that this import stays cheap.
"""

from __future__ import annotations

from cambrian.archive.diffs import unified_diff
from cambrian.archive.records import (
    Agent,
    Answer,
    Evaluation,
    Event,
    Gate,
    ImproverCheck,
    Job,
    JobKind,
    Kind,
    Member,
    Proposal,
    ProposalState,
    Rewriter,
    Run,
    RunState,
    Spend,
    Status,
)
from cambrian.archive.sqlite.connection import Durability
from cambrian.archive.sqlite.database import Clock, Database
from cambrian.archive.store import Archive
from cambrian.measurement import Measurement, Verdict

__all__ = [
    "Agent",
    "Answer",
    "Archive",
    "Clock",
    "Database",
    "Durability",
    "Evaluation",
    "Event",
    "Gate",
    "ImproverCheck",
    "Job",
    "JobKind",
    "Kind",
    "Measurement",
    "Member",
    "Proposal",
    "ProposalState",
    "Rewriter",
    "Run",
    "RunState",
    "Spend",
    "Status",
    "Verdict",
    "unified_diff",
]
