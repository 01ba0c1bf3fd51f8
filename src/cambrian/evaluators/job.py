"""One evaluation: a learner, a benchmark, a stage and a seed give a verdict.

`scored`: it ran and has a score. `failed`: its own fault. `broken`: ours; retried, never counted.
"""

from __future__ import annotations

import dataclasses
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from cambrian._version import __version__
from cambrian.agents.spec import TaskSpec
from cambrian.errors import CambrianError, SandboxBroken
from cambrian.evaluators.benchmarks import benchmark as find
from cambrian.evaluators.benchmarks.base import Array, Benchmark, Outcome, learner_seed
from cambrian.evaluators.calibration import Calibration, calibration
from cambrian.evaluators.checkpoints import Checkpoints
from cambrian.evaluators.finite import NotFinite, finite
from cambrian.evaluators.lab import JUDGED, Lab, OneLearner
from cambrian.evaluators.transcript import PlaybackLab, Transcript, together
from cambrian.evaluators.workers.turns import StreamBusy, Waiting, turn
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.session.channel import Channel, ChannelClosed, Cost
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.learner_channel import LearnerChannel
from cambrian.sandbox.session.report import Report
from cambrian.sandbox.session.session import Session

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
    measure = calibration(bench, unit.stage, unit.seed)
    origin = provenance(session, bench) | _drawn(bench, unit)
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
    lab = SessionLab(session, bench, measure, unit, device)
    lab.checkpoints = checkpoints
    try:
        outcome = _outcome(bench, lab)
        if JUDGED not in lab.costs:
            raise SandboxBroken(f"{bench.name} ended without a learner to judge")
    except LearnerFailed as failure:
        reason = str(failure) + (f"\n{failure.trace}" if failure.trace else "")
        result = dataclasses.replace(base, verdict="failed", cause=failure.cause, reason=reason)
        return _with_report(result, lab.reports.get(JUDGED, session.report), _since(began))
    except SandboxBroken as error:
        result = dataclasses.replace(base, cause="broken", reason=str(error))
        return _with_report(result, None, _since(began))
    return _with_report(
        dataclasses.replace(
            base,
            verdict="scored",
            raw=outcome.raw,
            score=measure.normalise(outcome.raw),
            metrics=outcome.metrics,
            curves=outcome.curves,
            matrices=outcome.matrices,
            predictions=lab.predictions,
            flops=lab.costs[JUDGED].flops,
            state_bytes=lab.costs[JUDGED].state_bytes,
        ),
        lab.reports[JUDGED],
        _since(began),
    )


def _drawn(bench: Benchmark, unit: Unit) -> dict[str, Any]:
    """What the seed draws, where it draws the kind of its stream."""
    draws = bench.draws(unit.stage, unit.seed)
    return {"drawn": dict(draws)} if draws else {}


def _since(began: float) -> float:
    return time.monotonic() - began


def allowed(spec: TaskSpec, measure: Calibration) -> TaskSpec:
    """A stream with the allowances filled in that a learner is held to.

    A smoke stage is shorter but allows the same: it only asks whether the code runs.
    """
    return dataclasses.replace(
        spec, flops=measure.flops_allowed, memory_bytes=measure.state_allowed
    )


def told(stream: TaskSpec) -> TaskSpec:
    """The stream as the learner is told of it: where the horizon is hidden, so are the FLOPs
    allowed, from which it could be worked out."""
    return stream if stream.observations else dataclasses.replace(stream, flops=0)


class SessionLab(Lab):
    """The learners of the agent that a session has installed, each in a job of its own.

    Attributes:
        costs, reports: of each learner whose job ended well, by its name.
        answers: what each answered, as `Transcript` packs it.
    """

    def __init__(
        self, session: Session, bench: Benchmark, measure: Calibration, unit: Unit, device: str
    ) -> None:
        super().__init__(bench, unit.stage, unit.seed)
        self._bench = bench
        self.costs: dict[str, Cost] = {}
        self.reports: dict[str, Report] = {}
        self.answers: dict[str, Mapping[str, Array]] = {}
        self._session, self._measure, self._device = session, measure, device
        self._offset = unit.offset

    @contextmanager
    def learner(
        self, name: str = JUDGED, *, spec: TaskSpec | None = None
    ) -> Iterator[LearnerChannel]:
        self._expect(name, name in self.costs)
        stream = allowed(spec or self._bench.stream_of(self.stage, self.seed), self._measure)
        transcript = Transcript(stream)
        with self._session.job() as channel:
            channel.listener = transcript
            seed = learner_seed(self.name, self.stage, self.seed, self._offset)
            channel.start(told(stream), seed, self._device)
            yield channel
            cost = channel.finish()
        report = self._session.report
        if report is None:
            raise SandboxBroken("the job ended without a report")
        _check_cost(cost, report, stream, self._measure.cpu_s)
        self.costs[name], self.reports[name] = cost, report
        self.answers[name] = transcript.packed()

    def has(self, name: str) -> bool:
        return super().has(name) and not self._session.spent

    @property
    def predictions(self) -> Mapping[str, Array]:
        """What is kept of all answers, for `transcript.recompute`: flat arrays (n,) by name."""
        if self.checkpoints is not None and self.checkpoints.resumed:
            return {}  # the first part's answers are gone
        return together(self.answers)


def drive(
    channel: Channel,
    bench: Benchmark,
    stream: TaskSpec,
    unit: Unit,
    device: str = "cpu",
) -> tuple[Outcome, Cost]:
    """Create the learner and take it through the benchmark, without any other beside it; what it
    did and what it cost."""
    channel.listener = transcript = Transcript(stream)
    seed = learner_seed(unit.benchmark, unit.stage, unit.seed, unit.offset)
    channel.start(told(stream), seed, device)
    outcome = _outcome(bench, OneLearner(bench, unit.stage, unit.seed, channel))
    cost = channel.finish()
    return dataclasses.replace(outcome, predictions=together({JUDGED: transcript.packed()})), cost


def _outcome(bench: Benchmark, lab: Lab) -> Outcome:
    """What the benchmark makes of the answers; every figure is a finite number.

    Raises:
        LearnerFailed: it makes something else of them, though not of others.
        SandboxBroken: it does so whatever is answered: the benchmark is at fault.
    """
    try:
        with np.errstate(all="ignore"):  # what comes of huge answers is looked at in the end
            return finite(bench.conduct(lab))
    except (CambrianError, LearnerFailed, ChannelClosed):
        raise
    except (OSError, MemoryError) as error:
        raise SandboxBroken(f"{bench.name} cannot be run here: {error}") from error
    except Exception as error:
        said = f"{type(error).__name__}: {error}"[:500]
        if not _works(bench, lab.stage, lab.seed):
            traceback.print_exception(error)  # to the worker's log, for whoever wrote it
            raise SandboxBroken(f"{bench.name} fails whatever is answered: {said}") from error
        cause = "nonfinite" if isinstance(error, ArithmeticError) else "protocol"
        what = "its answers lead to figures that are no numbers"
        what = what if isinstance(error, NotFinite) else "its answers cannot be judged"
        raise LearnerFailed(cause, f"{what}: {said}") from error


def _works(bench: Benchmark, stage: str, seed: int) -> bool:
    """Whether a benchmark judges a learner that answers zeros."""
    try:
        with np.errstate(all="ignore"):
            finite(bench.conduct(PlaybackLab(bench, stage, seed, None)))
    except Exception:  # noqa: BLE001 - whatever it is, no learner brought it about
        return False
    return True


def _check_cost(cost: Cost, report: Report, stream: TaskSpec, replay_cpu_s: float) -> None:
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
