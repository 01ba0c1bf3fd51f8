"""Members of other suites, judged by the current one.

A changed suite is a new epoch: nothing that an agent scored before is compared with what others
score now. A member of old can be judged anew, on all that a score of the current suite is made of
(the screen's and the full stage's seeds); then it is a member like any other: it may be the
champion, and a parent of what comes. What decided it when it was admitted is not touched, and it is
not decided again.

Not while a run is unfinished: its proposals see the archive as decided up to a certain one, and a
member that appears among these would make the same seed give another tree. For the same reason none
of this is of a run's budget; `limit` is its hard stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cambrian.archive import Agent, Archive, Evaluation
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.suites import KeptSuite
from cambrian.errors import NotFound, Refused, UsageError
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evolution.admission.records import failures, missing, results_of, units
from cambrian.evolution.errands import Errand, Tell, run_errands
from cambrian.evolution.runtime.seeding import STAGES_OF_SEEDS, Seeding
from cambrian.evolution.runtime.workers import WorkerFactory
from cambrian.evolution.timing import USUAL, Timing
from cambrian.measurement import Measurement, Unit


@dataclass
class Rescored:
    """What came of it.

    Attributes:
        evaluations, cpu_s: what was run, and its processor seconds.
        scored: who has a score in the current suite now, by number.
        failed: who failed on one of its benchmarks, and how; they get no score.
        waiting: who was not begun, for `limit`, or has something left to run (it was too slow).
    """

    evaluations: int = 0
    cpu_s: float = 0.0
    scored: list[Agent] = field(default_factory=list)
    failed: list[tuple[Agent, Evaluation]] = field(default_factory=list)
    waiting: list[Agent] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Counts, and the agents by what came of them."""
        return {
            "evaluations": self.evaluations,
            "cpu_s": self.cpu_s,
            "scored": [_json(one, "score", "lower", "upper") for one in self.scored],
            "failed": [
                {**_json(one), "benchmark": row.benchmark, "seed": row.seed, "reason": row.reason}
                for one, row in self.failed
            ],
            "waiting": [_json(one) for one in self.waiting],
        }


def _json(agent: Agent, *more: str) -> dict[str, Any]:
    return {name: getattr(agent, name) for name in ("id", "number", "title", *more)}


def require_suite(archive: Archive) -> KeptSuite:
    """The suite to judge by.

    Raises:
        NotFound: none was opened yet. Refused: a run is unfinished, or a benchmark of the suite has
            another version by now.
    """
    kept = archive.suites.current()
    if kept is None:
        raise NotFound("no suite was opened here yet: `cambrian run` opens one")
    run = archive.runs.current()
    if run is not None:
        raise Refused(
            f"run {run.id} of this archive is unfinished: new members would change what it draws; "
            "let it end (`cambrian run`), then rescore"
        )
    changed = ", ".join(
        f"{e.benchmark} (version {e.version}, now {benchmark(e.benchmark).version})"
        for e in kept.suite.entries
        if e.version != benchmark(e.benchmark).version
    )
    if changed:
        raise Refused(
            f"the current suite is of other versions than are installed: {changed}; "
            "`cambrian run` opens the suite of these, then rescore"
        )
    return kept


def champions(archive: Archive, kept: KeptSuite) -> list[str]:
    """The champions of all other suites that have no score in this one, each once."""
    wanted = set(archive.suites.unscored(kept.id))
    found = [
        str(row["id"])
        for other in archive.suites.all()
        if other.id != kept.id
        for row in archive.suites.leaderboard(other.id, 1)
    ]
    return [agent_id for agent_id in dict.fromkeys(found) if agent_id in wanted]


def members(archive: Archive, kept: KeptSuite) -> list[str]:
    """All members without a score in a suite, by number."""
    return archive.suites.unscored(kept.id)


def check(archive: Archive, agent_ids: Iterable[str]) -> None:
    """Raises UsageError if one is no member of the tree: it was rejected, or is not decided."""
    for agent_id in agent_ids:
        agent = archive.agents.get(agent_id)
        if agent.status not in ("seed", "admitted"):
            raise UsageError(
                f"expected members of the tree, but {agent_id[:10]} is {agent.status}: only what "
                "was admitted can be judged by another suite"
            )


def lacking(archive: Archive, agent_id: str, kept: KeptSuite) -> list[Unit]:
    """What an agent has not been run on of what its score is made of; nothing for one that failed
    on some of it, or has its score."""
    if archive.agents.get(agent_id).score is not None or _failure(archive, agent_id, kept):
        return []
    names = kept.suite.benchmarks
    return [
        unit
        for stage in STAGES_OF_SEEDS
        for unit in missing(archive, agent_id, units(archive, stage, names))
    ]


def _failure(archive: Archive, agent_id: str, kept: KeptSuite) -> Evaluation | None:
    rows = [
        row
        for stage in STAGES_OF_SEEDS
        for row in failures(archive, agent_id, stage, kept.suite.benchmarks)
        if row.seed < kept.suite.seeds
    ]
    return rows[0] if rows else None


def rescore(
    archive: Archive,
    agent_ids: Sequence[str],
    make_worker: WorkerFactory,
    tell: Tell,
    *,
    limit: int | None = None,
    workers: int = 2,
    device: str = "cpu",
    timing: Timing = USUAL,
) -> Rescored:
    """Judge members by the current suite. Stopped or killed, it may be asked again: what is
    recorded is not run twice.

    Args:
        limit: so many evaluations at most; an agent is begun only if all that it lacks fits in.

    Raises:
        NotFound, Refused: as `require_suite` does. UsageError: one is no member.
        SandboxBroken: an agent could not be judged here.
    """
    kept = require_suite(archive)
    check(archive, agent_ids)
    found = Rescored()
    todo = [one for one in dict.fromkeys(agent_ids) if archive.agents.get(one).score is None]
    begun, room = [], float("inf") if limit is None else limit
    for agent_id in todo:
        needs = len(lacking(archive, agent_id, kept))
        if needs <= room:
            room -= needs
            begun.append(agent_id)
    run_errands(
        archive,
        [_errand(archive, agent_id, kept, found, tell, timing) for agent_id in begun],
        make_worker,
        tell,
        name="rescore",
        workers=workers,
        device=device,
        timing=timing,
    )
    Lineage(archive).update()  # its HEAD is the champion, and that may be another now
    for agent in map(archive.agents.get, todo):
        failure = _failure(archive, agent.id, kept)
        if agent.score is not None:
            found.scored.append(agent)
        elif failure is not None:
            found.failed.append((agent, failure))
        else:
            found.waiting.append(agent)
    return found


def _errand(
    archive: Archive, agent_id: str, kept: KeptSuite, found: Rescored, tell: Tell, timing: Timing
) -> Errand:
    seeding = Seeding(archive, kept.suite.benchmarks, timing.jobs)

    def left() -> list[Unit]:
        return lacking(archive, agent_id, kept)

    def begin(evaluations: int) -> None:
        number = archive.agents.get(agent_id).number
        tell(f"rescore: {evaluations} evaluations of #{number} {agent_id[:10]}")

    def record(measured: Measurement) -> None:
        if seeding.record(agent_id, measured):
            found.evaluations += 1
            found.cpu_s += measured.cpu_s or 0.0

    return Errand(agent_id, left, record, begin, lambda: _score(archive, agent_id, kept))


def _score(archive: Archive, agent_id: str, kept: KeptSuite) -> None:
    """Give an agent its score, if it was run on everything."""
    names = kept.suite.benchmarks
    if _failure(archive, agent_id, kept) or lacking(archive, agent_id, kept):
        return
    if archive.agents.get(agent_id).score is not None:
        return
    results = results_of(archive, agent_id)
    estimate = results.estimate(names, results.search)
    vector = results.vector(names, results.search)
    archive.agents.rescore(agent_id, estimate.mean, estimate.lower, estimate.upper, vector)
