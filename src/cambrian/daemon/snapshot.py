"""Where a service stands, as JSON: what `status` over the control socket and `/metrics` say."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cambrian.daemon.service import Service


def snapshot(service: Service) -> dict[str, Any]:
    """All that is known of a running service without looking through the archive."""
    loop, archive = service.loop, service.archive
    now = time.time()
    found: dict[str, Any] = {
        "pid": os.getpid(),
        "run": service.run_id,
        "state": service.state(),
        "paused": loop.pauses.texts() | ({"storage": service.storage} if service.storage else {}),
        "started_at": service.started,
        "uptime_s": now - service.started,
        "workers": loop.workers,
        "metrics_port": service.metrics_port,
    }
    if service.storage:
        return found | {"wall_s": loop.wall_s}
    return found | {
        "wall_s": loop.wall_s,
        "budget": [asdict(one) for one in loop.budget.standings(loop.wall_s)],
        "ended_by": loop.ended_by,
        "counts": archive.counts(),
        "jobs": archive.jobs.counts(),
        "at_work": [
            {
                "job": job.id,
                "worker": job.lease_owner,
                "agent": job.agent_id,
                "stage": job.stage,
                "proposal": job.proposal_id,
                "attempt": job.attempts,
            }
            for job in archive.jobs.in_state("leased")
        ],
        "approvals": len(archive.steering.waiting()),
        "undecided": archive.proposals.count_undecided(),
    }
