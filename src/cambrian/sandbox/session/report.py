"""How a job ended: what the zygote reports, checked before it is believed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from cambrian.sandbox.runner.frames import Frame, FrameError
from cambrian.sandbox.session.failures import CONTENT
from cambrian.text import neutralise

MOST = 1 << 62
"""Bytes in a report: what adds up in 64 bits."""


@dataclass(frozen=True)
class Report:
    """How a job's process ended, as the zygote saw it from outside of it.

    Attributes:
        exit: exit status, negative for a signal.
        cpu_s: of all the sandbox's processes during the job, from its cgroup; where there is
            none, of the job's own process, from `wait4`.
        peak_bytes: of the job's process, from `wait4`.
        output: the last it printed; untrusted text.
        wall_s: host seconds.
    """

    exit: int
    cpu_s: float
    peak_bytes: int
    output: str
    output_bytes: int
    ended: str
    clean: bool
    wall_s: float = 0.0


def read_report(frame: Frame, job: int) -> Report:
    """What the zygote reports; a job has a say in much of it, and may get at who writes it.

    Raises:
        FrameError: it is no report of this job.
    """
    meta: dict[str, Any] = frame.meta
    try:
        report = Report(
            exit=_within(meta["exit"], -255, 255),
            cpu_s=float(meta["cpu_s"]),
            peak_bytes=_within(meta["peak_bytes"], 0, MOST),
            output=neutralise(str(meta["output"])),
            output_bytes=_within(meta["output_bytes"], 0, MOST),
            ended=neutralise(str(meta["ended"])),
            clean=meta["clean"] is True,
        )
    except CONTENT as error:
        raise FrameError(f"no report: {type(error).__name__}: {error}") from None
    if frame.sequence != job:
        raise FrameError(f"expected the report of job {job}, got that of job {frame.sequence}")
    if not 0 <= report.cpu_s < math.inf:
        raise FrameError(f"no report: {report.cpu_s} processor seconds")
    return report


def _within(value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"expected a whole number from {least} to {most}")
    return value
