"""What agents are judged by: benchmarks with their calibration, and the data they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError

if TYPE_CHECKING:
    from cambrian.evaluators.benchmarks import Benchmark


def describe_benchmark(name: str) -> dict[str, Any]:
    """A benchmark with its calibration, as JSON; numbers are None where it was never calibrated.

    Raises:
        NotFound: there is no such benchmark.
    """
    from cambrian.evaluators.benchmarks import STAGES, benchmark, missing
    from cambrian.evaluators.calibration import calibration

    found = benchmark(name)
    try:
        measure = calibration(found)
    except UsageError:
        measure = None
    stages = ("sealed",) if found.sealed_only else tuple(STAGES)
    return {
        "name": found.name,
        "version": found.version,
        "sealed_only": found.sealed_only,
        "used_by": _used_by(found),
        "card": dict(vars(found.card)),
        "stages": {stage: list(STAGES[stage]) for stage in stages},
        "floor": measure and measure.floor,
        "ceiling": measure and measure.ceiling,
        "flops_allowed": measure and measure.flops_allowed,
        "state_bytes_allowed": measure and measure.state_allowed,
        "reference": found.reference,
        "cpu_s": measure and measure.cpu_s,
        "stage_cpu_s": {
            stage: measure and round(measure.cpu_s * len(STAGES[stage]) * _share(found, stage), 3)
            for stage in stages
        },
        "close": found.bounds.close,
        "lacks": [source.name for source in missing(found)],
        "details": measure.details if measure else {},
    }


def _used_by(found: Benchmark) -> str:
    from cambrian.evaluators.benchmarks import DEFAULT

    if found.sealed_only:
        return "sealed runs only"
    return "every search" if found.name in DEFAULT else "searches that name it"


def _share(found: Benchmark, stage: str) -> float:
    """How much of a full seed a stage's seed takes, by the samples that it says it has."""
    if stage != "smoke":
        return 1.0
    full = found.stream("full").observations
    return found.stream("smoke").observations / full if full else 0.1


def describe_draws(name: str, stage: str, seed: int) -> dict[str, Any]:
    """What one seed of a stage draws, as JSON, with its scale (None where there is none).

    Raises:
        NotFound: there is no such benchmark.
    """
    from cambrian.evaluators.benchmarks import benchmark
    from cambrian.evaluators.calibration import calibration

    found = benchmark(name)
    try:
        measure = calibration(found, stage, seed)
    except UsageError:
        measure = None
    return {
        "name": found.name,
        "version": found.version,
        "stage": stage,
        "seed": seed,
        "draws": dict(found.draws(stage, seed)),
        "floor": measure and measure.floor,
        "ceiling": measure and measure.ceiling,
        "flops_allowed": measure and measure.flops_allowed,
        "state_bytes_allowed": measure and measure.state_allowed,
    }


def describe_suite(name: str) -> dict[str, Any]:
    """A named suite as JSON: families with versions and weights, those that are sealed, and what a
    seed of all of them costs experience replay.

    Raises:
        NotFound: there is no such suite.
    """
    from cambrian.evaluators.benchmarks import benchmark
    from cambrian.evaluators.calibration import calibration
    from cambrian.evaluators.suites import sealed_part, suite

    found = suite(name)
    cost = sum(calibration(benchmark(each)).cpu_s for each in found.benchmarks)
    return {
        **found.to_json(),
        "seeds": found.seeds,
        "hash": found.hash,
        "sealed": sealed_part(name),
        "cpu_s": cost,
    }


def describe_source(name: str) -> dict[str, Any]:
    """A data source, whether it is here, and the benchmarks that cannot do without it.

    Raises:
        NotFound: there is no such source.
    """
    from cambrian.evaluators.benchmarks import benchmark, names
    from cambrian.evaluators.data import source

    found = source(name)
    return {
        "name": found.name,
        "present": found.present(),
        "holds": found.holds,
        "origin": found.origin,
        "licence": found.licence,
        "get": found.get,
        "benchmarks": [b for b in names() if name in benchmark(b).needs],
    }
