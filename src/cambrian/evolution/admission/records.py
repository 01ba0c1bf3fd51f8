"""Between the rooms: the archive's rows and the evaluators' results, one into the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cambrian.archive import Archive, EvaluationRecord
from cambrian.archive import Evaluation as ArchivedEvaluation
from cambrian.evaluators.benchmarks import STAGES, benchmark
from cambrian.evaluators.job import Evaluation, Unit
from cambrian.evolution.admission.results import Result, Results

SEARCH_STAGES = ("screen", "full", "race")


def to_record(agent_id: str, evaluation: Evaluation) -> EvaluationRecord:
    """An evaluation as the archive keeps it."""
    failed = f"{evaluation.cause}: {evaluation.reason}" if evaluation.cause else ""
    return EvaluationRecord(
        agent_id=agent_id,
        benchmark=evaluation.unit.benchmark,
        version=evaluation.version,
        stage=evaluation.unit.stage,
        seed=evaluation.unit.seed,
        verdict=evaluation.verdict,
        reason=failed[:8000],
        score=evaluation.score,
        raw=evaluation.raw,
        metrics=evaluation.metrics,
        flops=evaluation.flops,
        cpu_s=evaluation.cpu_s,
        peak_bytes=evaluation.peak_bytes,
        state_bytes=evaluation.state_bytes,
        wall_s=evaluation.wall_s,
        image_digest=evaluation.provenance.get("image"),
        device=evaluation.device,
        backend=evaluation.provenance.get("backend"),
        provenance=evaluation.provenance,
        curves=evaluation.curves,
        matrices=evaluation.matrices,
        predictions=evaluation.predictions,
    )


def results_of(archive: Archive, agent_id: str, *, sealed: bool = False) -> Results:
    """What counts of an agent: scored, on the benchmarks' present versions."""
    if sealed:
        return _scored(archive.evaluations.of(agent_id, sealed=True))
    return archive.evaluations.made_of(agent_id, _searched)


def _searched(rows: Sequence[ArchivedEvaluation]) -> Results:
    return _scored([row for row in rows if row.stage in SEARCH_STAGES])


def _scored(rows: Sequence[ArchivedEvaluation]) -> Results:
    found = []
    for row in rows:
        if row.verdict != "scored" or row.score is None:
            continue
        if row.version != benchmark(row.benchmark).version:
            continue
        metrics: Mapping[str, float] = row.metrics
        found.append(Result(row.benchmark, row.seed, row.score, metrics, row.flops or 0))
    return Results(found)


def units(stage: str, benchmarks: Sequence[str]) -> list[Unit]:
    """Every unit of a stage, seed by seed, so that a run cut short has whole seeds."""
    return [Unit(name, stage, seed) for seed in STAGES[stage] for name in benchmarks]


def missing(archive: Archive, agent_id: str, wanted: Sequence[Unit]) -> list[Unit]:
    """Those units that have no verdict yet."""
    if not wanted:
        return []
    stage = wanted[0].stage
    rows = archive.evaluations.of(agent_id, stage, sealed=stage == "sealed")
    done = {(r.benchmark, r.seed) for r in rows if r.version == benchmark(r.benchmark).version}
    return [unit for unit in wanted if (unit.benchmark, unit.seed) not in done]
