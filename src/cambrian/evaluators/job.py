"""One evaluation: a learner, a benchmark, a stage and a seed give a verdict.

`scored`: it ran and has a score. `failed`: its own fault. `broken`: ours; retried, never counted.
"""

from __future__ import annotations

import dataclasses
import time
import traceback
from typing import Any

import numpy as np

from cambrian._version import __version__
from cambrian.errors import CambrianError, SandboxBroken
from cambrian.evaluators.benchmarks import benchmark as find
from cambrian.evaluators.benchmarks.base import (
    Benchmark,
    Outcome,
    learner_seed,
    resumable,
)
from cambrian.evaluators.calibration import ALLOWANCE, Calibration, calibration
from cambrian.evaluators.checkpoints import Checkpoints
from cambrian.evaluators.finite import NotFinite, finite
from cambrian.evaluators.protocols.tasks import TaskStream, with_untrained
from cambrian.evaluators.transcript import UNTRAINED, Neutral, Transcript
from cambrian.evaluators.workers.turns import StreamBusy, Waiting, turn
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.session.channel import Channel, ChannelClosed, Cost, Stream
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.session import Report, Session

FREE_CPU_S = 10.0
TIMES_REPLAY_CPU = 5.0
SLOWEST_FLOPS_PER_S = 1e10
"""A learner may use FREE_CPU_S, and TIMES_REPLAY_CPU times what replay was calibrated to use, and
what the FLOPs that it owns up to take at this rate. Generous to slow hosts and slow Python."""


def evaluate(
    session: Session,
    unit: Unit,
    *,
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
    waiting: Waiting | None = None,
) -> Measurement:
    """Run one unit in a session that has the agent installed. Never raises for the agent's sake.

    No other agent runs the same stream with the same seed on this machine meanwhile; `waiting` is
    called now and then while one does. That time counts for nothing.

    With `checkpoints`, a benchmark that can goes on from where this stream was cut; its processor
    seconds are then those of this part.

    Raises:
        NotFound, UsageError: no such benchmark, or one never calibrated.
    """
    bench = find(unit.benchmark)
    measure = calibration(bench)
    origin = provenance(session, bench)
    base = Measurement.on(
        unit,
        "broken",
        bench.version,
        device=device,
        backend=origin.get("backend"),
        image_digest=origin.get("image"),
        provenance=origin,
    )
    try:
        with turn(unit.benchmark, unit.stage, unit.seed, waiting):
            return _judged(session, bench, measure, base, checkpoints)
    except StreamBusy as busy:
        return dataclasses.replace(base, cause="busy", reason=str(busy))
    except SandboxBroken as error:
        return dataclasses.replace(base, cause="broken", reason=str(error))


def _judged(
    session: Session,
    bench: Benchmark,
    measure: Calibration,
    base: Measurement,
    checkpoints: Checkpoints | None,
) -> Measurement:
    """The verdict on `base.unit`."""
    unit, device = base.unit, str(base.device)
    began = time.monotonic()
    try:
        outcome, cost = _drive(session, bench, measure, unit, device, checkpoints)
        report = session.report
        if report is None:
            raise SandboxBroken("the job ended without a report")
        _check_cost(cost, report, allowed(bench, measure, unit.stage), measure.cpu_s)
        outcome = _beside_untrained(session, bench, measure, unit, device, outcome)
    except LearnerFailed as failure:
        reason = str(failure) + (f"\n{failure.trace}" if failure.trace else "")
        result = dataclasses.replace(base, verdict="failed", cause=failure.cause, reason=reason)
        return _with_report(result, session.report, time.monotonic() - began)
    except SandboxBroken as error:
        result = dataclasses.replace(base, cause="broken", reason=str(error))
        return _with_report(result, None, time.monotonic() - began)
    return _with_report(
        dataclasses.replace(
            base,
            verdict="scored",
            raw=outcome.raw,
            score=measure.normalise(outcome.raw),
            metrics=outcome.metrics,
            curves=outcome.curves,
            matrices=outcome.matrices,
            predictions=outcome.predictions,
            flops=cost.flops,
            state_bytes=cost.state_bytes,
        ),
        report,
        time.monotonic() - began,
    )


def allowed(bench: Benchmark, measure: Calibration, stage: str) -> Stream:
    """The stream with the allowances filled in that a learner is held to.

    A smoke stage is shorter but allows the same: it only asks whether the code runs.
    """
    return dataclasses.replace(
        bench.stream(stage),
        flops=ALLOWANCE * measure.flops,
        memory_bytes=ALLOWANCE * measure.state_bytes,
    )


def told(stream: Stream) -> Stream:
    """The stream as the learner is told of it: where the horizon is hidden, so are the FLOPs
    allowed, from which it could be worked out."""
    return stream if stream.observations else dataclasses.replace(stream, flops=0)


def _drive(
    session: Session,
    bench: Benchmark,
    measure: Calibration,
    unit: Unit,
    device: str,
    checkpoints: Checkpoints | None,
) -> tuple[Outcome, Cost]:
    with session.job() as channel:
        stream = allowed(bench, measure, unit.stage)
        return drive(channel, bench, stream, unit, device, checkpoints)


def _beside_untrained(
    session: Session,
    bench: Benchmark,
    measure: Calibration,
    unit: Unit,
    device: str,
    outcome: Outcome,
) -> Outcome:
    """The outcome with forward transfer, where the benchmark can tell it. A second learner of the
    same seed says what it does untaught, in a job of its own: that the one which is judged has
    seen no input of a task to come stays true, and its cost is its own. One that fails at it has
    no forward transfer."""
    if not isinstance(bench, TaskStream) or not bench.transfers or session.spent:
        return outcome
    stream = allowed(bench, measure, unit.stage)
    transcript = Transcript(stream)
    try:
        with session.job() as channel:
            channel.listener = transcript
            seed = learner_seed(unit.benchmark, unit.stage, unit.seed)
            channel.start(told(stream), seed, device)
            untrained = bench.untrained(channel, unit.stage, unit.seed)
    except LearnerFailed:
        return outcome
    found = finite(with_untrained(outcome, untrained))
    kept = transcript.packed()
    if not kept or not outcome.predictions:
        return found
    return dataclasses.replace(
        found, predictions={**outcome.predictions, UNTRAINED: kept["labels"]}
    )


def drive(
    channel: Channel,
    bench: Benchmark,
    stream: Stream,
    unit: Unit,
    device: str = "cpu",
    checkpoints: Checkpoints | None = None,
) -> tuple[Outcome, Cost]:
    """Create the learner and take it through the benchmark; what it did and what it cost."""
    channel.listener = transcript = Transcript(stream)
    channel.start(told(stream), learner_seed(unit.benchmark, unit.stage, unit.seed), device)
    kept: dict[str, Any] = {"checkpoints": checkpoints} if resumable(bench) else {}
    outcome = _outcome(channel, bench, unit, kept)
    cost = channel.finish()
    if checkpoints is not None and checkpoints.resumed:  # the first part's answers are gone
        return outcome, cost
    return dataclasses.replace(outcome, predictions=transcript.packed()), cost


def _outcome(channel: Channel, bench: Benchmark, unit: Unit, kept: dict[str, Any]) -> Outcome:
    """What the benchmark makes of the answers; every figure is a finite number.

    Raises:
        LearnerFailed: it makes something else of them, though not of others.
        SandboxBroken: it does so whatever is answered: the benchmark is at fault.
    """
    try:
        with np.errstate(all="ignore"):  # what comes of huge answers is looked at in the end
            return finite(bench.run(channel, unit.stage, unit.seed, **kept))
    except (CambrianError, LearnerFailed, ChannelClosed):
        raise
    except (OSError, MemoryError) as error:
        raise SandboxBroken(f"{bench.name} cannot be run here: {error}") from error
    except Exception as error:
        said = f"{type(error).__name__}: {error}"[:500]
        if not _works(bench, unit):
            traceback.print_exception(error)  # to the worker's log, for whoever wrote it
            raise SandboxBroken(f"{bench.name} fails whatever is answered: {said}") from error
        cause = "nonfinite" if isinstance(error, ArithmeticError) else "protocol"
        what = "its answers lead to figures that are no numbers"
        what = what if isinstance(error, NotFinite) else "its answers cannot be judged"
        raise LearnerFailed(cause, f"{what}: {said}") from error


def _works(bench: Benchmark, unit: Unit) -> bool:
    """Whether a benchmark judges a learner that answers zeros."""
    channel = Neutral()
    channel.start(bench.stream(unit.stage))
    try:
        with np.errstate(all="ignore"):
            finite(bench.run(channel, unit.stage, unit.seed))
    except Exception:  # noqa: BLE001 - whatever it is, no learner brought it about
        return False
    return True


def _check_cost(cost: Cost, report: Report, stream: Stream, replay_cpu_s: float) -> None:
    """Hold the learner to its allowances, and its own count against what was seen from outside."""
    if cost.flops > stream.flops:
        raise LearnerFailed(
            "limit", f"{cost.flops:.3g} FLOPs, over its allowance of {stream.flops:.3g}"
        )
    if cost.state_bytes > stream.memory_bytes:
        raise LearnerFailed(
            "limit",
            f"{cost.state_bytes} bytes of state, over its allowance of {stream.memory_bytes}",
        )
    plausible = FREE_CPU_S + TIMES_REPLAY_CPU * replay_cpu_s + cost.flops / SLOWEST_FLOPS_PER_S
    if report.cpu_s > plausible:
        raise LearnerFailed(
            "limit",
            f"{report.cpu_s:.1f} processor seconds disagree with {cost.flops:.3g} FLOPs "
            f"(at most {plausible:.1f} s were plausible)",
        )


def provenance(session: Session, bench: Benchmark) -> dict[str, Any]:
    """What is needed to run the same again."""
    return {
        "cambrian": __version__,
        "benchmark": bench.name,
        "version": bench.version,
        **session.provenance(),
    }


def _with_report(result: Measurement, report: Report | None, wall_s: float) -> Measurement:
    if report is None:
        return dataclasses.replace(result, wall_s=wall_s)
    return dataclasses.replace(
        result, wall_s=wall_s, cpu_s=max(report.cpu_s, 0.0), peak_bytes=report.peak_bytes
    )
