"""A process that writes to an archive until it is killed, or has WRITER_TARGET proposals.

Every verb is safe to repeat: a new process goes on from what the one before had recorded.
Run by `test_check.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from cambrian.archive import Archive, Gate, Measurement, Proposal, Run
from cambrian.archive.lineage.lineage import Lineage


def identity(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()


def main(home: Path, target: int) -> None:
    with Archive.open_or_create(home) as archive, archive.lock():
        (home / "ready").touch()
        archive.jobs.release_all_leases()
        run = archive.runs.current() or archive.runs.start(1, {}, target)
        files = {"learner.py": "seed"}
        seed = archive.agents.add_seed(identity(files), files, "seed")
        archive.agents.set_score(seed.id, 0.2, 0.1, 0.3)
        while archive.proposals.decided_through() + 1 < target:
            step(archive, run, archive.proposals.decided_through() + 1)
        Lineage(archive).update()


def step(archive: Archive, run: Run, idx: int) -> None:
    seen = max(-1, idx - 4)
    members = archive.members(seen)
    parent = members[idx % len(members)].agent_id
    proposal = archive.proposals.open(run.id, idx, seen, [parent], "recombine")
    archive.ledger.record_answer(
        proposal_id=proposal.id,
        position=0,
        request_hash=str(idx),
        model="scripted",
        text=f"answer {idx}",
        prompt_tokens=1,
        completion_tokens=1,
        dollars=1.0,
    )
    if proposal.state == "open":
        # Every fifth repeats an earlier text: a duplicate.
        text = f"variant {idx - 1 if idx % 5 == 4 else idx}"
        files = {"learner.py": text, "parts/shared.py": "shared\n"}
        archive.proposals.record_variant(
            proposal.id, identity(files), files, title=text, hypothesis="", stage="full"
        )
    evaluate_all(archive)
    decide(archive, archive.proposals.get(proposal.id))
    if idx % 7 == 0:
        Lineage(archive).update()


def evaluate_all(archive: Archive) -> None:
    while job := archive.jobs.lease("writer", ["evaluate"], ttl=60):
        assert job.agent_id is not None
        assert job.proposal_id is not None
        record = Measurement(
            benchmark="b",
            version="1",
            stage="full",
            seed=0,
            verdict="scored",
            score=0.5,
        )
        archive.evaluations.record(job.agent_id, record)
        archive.proposals.make_ready(job.proposal_id, {"score": 0.5})
        archive.jobs.complete(job.id)


def decide(archive: Archive, proposal: Proposal) -> None:
    if proposal.terminal:
        return
    gate = Gate(gate="full", rule="score", verdict="pass", value=0.5)
    archive.proposals.record(
        proposal.id,
        None if proposal.idx % 3 == 0 else "stepping_stone",
        "decided",
        [gate],
        score=0.5,
        lower=0.4,
        upper=0.6,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(os.environ.get("WRITER_TARGET", "1000000")))
