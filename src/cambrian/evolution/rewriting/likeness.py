"""Code that does the same, and learners that answer alike: found, and not judged twice.

Fingerprints are taken of the syntax (`agents.tree.SourceTree`), before anything of an agent is run.
What they cannot tell, the answers on the screen do.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from cambrian.agents.tree import fingerprint, learner_fingerprint
from cambrian.archive import Archive, Proposal
from cambrian.errors import InvalidAgent
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evolution.admission.records import missing, units

BYTES = 16
BATCH, TELL_S = 256, 10.0
REUSED_FROM = "reused_from"
"""In the provenance of an evaluation: the agent that it was made of."""

CHEAPER = 0.8
"""The share of another's FLOPs from which on the same answers are nothing new."""

STAGES = ("smoke", "screen", "full")


def fingerprints(files: Mapping[str, str]) -> tuple[bytes, bytes | None]:
    """What an agent does and what its learner does, 16 bytes each; None: it cannot be told.

    Code that breaks the rules for agents (an archive of old may hold some) counts with its bytes.
    """
    try:
        learner = learner_fingerprint(files)
        return _short(fingerprint(files)), None if learner is None else _short(learner)
    except InvalidAgent:
        text = repr(sorted(files.items())).encode("utf-8", "surrogatepass")
        return hashlib.sha256(text).digest()[:BYTES], None


def _short(digest: str) -> bytes:
    return bytes.fromhex(digest)[:BYTES]


def fill(
    archive: Archive,
    tell: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Take the fingerprints that are missing: of seeds, of what was merged, and of an archive of
    old (about 150 agents a second). In batches, so that a kill loses one; how many it were.
    """
    filled, told = 0, clock()
    while batch := archive.agents.without_fingerprint(BATCH):
        with archive.transaction():
            for agent_id in batch:
                what, learner = fingerprints(archive.agents.files(agent_id))
                archive.agents.set(agent_id, fingerprint=what, learner=learner)
        filled += len(batch)
        if clock() - told >= TELL_S:
            told = clock()
            tell(f"reading the code of agents that are not known by what it does: {filled} so far")
    return filled


def same_learner(archive: Archive, one: str, other: str) -> bool:
    """Whether two agents learn in the same way, as far as their code can tell."""
    learner = archive.agents.learner(one)
    return learner is not None and learner == archive.agents.learner(other)


def same_answers(archive: Archive, one: str, other: str, benchmarks: tuple[str, ...]) -> bool:
    """Whether an agent answered every question of the screen as another did, and for no fewer FLOPs
    than `CHEAPER` of its: one that does the same with less is another."""
    asked = units(archive, "screen", benchmarks)
    keys = [(unit.benchmark, benchmark(unit.benchmark).version, unit.seed) for unit in asked]
    mine, its = archive.evaluations.answers(one), archive.evaluations.answers(other)
    if not keys or any(key not in mine or mine[key] != its.get(key) for key in keys):
        return False
    return _screen_flops(archive, one) >= CHEAPER * _screen_flops(archive, other)


def answers_as(archive: Archive, proposal: Proposal, benchmarks: tuple[str, ...]) -> str | None:
    """The first agent, of those that a variant sees as decided, that answered the whole screen as
    it did; None: nobody."""
    child = str(proposal.agent_id)
    mine = archive.evaluations.answers(child)
    if not mine:
        return None
    known = archive.evaluations.answering(min(mine.values()), proposal.seen_through)
    alike = (one for one in known if same_answers(archive, child, one, benchmarks))
    return next((one for one in alike if one != child), None)


def _screen_flops(archive: Archive, agent_id: str) -> int:
    return sum(row.flops or 0 for row in archive.evaluations.of(agent_id, "screen"))


def reuse(archive: Archive, proposal: Proposal, benchmarks: tuple[str, ...]) -> None:
    """Record for a variant what was found out of a member with the same learner, which it sees as
    decided: the results would be the same. Nothing of it is metered. It may be done again."""
    child = str(proposal.agent_id)
    if not missing(archive, child, units(archive, "full", benchmarks)):
        return
    learner = archive.agents.learner(child)
    donor = learner and archive.agents.with_learner(learner, proposal.seen_through)
    if donor:
        take_over(archive, child, donor, benchmarks)


def take_over(archive: Archive, child: str, donor: str, benchmarks: tuple[str, ...]) -> None:
    """Record for an agent the results of another, if that was judged in full."""
    if missing(archive, donor, units(archive, "full", benchmarks)):
        return
    with archive.transaction():
        for row in archive.evaluations.of(donor):
            if row.stage in STAGES and row.verdict == "scored" and row.benchmark in benchmarks:
                known = archive.evaluations.record_of(row)
                source = row.provenance.get(REUSED_FROM, donor)
                archive.evaluations.record(
                    child,
                    replace(
                        known,
                        cpu_s=0.0,
                        wall_s=0.0,
                        provenance={**known.provenance, REUSED_FROM: source},
                    ),
                )
