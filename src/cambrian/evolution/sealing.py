"""Sealed runs: agents on data that no search has seen, when a search is over and a person asks.

Each use is counted before it takes place, with whom it was for, and the count is reported beside
the scores: what is looked at often enough is sealed no more. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.archive import Archive
from cambrian.errors import Refused
from cambrian.evaluators.benchmarks import sealed_names
from cambrian.evolution.admission.records import missing, units
from cambrian.evolution.errands import Errand, Tell, run_errands
from cambrian.evolution.runtime.workers import WorkerFactory
from cambrian.evolution.timing import USUAL, Timing
from cambrian.failpoints import reach
from cambrian.measurement import Measurement, Unit


def require_no_search(archive: Archive) -> None:
    """Sealed data is for what came out of a search, and never for one that goes on.

    Raises:
        Refused: a run of this archive is unfinished.
    """
    run = archive.runs.current()
    if run is not None:
        raise Refused(
            f"run {run.id} of this archive is unfinished: sealed data is not used inside a search; "
            "let it end (`cambrian run`), then seal"
        )


def wanted(archive: Archive, *, seeds: bool = True) -> list[str]:
    """Which agents are sealed unless some are named: the seed agents (none that failed), and the
    champion."""
    failed = {one.agent_id for one in archive.evaluations.failures_of_seeds()}
    found = [seed.id for seed in archive.agents.seeds() if seed.id not in failed] if seeds else []
    champion = archive.champion()
    if champion is not None and champion.id not in found:
        found.append(champion.id)
    return found


def unsealed(
    archive: Archive, agent_id: str, benchmarks: Sequence[str], *, unseen: bool = True
) -> list[Unit]:
    """What sealed data an agent has not been run on yet: of these benchmarks, and if `unseen` of
    the streams that no search sees."""
    names = sealed_names(benchmarks) if unseen else benchmarks
    return missing(archive, agent_id, units(archive, "sealed", names))


def seal(
    archive: Archive,
    agent_ids: Sequence[str],
    benchmarks: Sequence[str],
    make_worker: WorkerFactory,
    tell: Tell,
    *,
    workers: int = 2,
    device: str = "cpu",
    timing: Timing = USUAL,
    unseen: bool = True,
) -> int:
    """Run agents on what sealed data they have not been run on (see `unsealed`); how many
    evaluations that took.

    Stopped or killed, it may be asked again: what is recorded is not run, nor counted, twice.

    Raises:
        Refused: a search is under way. SandboxBroken: an agent could not be judged here.
    """
    require_no_search(archive)
    todo = [(a, u) for a in agent_ids if (u := unsealed(archive, a, benchmarks, unseen=unseen))]
    run_errands(
        archive,
        [_errand(archive, agent_id, benchmarks, tell, unseen) for agent_id, _ in todo],
        make_worker,
        tell,
        name="seal",
        workers=workers,
        device=device,
        timing=timing,
    )
    return sum(len(left) for _, left in todo)


def _errand(
    archive: Archive, agent_id: str, benchmarks: Sequence[str], tell: Tell, unseen: bool
) -> Errand:
    def begin(evaluations: int) -> None:
        run = archive.runs.last()
        archive.sealings.open(agent_id, run_id=run.id if run else None, evaluations=evaluations)
        reach("sealing.opened")
        number = archive.agents.get(agent_id).number
        tell(f"sealed: {evaluations} evaluations of #{number} {agent_id[:10]}")

    def record(found: Measurement) -> None:
        archive.evaluations.record(agent_id, found, sealed=True)
        reach("sealing.recorded")

    def left() -> list[Unit]:
        return unsealed(archive, agent_id, benchmarks, unseen=unseen)

    return Errand(agent_id, left, record, begin)
