"""What is recorded of an agent, as the search reads it: what counts, and what is missing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from cambrian.archive import Archive, Evaluation
from cambrian.evaluators.benchmarks import STAGES, benchmark
from cambrian.evaluators.calibration import calibration
from cambrian.evolution.admission.results import SEARCH_SEEDS, Result, Results
from cambrian.measurement import Unit

TRIED = 3
"""On how many benchmarks the smoke stage tries a variant at least, where there are as many."""
SEARCH_STAGES = ("screen", "full", "race")


def kind_of(name: str) -> str:
    """The kind of stream of a benchmark: that of a family, or of its task."""
    found = benchmark(name)
    return str(getattr(found, "kind", None) or found.stream("smoke").kind)


def results_of(archive: Archive, agent_id: str, *, sealed: bool = False) -> Results:
    """What counts of an agent: scored, on the benchmarks' present versions, with the weights of the
    current suite; sealed results count alike."""
    if sealed:
        return _scored(archive.evaluations.of(agent_id, sealed=True))
    return archive.evaluations.made_of(
        agent_id, _by(archive.suites.weights(), archive.suites.seeds())
    )


def search_seeds(archive: Archive) -> tuple[int, ...]:
    """The seeds that the current suite runs its benchmarks with."""
    return SEARCH_SEEDS[: archive.suites.seeds()]


@functools.cache
def _by(
    weights: tuple[tuple[str, float], ...], seeds: int
) -> Callable[[Sequence[Evaluation]], Results]:
    """One function a suite, so that what it makes is made once."""

    def searched(rows: Sequence[Evaluation]) -> Results:
        counted = [row for row in rows if row.stage in SEARCH_STAGES]
        return _scored(counted, dict(weights), SEARCH_SEEDS[:seeds])

    return searched


def _scored(
    rows: Sequence[Evaluation],
    weights: Mapping[str, float] | None = None,
    search: Sequence[int] = SEARCH_SEEDS,
) -> Results:
    found = []
    for row in rows:
        if row.verdict != "scored" or row.score is None:
            continue
        if row.version != benchmark(row.benchmark).version:
            continue
        metrics: Mapping[str, float] = row.metrics
        found.append(Result(row.benchmark, row.seed, row.score, metrics, row.flops or 0))
    return Results(found, weights, search)


def units(archive: Archive, stage: str, benchmarks: Sequence[str]) -> list[Unit]:
    """Every unit of a stage in the current suite, seed by seed, so that a run cut short has whole
    seeds."""
    names = tried_on(tuple(benchmarks)) if stage == "smoke" else benchmarks
    seeds = STAGES[stage]
    if stage == "full":
        seeds = tuple(seed for seed in search_seeds(archive) if seed in seeds)
    return [Unit(name, stage, seed) for seed in seeds for name in names]


@functools.cache
def tried_on(benchmarks: tuple[str, ...]) -> tuple[str, ...]:
    """The benchmarks that the smoke stage asks, in the order given: that code runs is seen on the
    cheapest for each kind of task and set of verbs, and on `TRIED` at least."""
    cheap = sorted(benchmarks, key=lambda name: calibration(benchmark(name)).cpu_s)
    first: dict[tuple[str, ...], str] = {}
    for name in cheap:
        asked = benchmark(name)
        first.setdefault((asked.stream("smoke").kind, *sorted(asked.verbs)), name)
    chosen = set(first.values())
    for name in cheap:
        if len(chosen) >= TRIED:
            break
        chosen.add(name)
    return tuple(name for name in benchmarks if name in chosen)


def failures(
    archive: Archive, agent_id: str, stage: str, benchmarks: Sequence[str]
) -> list[Evaluation]:
    """On what an agent failed in a stage, of these benchmarks as they are now."""
    return [
        row
        for row in archive.evaluations.of(agent_id, stage)
        if row.verdict == "failed"
        and row.benchmark in benchmarks
        and row.version == benchmark(row.benchmark).version
    ]


def missing(archive: Archive, agent_id: str, wanted: Sequence[Unit]) -> list[Unit]:
    """Those units that have no verdict yet."""
    if not wanted:
        return []
    stage = wanted[0].stage
    rows = archive.evaluations.of(agent_id, stage, sealed=stage == "sealed")
    done = {(r.benchmark, r.seed) for r in rows if r.version == benchmark(r.benchmark).version}
    return [unit for unit in wanted if (unit.benchmark, unit.seed) not in done]
