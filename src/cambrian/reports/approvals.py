"""The decisions that wait for a person."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cambrian.reports.times import when

if TYPE_CHECKING:
    from cambrian.archive import Archive
    from cambrian.archive.tables.steering import Approval


def waiting(archive: Archive) -> list[dict[str, Any]]:
    """Each admission that waits for a person, as JSON: why, the hypothesis, every gate and the diff
    from its primary parent."""
    return [_approval(archive, asked) for asked in archive.steering.waiting()]


def _approval(archive: Archive, asked: Approval) -> dict[str, Any]:
    from cambrian.archive import unified_diff

    proposal = archive.proposals.get(asked.proposal_id)
    agent_id = str(proposal.agent_id)
    parents = archive.agents.get(agent_id).parents
    before = archive.agents.files(parents[0]) if parents else {}
    return {
        "proposal": proposal.idx,
        "agent": agent_id,
        "title": proposal.title or "",
        "hypothesis": proposal.hypothesis or "",
        "parents": list(parents),
        "kind": asked.kind,
        "why": asked.why,
        "asked_at": when(asked.asked_at),
        "gates": [dict(gate) for gate in asked.gates]
        or [asdict(gate) for gate in archive.gates(proposal_id=proposal.id)],
        "diff": unified_diff(before, archive.agents.files(agent_id)),
    }
